// SPDX-License-Identifier: MIT
/*
 * Opens the process that gets hints and compares its mappings with the plan; gives no hints.
 */
#include "hints/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "kernel/maps.h"
#include "kernel/pagemap.h"
#include "kernel/pidfd.h"
#include "kernel/process.h"

/* Whether the pid is the process that was planned for, running that program: so the pidfd opened before is its. */
static int check_identity(const struct target *target)
{
	struct process_stat stat;
	int err = process_stat(target->root, target->pid, &stat);

	if (err)
		return err == -ENOENT ? -ESRCH : err;
	if (!process_is_same(&stat, target->start_ticks, target->stack_start) ||
	    !pidfd_lives(target->pidfd))
		return -ESRCH;
	return 0;
}

static void find_cookie(struct target *target, struct cookies *cookies)
{
	if (cookies && cookies_find(cookies, target->pid, &target->task) == 0 &&
	    cookies_read(cookies, target->task, &target->first) == 0)
		target->cookies = cookies;
}

/*
 * The cookie was found before maps was opened: if it still is the one of the same program, then maps is
 * open on that address space, and keeps it from being freed.
 */
static int check_cookie(struct target *target)
{
	struct cookie now;

	if (!target->cookies)
		return 0;
	if (cookies_read(target->cookies, target->task, &now) < 0)
		target->cookies = NULL;
	else if (!cookie_same_space(&now, &target->first))
		return -ESRCH;
	return 0;
}

static int open_files(struct target *target)
{
	struct procmap_vma vma;

	target->maps_fd = process_maps_open(target->root, target->pid);
	if (target->maps_fd < 0)
		return target->maps_fd == -ENOENT ? -ESRCH : target->maps_fd;
	target->pagemap_fd = pagemap_open(target->root, target->pid);
	target->queries = procmap_query(target->maps_fd, 0, &vma) != -ENOTTY;
	return 0;
}

int target_open(struct target *target, const struct kroot *root, struct cookies *cookies,
		const struct memoir_plan_process *process)
{
	int err;

	*target = (struct target){
		.root = root,
		.pid = process->pid,
		.start_ticks = process->start_ticks,
		.stack_start = process->stack_start,
		.maps_fd = -1,
		.pagemap_fd = -1,
	};
	target->pidfd = pidfd_of(process->pid);
	if (target->pidfd < 0)
		return target->pidfd == -EINVAL ? -ESRCH : target->pidfd;
	find_cookie(target, cookies);
	err = open_files(target);
	if (!err)
		err = check_cookie(target);
	if (!err)
		err = target_look(target, NULL);
	if (!err)
		err = check_identity(target);
	if (err)
		target_close(target);
	return err;
}

void target_close(struct target *target)
{
	if (target->pidfd >= 0)
		close(target->pidfd);
	if (target->maps_fd >= 0)
		close(target->maps_fd);
	if (target->pagemap_fd >= 0)
		close(target->pagemap_fd);
	kbuf_free(&target->text);
	free(target->vmas);
}

bool target_cookie(const struct target *target, struct cookie *ret_cookie, bool *ret_ended)
{
	if (!target->cookies)
		return false;
	if (cookies_read(target->cookies, target->task, ret_cookie) < 0 ||
	    !cookie_same_space(ret_cookie, &target->first)) {
		*ret_ended = true;
		return false;
	}
	return true;
}

/* ---- mappings -------------------------------------------------------------------------------- */

static int add_line(struct target *target, const struct maps_line *line)
{
	struct procmap_vma *vmas =
		grow(target->vmas, &target->vma_room, target->vma_count + 1, sizeof(*vmas));

	if (!vmas)
		return -ENOMEM;
	target->vmas = vmas;
	vmas[target->vma_count] = (struct procmap_vma){
		.start = line->start,
		.end = line->end,
		.offset_bytes = line->offset_bytes,
		.inode = line->inode,
		.dev_major = line->dev_major,
		.dev_minor = line->dev_minor,
	};
	memcpy(vmas[target->vma_count++].perms, line->perms, sizeof(line->perms));
	return 0;
}

int target_look(struct target *target, const struct cookie *cookie)
{
	struct maps_line line;
	int err = 0;

	if (target->queries ||
	    (cookie && target->looked && cookie_same(cookie, &target->looked_at)))
		return 0;
	target->looked = false;
	ssize_t len =
		process_text(target->root, target->pid, target->pid, PROCESS_MAPS, &target->text);

	/* Empty: it has ended. After exec all of it lies elsewhere. */
	if (len <= 0)
		return len == 0 || len == -ENOENT ? -ESRCH : (int)len;
	target->vma_count = 0;
	for (char *at = target->text.data; !err && maps_next(&at, &line) > 0;)
		err = add_line(target, &line);
	if (!err && cookie) {
		target->looked = true;
		target->looked_at = *cookie;
	}
	return err;
}

/* The mapping that covers an address, or -ENOENT and where the next one begins. */
static int find_vma(const struct target *target, uint64_t addr, struct procmap_vma *ret_vma,
		    uint64_t *ret_next)
{
	size_t low = 0, high = target->vma_count;

	if (target->queries)
		return procmap_query(target->maps_fd, addr, ret_vma);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (target->vmas[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < target->vma_count && target->vmas[low].start > addr)
		*ret_next = target->vmas[low].start;
	if (low == target->vma_count || target->vmas[low].start > addr)
		return -ENOENT;
	*ret_vma = target->vmas[low];
	return 0;
}

static bool is_as_planned(const struct memoir_plan_range *range, uint64_t addr,
			  const struct procmap_vma *vma)
{
	if (memcmp(vma->perms, range->perms, 4) != 0 || vma->inode != range->inode)
		return false;
	if (!range->inode)
		return true;
	return vma->dev_major == range->dev_major && vma->dev_minor == range->dev_minor &&
	       vma->offset_bytes + (addr - vma->start) ==
		       range->offset_bytes + (addr - range->start);
}

int64_t target_matches(struct target *target, const struct memoir_plan_range *range, uint64_t start,
		       uint64_t end, uint64_t *ret_next)
{
	struct procmap_vma vma;
	int err;

	*ret_next = start + PAGE_BYTES;
	err = find_vma(target, start, &vma, ret_next);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	*ret_next = vma.end;
	if (!is_as_planned(range, start, &vma))
		return 0;
	return (int64_t)((vma.end < end ? vma.end : end) - start);
}
