// SPDX-License-Identifier: MIT
/*
 * Open and mapped files by /proc/PID/fd, fdinfo and map_files; draws no conclusions. What other processes
 * have open is only looked at: never opened, but for files of shmem.
 */
#include "kernel/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/fdinfo.h"
#include "kernel/process.h"

#define BLOCK_BYTES 512u
#define PATH_BYTES 4096

/* Whether all that its blocks count is in RAM, is known from the file system. */
static void set_residency(const struct files_text *text, const struct statx *st,
			  struct open_file *file)
{
	if (file->magic != HUGETLBFS_MAGIC && (file->magic != TMPFS_MAGIC || text->swap_in_use))
		return;
	file->resident_bytes = st->stx_blocks * BLOCK_BYTES;
	file->resident_known = true;
}

static struct open_file of_stat(const struct files_text *text, pid_t pid, const struct statx *st)
{
	struct open_file file = {
		.pid = pid,
		.fd = -1,
		.dev = st->stx_dev_major << 20 | st->stx_dev_minor,
		.mode = st->stx_mode,
		.nlink = st->stx_nlink,
		.rdev = st->stx_rdev_major << 20 | st->stx_rdev_minor,
		.inode = st->stx_ino,
		.size_bytes = st->stx_size,
	};

	/* Only file systems without a device of their own are looked for in the mounts. */
	if (st->stx_dev_major == 0)
		internal_devs_learn(text->root, text->devs, pid, file.dev);
	file.magic = internal_devs_magic(text->devs, file.dev);
	set_residency(text, st, &file);
	return file;
}

/* The same rule as in bpf/files_read.h. */
static bool matters(const struct open_file *file)
{
	return file->magic == TMPFS_MAGIC || file->magic == HUGETLBFS_MAGIC ||
	       (file->nlink == 0 && file->size_bytes);
}

struct reading {
	const struct files_text *text;
	pid_t pid, tid;
	open_file_fn each;
	void *arg;
	bool refused; /* fds are listed, but what they are may not be seen */
};

static void take_scm_fds(const char *key, const char *value, void *arg)
{
	uint32_t *in_flight = arg;

	if (strcmp(key, "scm_fds") == 0)
		*in_flight = (uint32_t)strtoul(value, NULL, 10);
}

uint32_t files_in_flight_by_text(const struct kroot *root, const struct open_file *file)
{
	uint32_t in_flight = 0;

	/* It may be closed by now. */
	(void)fdinfo_each(root, file->pid, file->tid, file->fd, take_scm_fds, &in_flight);
	return in_flight;
}

static bool starts(const char *path, const char *with)
{
	return strncmp(path, with, strlen(with)) == 0;
}

/* What has an inode of no type: no file that a person could give such a name. */
static bool matters_by_link(const struct reading *r, struct open_file *file)
{
	bool dmabuf = starts(file->path, "/dmabuf:");

	/* As the iterator has it. */
	file->magic = dmabuf ? DMA_BUF_MAGIC : ANON_INODE_FS_MAGIC;
	return dmabuf || (r->text->all && (strcmp(file->path, "anon_inode:[io_uring]") == 0 ||
					   strcmp(file->path, "anon_inode:[kvm-gmem]") == 0));
}

#define DRM_MAJOR 226u
#define TYPELESS 0u

/*
 * There may be very many sockets: so from the directory of fds on, and in one read, by which the kernel
 * hands out all of such a file.
 */
static uint32_t files_in_flight(int dir, int fd)
{
	char text[1024], path[32];
	uint32_t in_flight = 0;
	int file;

	snprintf(path, sizeof(path), "../fdinfo/%d", fd);
	file = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	ssize_t len = read(file, text, sizeof(text) - 1);

	close(file);
	if (len > 0) {
		text[len] = '\0';
		fdinfo_parse(text, (size_t)len, take_scm_fds, &in_flight);
	}
	return in_flight;
}

static bool surely_empty(const struct files_text *text, uint64_t socket)
{
	return text->queues && kroot_is_live(text->root) &&
	       unix_queues_is_empty(text->queues, socket);
}

/* Whether it is to be told of; of what has no type the path has to be there. */
static bool choose(const struct reading *r, int dir, struct open_file *file)
{
	switch (file->mode & S_IFMT) {
	case S_IFREG:
		return matters(file);
	case S_IFCHR:
		return file->rdev >> 20 == DRM_MAJOR;
	case S_IFSOCK:
		if (r->text->all && !surely_empty(r->text, file->inode))
			file->in_flight = files_in_flight(dir, file->fd);
		return file->in_flight;
	case TYPELESS:
		return matters_by_link(r, file);
	default:
		return false;
	}
}

