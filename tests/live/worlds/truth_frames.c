// SPDX-License-Identifier: MIT
/*
 * What the kernel itself says of frames and of whole objects: counts, flags, large folios, and which
 * pages of a shmem inode are there though nobody maps them.
 */
#include "truth.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FOLIO_MAX 512u
#define RUN_MAX 512u
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static int flags_fd = -1, counts_fd = -1;

static int open_once(int *fd, const char *path)
{
	if (*fd < 0)
		*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd;
}

static bool read_words(int fd, uint64_t frame, uint64_t *words, size_t count)
{
	ssize_t bytes = (ssize_t)(count * sizeof(*words));

	return pread(fd, words, (size_t)bytes, (off_t)(frame * sizeof(*words))) == bytes;
}

/* How many pages from this one on have frames that follow each other. */
static size_t run_of(const struct truth_page *page, size_t left)
{
	size_t n = 1;

	while (n < left && n < RUN_MAX && page[n].key == page[0].key + n)
		n++;
	return n;
}

int truth_read_frames(struct truth *truth)
{
	static uint64_t flags[RUN_MAX], counts[RUN_MAX];
	size_t n;

	if (open_once(&flags_fd, "/proc/kpageflags") < 0 ||
	    open_once(&counts_fd, "/proc/kpagecount") < 0)
		return -1;
	for (size_t i = 0; i < truth->page_count; i += n) {
		struct truth_page *page = &truth->pages[i];

		n = run_of(page, truth->page_count - i);
		if (truth_kind_of(page->key) == TRUTH_SWAP)
			continue;
		if (!read_words(flags_fd, truth_frame_of(page->key), flags, n) ||
		    !read_words(counts_fd, truth_frame_of(page->key), counts, n))
			return -1;
		for (size_t k = 0; k < n; k++) {
			page[k].kernel_flags = flags[k];
			page[k].kernel_count = counts[k];
		}
	}
	return 0;
}

void truth_folio(const struct truth_page *page, uint64_t *ret_first, uint64_t *ret_count)
{
	static uint64_t flags[2 * FOLIO_MAX];
	uint64_t frame = truth_frame_of(page->key), from, head = FOLIO_MAX, end;

	*ret_first = frame;
	*ret_count = 1;
	if (!(page->kernel_flags & TRUTH_FOLIO_FLAGS))
		return;
	from = frame < FOLIO_MAX ? 0 : frame - FOLIO_MAX;
	head = frame - from;
	if (!read_words(flags_fd, from, flags, 2 * FOLIO_MAX))
		return;
	while (head && !(flags[head] & TRUTH_FLAG_HEAD))
		head--;
	for (end = head + 1; end < 2 * FOLIO_MAX && flags[end] & TRUTH_FLAG_TAIL;)
		end++;
	*ret_first = from + head;
	*ret_count = end - head;
}

/* ---- objects -------------------------------------------------------------------------------- */

struct cache_range {
	uint64_t offset, length;
};

struct cache_numbers {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

/* Of shmem: what is in memory and what is swapped out, mapped or not. */
static int measure(struct truth_object *object, const char *path)
{
	struct cache_range all = { 0, 0 };
	struct cache_numbers numbers = { 0 };
	struct stat about;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, &about) == 0 && about.st_dev == object->device &&
	    about.st_ino == object->inode && syscall(SYS_cachestat, fd, &all, &numbers, 0) == 0) {
		object->resident_pages = numbers.cached;
		object->swapped_pages =
			(uint64_t)about.st_blocks * 512 / TRUTH_PAGE_BYTES - numbers.cached;
		err = 0;
	}
	close(fd);
	return err;
}

/* By the first region that maps each. */
static int measure_objects(struct truth *truth, const struct world *world)
{
	uint32_t next = 0;
	char path[96];

	for (size_t i = 0; i < truth->region_count; i++) {
		const struct truth_region *region = &truth->regions[i];

		/* Objects were numbered as regions came. */
		if (region->object != next)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
			 world->spaces[region->space].pid, region->start, region->end);
		if (measure(&truth->objects[next++], path))
			return -1;
	}
	return 0;
}

/* Found open, and mapped by nobody: an object all the same. */
static int add_unmapped(struct truth *truth, const struct stat *about, const char *path)
{
	struct statfs system;

	if (statfs(path, &system) || system.f_type != TMPFS_MAGIC)
		return 0;
	truth->objects = truth_grow(truth->objects, &truth->object_room, truth->object_count + 1,
				    sizeof(*truth->objects));
	truth->objects[truth->object_count++] =
		(struct truth_object){ .device = about->st_dev, .inode = about->st_ino };
	return measure(&truth->objects[truth->object_count - 1], path);
}

static int hold(struct truth *truth, uint32_t space, const char *path)
{
	struct stat about;
	size_t i = 0;

	if (stat(path, &about) || !S_ISREG(about.st_mode))
		return 0;
	while (i < truth->object_count && (truth->objects[i].device != about.st_dev ||
					   truth->objects[i].inode != about.st_ino))
		i++;
	if (i == truth->object_count && add_unmapped(truth, &about, path))
		return -1;
	if (i < truth->object_count)
		truth->objects[i].holders |= 1ull << space;
	return 0;
}

static int list_fds(struct truth *truth, uint32_t space, pid_t pid)
{
	struct dirent *entry;
	char path[PATH_MAX];
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (!err && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, entry->d_name);
		err = hold(truth, space, path);
	}
	closedir(dir);
	return err;
}

int truth_read_objects(struct truth *truth, const struct world *world)
{
	int err = measure_objects(truth, world);

	for (uint32_t i = 0; i < world->space_count && !err; i++) {
		err = list_fds(truth, i, world->spaces[i].pid);
		if (world->spaces[i].peer && !err)
			err = list_fds(truth, i, world->spaces[i].peer);
	}
	return err;
}
