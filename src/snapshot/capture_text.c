// SPDX-License-Identifier: MIT
/*
 * The methods that need no BPF: VMAs from /proc/PID/maps and pages from pagemap, or all from smaps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/grow.h"
#include "kernel/maps.h"
#include "kernel/pagemap.h"
#include "kernel/process.h"
#include "snapshot/capture.h"

struct text_listing {
	struct capture *c;
	enum process_text which;
	struct kbuf text;
};

/* ---- regions -------------------------------------------------------------------------------- */

uint64_t capture_inode_key(uint32_t dev, uint64_t inode)
{
	uint64_t parts[2] = { dev, inode };

	return XXH3_64bits(parts, sizeof(parts));
}

static uint32_t flags_of(const char *perms)
{
	return (perms[0] == 'r' ? VM_READ : 0) | (perms[1] == 'w' ? VM_WRITE : 0) |
	       (perms[2] == 'x' ? VM_EXEC : 0) | (perms[3] == 's' ? VM_SHARED | VM_MAYSHARE : 0);
}

const char *capture_text_path(struct capture *c, uint32_t process, const struct maps_line *line)
{
	char path[4096 + sizeof(" (deleted)")];

	if (!*line->path)
		return NULL;
	if (line->escaped && process_mapped_path(c->memoir->root, c->snap->processes[process].pid,
						 line->start, line->end, path, sizeof(path)) == 0)
		return snapshot_string(c->snap, path);
	return snapshot_string(c->snap, line->path);
}

/* NULL when out of memory. */
static struct region *take_line(struct capture *c, uint32_t process, const struct maps_line *line)
{
	uint32_t dev = line->dev_major << 20 | line->dev_minor;
	struct region *region = capture_add_region(c, process);

	if (!region)
		return NULL;
	region->start = line->start;
	region->end = line->end;
	region->name = snapshot_string(c->snap, line->name);
	region->path = capture_text_path(c, process, line);
	region->flags = flags_of(line->perms);

	if (line->dev_major == 0 && line->inode)
		internal_devs_learn(c->memoir->root, &c->devs, c->snap->processes[process].pid,
				    dev);

	struct region_facts facts = {
		.dev = dev,
		.has_file = line->inode || dev,
		.hugetlb = internal_devs_is_hugetlb(&c->devs, dev),
	};

	capture_classify(c, region, &facts);
	capture_settle_later(c, (uint32_t)c->snap->captured.count - 1);
	if (region->kind == MEMOIR_KIND_HUGETLB)
		region->flags |= VM_HUGETLB;
	if (!facts.has_file)
		return region;
	region->offset_bytes = line->offset_bytes;
	region->object =
		capture_object(c, capture_inode_key(dev, line->inode), region->kind,
			       line->dev_major, line->dev_minor, line->inode, region->path, 0);
	return region;
}

static int keep_told(struct capture *c, struct region *region, const struct smaps_figures *f)
{
	struct captured *captured = &c->snap->captured;
	struct memoir_figures *told =
		grow(captured->told, &captured->told_room, captured->count, sizeof(*told));

	if (!told)
		return -ENOMEM;
	captured->told = told;
	told += captured->count - 1;
	*told = (struct memoir_figures){ .known = (1u << MEMOIR_FIGURES) - 1 };
	told->bytes[MEMOIR_RSS] = f->rss;
	told->bytes[MEMOIR_PSS] = f->pss;
	told->bytes[MEMOIR_USS] = f->private_;
	told->bytes[MEMOIR_SHARED] = f->shared;
	told->bytes[MEMOIR_SWAP] = f->swap;
	told->bytes[MEMOIR_SWAP_PSS] = f->swap_pss;
	told->bytes[MEMOIR_ANON] = f->anonymous;
	told->bytes[kind_is_shmem(region->kind) ? MEMOIR_SHMEM : MEMOIR_FILE] =
		f->rss > f->anonymous ? f->rss - f->anonymous : 0;
	told->bytes[MEMOIR_THP] = f->huge;
	told->bytes[MEMOIR_HUGETLB] = f->hugetlb;
	if (f->locked)
		region->flags |= VM_LOCKED;
	region->doubt = REGION_BY_SMAPS;
	return 0;
}