/* Of a process whose links may not be followed, one is like the other: by the same right they are read. */
static bool is_refused(int dir, const char *name)
{
	char path[1];

	return errno == EACCES && readlinkat(dir, name, path, sizeof(path)) < 0 && errno == EACCES;
}

static int take_fd(struct reading *r, int dir, const char *name)
{
	char path[PATH_BYTES] = "", *end;
	long fd = strtol(name, &end, 10);
	struct statx st;
	ssize_t len;

	if (end == name || *end != '\0')
		return 0;
	if (statx(dir, name, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) < 0) {
		r->refused = is_refused(dir, name);
		return 0;
	}
	struct open_file file = of_stat(r->text, r->pid, &st);
	bool by_link = (st.stx_mode & S_IFMT) == TYPELESS;

	file.tid = r->tid;
	file.fd = (int)fd;
	file.path = path;
	if (!by_link && !choose(r, dir, &file))
		return 0;
	len = readlinkat(dir, name, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	if (by_link && !choose(r, dir, &file))
		return 0;
	return r->each(&file, r->arg);
}

/* The directory of the leader's that other programs look at, too, is likelier to be known already. */
static int open_fds(const struct reading *r)
{
	return r->tid == r->pid ? kroot_fd(r->text->root, "proc/%d/fd", r->pid)
				: kroot_fd(r->text->root, "proc/%d/task/%d/fd", r->pid, r->tid);
}

static int each_fd(struct reading *r)
{
	int dir_fd = open_fds(r), err = 0;
	struct dirent *entry;
	DIR *dir;

	if (dir_fd < 0)
		return dir_fd;
	dir = fdopendir(dir_fd);
	/* It looks at the directory, which a process takes with it. */
	if (!dir) {
		err = -errno;
		close(dir_fd);
		return err;
	}
	while (!err && !r->refused && (entry = readdir(dir)))
		err = take_fd(r, dirfd(dir), entry->d_name);
	closedir(dir);
	return err;
}

static int each_thread(pid_t tid, void *arg)
{
	struct reading *r = arg;

	if (tid == r->pid || process_same_files(r->pid, tid))
		return 0;
	r->tid = tid;
	int err = each_fd(r);

	return err == -ENOENT || err == -ESRCH ? 0 : err;
}

int files_text_each(const struct files_text *text, pid_t pid, bool single_thread, open_file_fn each,
		    void *arg)
{
	struct reading r = { text, pid, pid, each, arg, false };
	int err = each_fd(&r);

	if (!err && !r.refused && !single_thread)
		err = process_each_thread(text->root, pid, each_thread, &r);
	return err;
}

int files_text_mapped(const struct files_text *text, pid_t pid, uint64_t start, uint64_t end,
		      struct open_file *ret_file)
{
	struct statx st;
	int err = kroot_stat(text->root, &st, "proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, start,
			     end);

	if (err)
		return err;
	*ret_file = of_stat(text, pid, &st);
	ret_file->start = start;
	ret_file->end = end;
	return 0;
}

/* ---- cachestat ------------------------------------------------------------------------------ */

/* As in linux/mman.h since 6.5; spelled out because older headers lack them. */
enum { NR_CACHESTAT = 451 };

struct cachestat_range_arg {
	uint64_t offset, length; /* 0: to the end */
};

struct cachestat_pages {
	uint64_t cached, dirty, written_back, evicted, recently_evicted;
};

static int open_again(const struct files_text *text, const struct open_file *file)
{
	if (file->fd >= 0)
		return kroot_fd_of(text->root, file->dev, file->inode, "proc/%d/task/%d/fd/%d",
				   file->pid, file->tid, file->fd);
	return kroot_fd_of(text->root, file->dev, file->inode,
			   "proc/%d/map_files/%" PRIx64 "-%" PRIx64, file->pid, file->start,
			   file->end);
}

int files_text_count(const struct files_text *text, struct open_file *file)
{
	struct cachestat_range_arg all = { 0 };
	struct cachestat_pages pages;
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	int fd, err;

	if (file->magic != TMPFS_MAGIC)
		return -EOPNOTSUPP;
	fd = open_again(text, file);
	if (fd < 0)
		return fd;
	err = syscall(NR_CACHESTAT, fd, &all, &pages, 0) < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	file->resident_bytes = pages.cached * page_bytes;
	file->swapped_bytes = pages.evicted * page_bytes;
	file->resident_known = true;
	return 0;
}
