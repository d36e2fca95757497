// SPDX-License-Identifier: MIT
/*
 * Reads which pages of the watched processes are resident, and which of them carry the mark of use that a
 * means goes by. Changes nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "hints/idle.h"
#include "kernel/maps.h"
#include "kernel/pagemap.h"
#include "kernel/process.h"
#include "kernel/pte.h"

/* The process that was watched is gone; its pid may be another's by now. */
static bool is_gone(const struct memoir_idle *idle, const struct idle_space *space)
{
	struct process_stat stat;

	return process_stat(idle->memoir->root, space->pid, &stat) < 0 ||
	       stat.start_ticks != space->start_ticks || stat.state == 'Z';
}

/* ---- page tables ---------------------------------------------------------------------------- */

struct tables {
	struct memoir_idle *idle;
	struct u64map by_pid, by_mm;
	struct idle_space *space; /* whose tables come now, or NULL */
	int error;
};

bool idle_tables_work(struct memoir *memoir)
{
	struct walk *walk = kroot_is_live(memoir->root) ? memoir_walk(memoir, NULL) : NULL;

	return walk && walk_calibrate(walk, memoir->root) == 0;
}

static void table_task(const struct walk_task *task, void *arg)
{
	struct tables *t = arg;
	uint32_t i = u64map_get(&t->by_pid, task->tgid);

	if (i == U64MAP_NONE || !task->mm)
		return;
	t->idle->spaces[i].mm = task->mm;
	if (u64map_set(&t->by_mm, task->mm, i) < 0)
		t->error = -ENOMEM;
}

static void table_vma(const struct walk_vma *vma, const char *path, const char *name, void *arg)
{
	struct tables *t = arg;
	uint32_t i = u64map_get(&t->by_mm, vma->mm);
	struct idle_space *space = i == U64MAP_NONE ? NULL : &t->idle->spaces[i];

	(void)path, (void)name;
	t->space = NULL;
	/* Threads that don't share the leader's files are listed once more, from the first mapping on. */
	if (!space || vma->start < space->last_end)
		return;
	space->last_end = vma->end;
	if (!(vma->flags & (VM_HUGETLB | VM_PFNMAP | VM_IO)))
		t->space = space;
}

static bool is_idle(uint64_t entry)
{
	return !(entry & PTE_BIT_ACCESSED);
}

static void table_entries(uint64_t addr, const uint64_t *entries, size_t n, void *arg)
{
	struct tables *t = arg;

	for (size_t i = 0; t->space && i < n; i++)
		if (pte_counted(entries[i]) &&
		    idle_pages_add(&t->space->pages, addr + i * IDLE_PAGE_BYTES, 1,
				   is_idle(entries[i])) < 0)
			t->error = -ENOMEM;
}

static void table_huge(uint64_t addr, uint64_t entry, uint64_t span_bytes, void *arg)
{
	struct tables *t = arg;
	uint64_t pages = span_bytes / IDLE_PAGE_BYTES;

	if (!t->space || !pte_counted(entry) ||
	    capture_is_huge_zero(t->idle->memoir, entry, pte_huge_frame(entry, pages)))
		return;
	if (idle_pages_add(&t->space->pages, addr, pages, is_idle(entry)) < 0)
		t->error = -ENOMEM;
}

static const struct walk_visitor table_visitor = {
	.vma = table_vma,
	.table = table_entries,
	.huge = table_huge,
};

/* List the address spaces; which scope the walk then needs. */
static int want_spaces(struct tables *t, struct walk *walk, enum walk_scope *ret_scope)
{
	struct memoir_idle *idle = t->idle;
	int err = 0;

	for (uint32_t i = 0; i < idle->space_count && !err; i++)
		if (idle->spaces[i].state == IDLE_WATCHED)
			err = u64map_set(&t->by_pid, (uint64_t)idle->spaces[i].pid, i);
	if (!err)
		err = walk_tasks(walk, table_task, t);
	if (err || t->error)
		return err ? err : t->error;
	walk_wanted_clear(walk);
	*ret_scope = WALK_LISTED_MMS;
	for (size_t i = 0; i < idle->space_count; i++)
		if (idle->spaces[i].mm && walk_wanted_add(walk, idle->spaces[i].mm) < 0)
			*ret_scope = WALK_ALL; /* more than there is room for */
	return 0;
}