static int take_text(struct text_listing *l, uint32_t process)
{
	bool smaps = l->which == PROCESS_SMAPS;
	struct smaps_figures figures;
	struct region *region;
	struct maps_line line;
	char *at = l->text.data;
	int got;

	while ((got = smaps ? smaps_next(&at, &line, &figures) : maps_next(&at, &line)) > 0) {
		if (maps_is_gate(&line))
			continue;
		region = take_line(l->c, process, &line);
		if (!region || (smaps && keep_told(l->c, region, &figures) < 0))
			return -ENOMEM;
	}
	return got;
}

/* ---- processes ------------------------------------------------------------------------------ */

struct thread_search {
	struct text_listing *l;
	pid_t pid, found;
};

static int try_thread(pid_t tid, void *arg)
{
	struct thread_search *s = arg;
	ssize_t len = process_text(s->l->c->memoir->root, s->pid, tid, s->l->which, &s->l->text);

	if (len <= 0)
		return 0;
	s->found = tid;
	return 1;
}

/*
 * Read the process's text: by its leader, or where that has exited by a thread that lives.
 * Returns the thread's id, 0 when there is no memory, or a negative errno.
 */
static int read_text(struct text_listing *l, pid_t pid)
{
	ssize_t len = process_text(l->c->memoir->root, pid, pid, l->which, &l->text);
	struct thread_search search = { .l = l, .pid = pid };

	if (len > 0)
		return pid;
	if (len < 0 && len != -ESRCH)
		return (int)len;
	process_each_thread(l->c->memoir->root, pid, try_thread, &search);
	return search.found;
}

/* A process whose text is the same as another's may share its address space: then it is its peer. */
static bool is_peer(struct text_listing *l, pid_t pid, uint64_t hash, uint32_t threads)
{
	struct capture *c = l->c;
	uint32_t i = u64map_get(&c->process_by_mm, hash);

	if (i == U64MAP_NONE || !kroot_is_live(c->memoir->root) ||
	    !process_same_memory(pid, c->snap->processes[i].pid))
		return false;
	capture_add_peer(c, &c->snap->processes[i], pid);
	c->snap->processes[i].threads += threads;
	return true;
}

static int add_process(struct text_listing *l, pid_t pid, const struct process_stat *stat, int tid)
{
	struct capture *c = l->c;
	struct process_status status = { 0 };
	struct process_note *note;
	char cgroup[1024];
	uint32_t i = (uint32_t)c->snap->process_count;
	struct memoir_process *process = capture_add_process(c, &note);

	if (!process)
		return -ENOMEM;
	note->tgid = pid;
	note->tid = tid > 0 ? tid : pid;
	process->pid = pid;
	process->ppid = stat->ppid;
	process->start_ticks = stat->start_ticks;
	process->threads = stat->threads;
	process->comm = snapshot_string(c->snap, stat->comm);
	process->readable = tid > 0;
	process->uid = (uid_t)-1;
	if (process_status(c->memoir->root, pid, note->tid, &status) == 0) {
		process->uid = status.uid;
		process->page_table_bytes = status.page_table_bytes;
		process->page_table_known = status.has_memory;
	}
	if (process_cgroup(c->memoir->root, pid, cgroup, sizeof(cgroup)) == 0)
		process->cgroup = snapshot_string(c->snap, cgroup);
	return tid > 0 ? take_text(l, i) : 0;
}

static int list_process(pid_t pid, void *arg)
{
	struct text_listing *l = arg;
	struct process_stat stat;
	int err, tid;

	if (pid == l->c->memoir->self && kroot_is_live(l->c->memoir->root))
		return 0;
	err = process_stat(l->c->memoir->root, pid, &stat);
	if (err == -ENOENT || err == -ESRCH) {
		l->c->snap->vanished++;
		return 0;
	}
	if (err)
		return err == -ENOMEM ? err : 0;
	if (stat.kernel_thread)
		return 0;
	tid = read_text(l, pid);
	if (tid == -ENOENT || tid == -ESRCH || (tid == 0 && stat.state != 'Z'))
		l->c->snap->vanished++;
	if (tid == -ENOENT || tid == -ESRCH || tid == 0)
		return 0;
	if (tid == -ENOMEM)
		return tid;

	uint64_t hash = tid > 0 ? XXH3_64bits(l->text.data, l->text.len) : 0;

	if (tid > 0 && is_peer(l, pid, hash, stat.threads))
		return l->c->error;
	if (tid > 0 &&
	    u64map_set(&l->c->process_by_mm, hash, (uint32_t)l->c->snap->process_count) < 0)
		return -ENOMEM;
	return add_process(l, pid, &stat, tid);
}