static int walk_spaces(struct tables *t, struct walk *walk, enum walk_scope scope)
{
	const struct memoir_idle *idle = t->idle;

	/* Before 6.1 there is no walk of one process, and 6.1's stops at a leader that has exited. */
	if (idle->space_count == 1 &&
	    walk_vmas_of(walk, idle->spaces[0].pid, true, &table_visitor, t) == 0 &&
	    idle->spaces[0].last_end)
		return 0;
	return walk_vmas(walk, scope, true, &table_visitor, t);
}

int idle_read_tables(struct memoir_idle *idle)
{
	struct tables t = { .idle = idle };
	struct walk *walk = memoir_walk(idle->memoir, NULL);
	enum walk_scope scope;
	int err = walk ? want_spaces(&t, walk, &scope) : -EOPNOTSUPP;

	if (!err)
		err = walk_spaces(&t, walk, scope);
	for (size_t i = 0; i < idle->space_count && !err; i++) {
		struct idle_space *space = &idle->spaces[i];

		if (space->state != IDLE_WATCHED)
			continue;
		space->state = space->last_end && !is_gone(idle, space) ? IDLE_READ : IDLE_VANISHED;
		space->mm = space->last_end = 0;
	}
	u64map_free(&t.by_pid);
	u64map_free(&t.by_mm);
	return err ? err : t.error;
}

/* ---- pagemap -------------------------------------------------------------------------------- */

#define WORDS 4096u
#define RUNS 64
/* Sanitizers reserve terabytes: in mappings from this size on the kernel is asked first where anything is. */
#define SPARSE_BYTES (UINT64_C(1) << 30)

struct words {
	struct memoir_idle *idle;
	struct idle_space *space;
	int fd;
	uint64_t zero_frame;
	bool anonymous; /* the mapping: a file's page there is the huge zero page */
	uint64_t buffer[WORDS];
};

static int take_words(struct words *w, uint64_t page, uint64_t end)
{
	while (page < end) {
		uint64_t want = end - page < WORDS ? end - page : WORDS;
		ssize_t got = pagemap_read(w->fd, page, w->buffer, want);

		if (got <= 0)
			return got < 0 ? (int)got : -ESRCH;
		for (ssize_t i = 0; i < got; i++) {
			uint64_t word = w->buffer[i];

			if (!pagemap_present(word) || pagemap_frame(word) == w->zero_frame ||
			    (w->anonymous && word & PAGEMAP_BIT_FILE))
				continue;
			if (idle_pages_add(&w->space->pages, (page + (uint64_t)i) * IDLE_PAGE_BYTES,
					   1, !(word & PAGEMAP_BIT_SOFT_DIRTY)) < 0)
				return -ENOMEM;
		}
		page += (uint64_t)got;
	}
	return 0;
}

/* -EOPNOTSUPP: the kernel can't be asked. */
static int take_runs(struct words *w, uint64_t start, uint64_t end)
{
	struct pagemap_run runs[RUNS];

	while (start < end) {
		uint64_t walked = start;
		ssize_t got = pagemap_scan(w->fd, start, end, false, runs, RUNS, &walked);
		int err = 0;

		if (got < 0 || walked <= start)
			return -EOPNOTSUPP;
		for (ssize_t i = 0; i < got && !err; i++)
			err = take_words(w, runs[i].start / IDLE_PAGE_BYTES,
					 runs[i].end / IDLE_PAGE_BYTES);
		if (err)
			return err;
		start = walked;
	}
	return 0;
}

static int take_mapping(struct words *w, const struct maps_line *line)
{
	w->anonymous = !line->inode && strncmp(line->path, "[vdso", 5) != 0;
	if (line->end - line->start >= SPARSE_BYTES) {
		size_t before = w->space->pages.count;
		int err = take_runs(w, line->start, line->end);

		if (err != -EOPNOTSUPP || w->space->pages.count != before)
			return err;
	}
	return take_words(w, line->start / IDLE_PAGE_BYTES, line->end / IDLE_PAGE_BYTES);
}

static int read_words_of(struct words *w, struct kbuf *maps)
{
	const struct kroot *root = w->idle->memoir->root;
	struct maps_line line;
	char *text;
	int err = 0;

	w->fd = pagemap_open(root, w->space->pid);
	if (w->fd < 0)
		return w->fd;
	ssize_t len = process_text(root, w->space->pid, w->space->pid, PROCESS_MAPS, maps);

	if (len <= 0)
		err = len < 0 ? (int)len : -ESRCH;
	text = maps->data;
	while (!err && maps_next(&text, &line) > 0)
		if (!maps_is_gate(&line))
			err = take_mapping(w, &line);
	close(w->fd);
	return err;
}

/* ---- smaps ---------------------------------------------------------------------------------- */

static int read_smaps_of(struct memoir_idle *idle, struct idle_space *space, struct kbuf *smaps)
{
	struct smaps_figures figures;
	struct maps_line line;
	ssize_t len =
		process_text(idle->memoir->root, space->pid, space->pid, PROCESS_SMAPS, smaps);
	char *text = smaps->data;

	if (len <= 0)
		return len < 0 ? (int)len : -ESRCH;
	while (smaps_next(&text, &line, &figures) > 0) {
		struct idle_span *spans = grow(space->spans, &space->span_room,
					       space->span_count + 1, sizeof(*spans));

		if (!spans)
			return -ENOMEM;
		space->spans = spans;
		spans[space->span_count++] = (struct idle_span){
			.start = line.start,
			.end = line.end,
			.rss_bytes = figures.rss,
			.idle_bytes =
				figures.rss - (figures.referenced < figures.rss ? figures.referenced
										: figures.rss),
		};
	}
	return 0;
}

/* ---- one process after the other ------------------------------------------------------------ */

/* A process that may not be looked at, or is gone, is left out; -ENOMEM ends it all. */
static int settle(struct memoir_idle *idle, struct idle_space *space, int err)
{
	if (err == -ENOMEM)
		return err;
	if (!err)
		space->state = is_gone(idle, space) ? IDLE_VANISHED : IDLE_READ;
	else
		space->state = err == -EACCES || err == -EPERM ? IDLE_DENIED : IDLE_VANISHED;
	return 0;
}

int idle_read_words(struct memoir_idle *idle)
{
	struct words *w = malloc(sizeof(*w));
	struct kbuf maps = { 0 };
	int err = w ? 0 : -ENOMEM;

	if (w) {
		w->idle = idle;
		w->zero_frame = pagemap_zero_frame(idle->memoir->root);
	}
	for (size_t i = 0; i < idle->space_count && !err; i++) {
		if (idle->spaces[i].state != IDLE_WATCHED)
			continue;
		w->space = &idle->spaces[i];
		err = settle(idle, w->space, read_words_of(w, &maps));
	}
	kbuf_free(&maps);
	free(w);
	return err;
}

int idle_read_smaps(struct memoir_idle *idle)
{
	struct kbuf smaps = { 0 };
	int err = 0;

	for (size_t i = 0; i < idle->space_count && !err; i++)
		if (idle->spaces[i].state == IDLE_WATCHED)
			err = settle(idle, &idle->spaces[i],
				     read_smaps_of(idle, &idle->spaces[i], &smaps));
	kbuf_free(&smaps);
	return err;
}