static int list_by_text(struct capture *c, enum process_text which)
{
	struct text_listing l = { .c = c, .which = which };
	int err = process_each(c->memoir->root, list_process, &l);

	kbuf_free(&l.text);
	capture_settle_scope(c);
	return err;
}

#define VAST_BYTES (16ull << 30)

/* ---- pages ---------------------------------------------------------------------------------- */

/* Without PAGEMAP_SCAN only smaps tells, before all words are read, that a vast region is empty. */
static void find_empty(struct capture *c, uint32_t process)
{
	const struct memoir_process *p = &c->snap->processes[process];
	const struct process_note *note = &c->notes[process];
	uint32_t i = p->first_region, end = i + p->region_count;
	struct kbuf text = { 0 };
	struct smaps_figures figures;
	struct maps_line line;
	uint64_t vast = 0;

	for (uint32_t r = i; r < end; r++)
		vast += capture_region(c, r)->end - capture_region(c, r)->start >= VAST_BYTES;
	if (!vast ||
	    process_text(c->memoir->root, note->tgid, note->tid, PROCESS_SMAPS, &text) <= 0) {
		kbuf_free(&text);
		return;
	}
	for (char *at = text.data; i < end && smaps_next(&at, &line, &figures) > 0;) {
		while (i < end && capture_region(c, i)->start < line.start)
			i++;
		if (i < end && capture_region(c, i)->start == line.start)
			capture_region(c, i)->empty =
				!figures.rss && !figures.swap && !figures.hugetlb;
	}
	kbuf_free(&text);
}

static int read_pages(struct capture *c, uint32_t process, void *scratch)
{
	const struct memoir_process *p = &c->snap->processes[process];
	int fd, err = 0;

	if (!p->readable || !p->region_count)
		return 0;
	if (!c->scan_works)
		find_empty(c, process);
	fd = capture_open_pagemap(c, process);
	for (uint32_t i = 0; fd >= 0 && i < p->region_count && !err; i++)
		err = capture_words(c, fd, p->first_region + i, scratch);
	if (fd >= 0)
		close(fd);
	if (fd < 0 || err)
		capture_lost(c, process);
	return 0;
}

/* Swapped pages of shmem leave no trace in page tables: smaps has to tell, where there is any swap. */
static void ask_for_shmem_swap(struct capture *c)
{
	uint64_t total = 0, unused = 0;

	memoir_snapshot_meminfo(c->snap, "SwapTotal", &total);
	memoir_snapshot_meminfo(c->snap, "SwapFree", &unused);
	if (total == unused)
		return;
	for (size_t i = 0; i < c->snap->captured.count; i++)
		capture_region(c, i)->smaps_swap = kind_is_shmem(capture_region(c, i)->kind);
	c->text_left = true;
}

int capture_by_text(struct capture *c, struct memoir_error *error)
{
	if (!kroot_is_live(c->memoir->root) || !pagemap_shows_frames(c->memoir->root))
		return error_set(error, -EPERM,
				 "page frames are hidden from this user: run memoir as "
				 "root or with CAP_SYS_ADMIN");
	int err = list_by_text(c, PROCESS_MAPS);

	if (err || c->options.without_pages)
		return err;
	c->scan_works = pagemap_scan_probe(c->memoir->root) == 0;
	err = capture_parallel(c, read_pages, WORDS_ROOM * sizeof(uint64_t));
	if (!err)
		ask_for_shmem_swap(c);
	return err;
}

int capture_by_smaps(struct capture *c, struct memoir_error *error)
{
	int err = list_by_text(c, !c->options.without_pages ? PROCESS_SMAPS : PROCESS_MAPS);

	if (err)
		return error_set_about(error, err, 0, "/proc", "/proc can't be read: %s",
				       strerror(-err));
	return 0;
}
