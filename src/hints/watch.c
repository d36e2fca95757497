// SPDX-License-Identifier: MIT
/*
 * Reads which pages of the watched processes are there, and which of them carry a mark. Changes nothing.
 */
#include "hints/watch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analysis/meant.h"

#include "base/grow.h"
#include "kernel/maps.h"
#include "kernel/pagemap.h"
#include "kernel/process.h"
#include "kernel/pte.h"

/* ---- who is watched -------------------------------------------------------------------------- */

uint64_t watch_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int watch_note(struct watch *watch, bool partial, const char *format, ...)
{
	char **notes = grow(watch->notes, &watch->note_room, watch->note_count + 1, sizeof(*notes));
	va_list args;

	if (!notes)
		return -ENOMEM;
	watch->notes = notes;
	va_start(args, format);
	int len = vasprintf(&notes[watch->note_count], format, args);

	va_end(args);
	if (len < 0)
		return -ENOMEM;
	watch->note_count++;
	watch->partial |= partial;
	return 0;
}

int watch_list(struct watch *watch, const struct memoir_snapshot *snapshot,
	       const struct memoir_selection *selection)
{
	uint8_t *meant = meant_processes(snapshot, selection);

	watch->spaces = calloc(snapshot->process_count + 1, sizeof(*watch->spaces));
	for (size_t i = 0; meant && watch->spaces && i < snapshot->process_count; i++)
		if (meant[i] != MEANT_NOT)
			watch->spaces[watch->count++] = (struct watch_space){
				.pid = snapshot->processes[i].pid,
				.start_ticks = snapshot->processes[i].start_ticks,
				.stack_start = process_stack_start(
					watch->memoir->root, snapshot->processes[i].pid,
					snapshot->processes[i].start_ticks),
				.begun_ns = watch_now_ns(),
			};
	int err = meant && watch->spaces ? 0 : -ENOMEM;

	free(meant);
	return err;
}

const struct watch_space *watch_find(const struct watch *watch, pid_t pid)
{
	for (size_t i = 0; i < watch->count; i++)
		if (watch->spaces[i].pid == pid)
			return watch->spaces[i].state == WATCH_READ ? &watch->spaces[i] : NULL;
	return NULL;
}

int watch_note_denied(struct watch *watch)
{
	size_t denied = 0;

	for (size_t i = 0; i < watch->count; i++)
		denied += watch->spaces[i].state == WATCH_DENIED;
	if (!denied)
		return 0;
	return watch_note(watch, true,
			  "%zu process%s could not be read: this needs the right to ptrace them "
			  "(CAP_SYS_PTRACE, or their own user)",
			  denied, denied == 1 ? "" : "es");
}

void watch_go_on(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		struct watch_space *space = &watch->spaces[i];

		page_bits_free(&space->before);
		space->before = space->pages;
		space->pages = (struct page_bits){ 0 };
		if (space->state == WATCH_READ)
			space->state = WATCH_GOES_ON;
	}
}

void watch_free(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		page_bits_free(&watch->spaces[i].before);
		page_bits_free(&watch->spaces[i].pages);
		free(watch->spaces[i].spans);
	}
	for (size_t i = 0; i < watch->note_count; i++)
		free(watch->notes[i]);
	free(watch->notes);
	free(watch->spaces);
	*watch = (struct watch){ 0 };
}

/* The process that was watched is gone; its pid may be another's by now. */
static bool is_gone(const struct watch *watch, const struct watch_space *space)
{
	struct process_stat stat;

	return process_stat(watch->memoir->root, space->pid, &stat) < 0 ||
	       !process_is_same(&stat, space->start_ticks, space->stack_start) || stat.state == 'Z';
}

/* ---- page tables ---------------------------------------------------------------------------- */

struct tables {
	struct watch *watch;
	struct u64map by_pid, by_mm;
	struct watch_space *space; /* whose tables come now, or NULL */
	enum watch_mark mark;
	int error;
};

bool watch_tables_work(struct memoir *memoir)
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
	t->watch->spaces[i].mm = task->mm;
	if (u64map_set(&t->by_mm, task->mm, i) < 0)
		t->error = -ENOMEM;
}

static void table_vma(const struct walk_vma *vma, const struct walk_object *object,
		      const char *path, const char *name, void *arg)
{
	struct tables *t = arg;
	uint32_t i = u64map_get(&t->by_mm, vma->mm);
	struct watch_space *space = i == U64MAP_NONE ? NULL : &t->watch->spaces[i];

	(void)object, (void)path, (void)name;
	t->space = NULL;
	/* Threads that don't share the leader's files are listed once more, from the first mapping on. */
	if (!space || vma->start < space->last_end)
		return;
	space->last_end = vma->end;
	if (!(vma->flags & (VM_HUGETLB | VM_PFNMAP | VM_IO)))
		t->space = space;
}

/* Take in pages that one entry stands for. */
static void take_entry(struct tables *t, uint64_t addr, uint64_t entry, uint64_t pages)
{
	bool resident = pte_counted(entry), moving = pte_migrating(entry);
	bool marked = t->mark == WATCH_SWAPPED ? pte_swapped(entry)
					       : resident && !(entry & PTE_BIT_ACCESSED);

	if (!resident && !moving && !marked)
		return;
	if (page_bits_add(&t->space->pages, addr, pages, marked) < 0)
		t->error = -ENOMEM;
}

static void table_entries(uint64_t addr, const uint64_t *entries, size_t n, void *arg)
{
	struct tables *t = arg;

	for (size_t i = 0; t->space && i < n; i++)
		if (entries[i])
			take_entry(t, addr + i * BITS_PAGE_BYTES, entries[i], 1);
}

static void table_huge(uint64_t addr, uint64_t entry, uint64_t span_bytes, void *arg)
{
	struct tables *t = arg;
	uint64_t pages = span_bytes / BITS_PAGE_BYTES;

	if (t->space && !(pte_counted(entry) && capture_is_huge_zero(t->watch->memoir, entry,
								     pte_huge_frame(entry, pages))))
		take_entry(t, addr, entry, pages);
}

static const struct walk_visitor table_visitor = {
	.vma = table_vma,
	.table = table_entries,
	.huge = table_huge,
	.few_paths = true,
};

/* List the address spaces; which scope the walk then needs. */
static int want_spaces(struct tables *t, struct walk *walk, enum walk_scope *ret_scope)
{
	struct watch *watch = t->watch;
	int err = 0;

	for (uint32_t i = 0; i < watch->count && !err; i++)
		if (watch->spaces[i].state == WATCH_GOES_ON)
			err = u64map_set(&t->by_pid, (uint64_t)watch->spaces[i].pid, i);
	if (!err)
		err = walk_tasks(walk, table_task, t);
	if (err || t->error)
		return err ? err : t->error;
	walk_wanted_clear(walk);
	*ret_scope = WALK_LISTED_MMS;
	for (size_t i = 0; i < watch->count; i++)
		if (watch->spaces[i].mm && walk_wanted_add(walk, watch->spaces[i].mm) < 0)
			*ret_scope = WALK_ALL; /* more than there is room for */
	return 0;
}

static int walk_spaces(struct tables *t, struct walk *walk, enum walk_scope scope)
{
	const struct watch *watch = t->watch;

	/* Before 6.1 there is no walk of one process, and 6.1's stops at a leader that has exited. */
	if (watch->count == 1 &&
	    walk_vmas_of(walk, watch->spaces[0].pid, true, &table_visitor, t) == 0 &&
	    watch->spaces[0].last_end)
		return 0;
	return walk_vmas(walk, scope, true, &table_visitor, t);
}

int watch_read_tables(struct watch *watch, enum watch_mark mark)
{
	struct tables t = { .watch = watch, .mark = mark };
	struct walk *walk = memoir_walk(watch->memoir, NULL);
	enum walk_scope scope;
	int err = walk ? want_spaces(&t, walk, &scope) : -EOPNOTSUPP;

	if (!err)
		err = walk_spaces(&t, walk, scope);
	for (size_t i = 0; i < watch->count && !err; i++) {
		struct watch_space *space = &watch->spaces[i];

		if (space->state != WATCH_GOES_ON)
			continue;
		space->state =
			space->last_end && !is_gone(watch, space) ? WATCH_READ : WATCH_VANISHED;
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
	struct watch *watch;
	struct watch_space *space;
	int fd;
	uint64_t zero_frame;
	bool anonymous; /* the mapping: a file's page there is the huge zero page */
	enum watch_mark mark;
	uint64_t buffer[WORDS];
};

static int take_word(struct words *w, uint64_t addr, uint64_t word)
{
	bool resident = pagemap_present(word) && pagemap_frame(word) != w->zero_frame &&
			!(w->anonymous && word & PAGEMAP_BIT_FILE);
	bool marked = w->mark == WATCH_SWAPPED ? pagemap_swapped(word)
					       : resident && !(word & PAGEMAP_BIT_SOFT_DIRTY);

	if (!resident && !pagemap_migrating(word) && !marked)
		return 0;
	return page_bits_add(&w->space->pages, addr, 1, marked);
}

static int take_words(struct words *w, uint64_t page, uint64_t end)
{
	while (page < end) {
		uint64_t want = end - page < WORDS ? end - page : WORDS;
		ssize_t got = pagemap_read(w->fd, page, w->buffer, want);
		int err = got <= 0 ? (got < 0 ? (int)got : -ESRCH) : 0;

		for (ssize_t i = 0; i < got && !err; i++)
			err = take_word(w, (page + (uint64_t)i) * BITS_PAGE_BYTES, w->buffer[i]);
		if (err)
			return err;
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
			err = take_words(w, runs[i].start / BITS_PAGE_BYTES,
					 runs[i].end / BITS_PAGE_BYTES);
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
	return take_words(w, line->start / BITS_PAGE_BYTES, line->end / BITS_PAGE_BYTES);
}

static int read_words_of(struct words *w, struct kbuf *maps)
{
	const struct kroot *root = w->watch->memoir->root;
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

static int read_smaps_of(struct watch *watch, struct watch_space *space, struct kbuf *smaps)
{
	struct smaps_figures figures;
	struct maps_line line;
	ssize_t len =
		process_text(watch->memoir->root, space->pid, space->pid, PROCESS_SMAPS, smaps);
	char *text = smaps->data;

	if (len <= 0)
		return len < 0 ? (int)len : -ESRCH;
	while (smaps_next(&text, &line, &figures) > 0) {
		struct watch_span *spans = grow(space->spans, &space->span_room,
						space->span_count + 1, sizeof(*spans));

		if (!spans)
			return -ENOMEM;
		space->spans = spans;
		spans[space->span_count++] = (struct watch_span){
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
static int settle(struct watch *watch, struct watch_space *space, int err)
{
	if (err == -ENOMEM)
		return err;
	if (!err)
		space->state = is_gone(watch, space) ? WATCH_VANISHED : WATCH_READ;
	else
		space->state = err == -EACCES || err == -EPERM ? WATCH_DENIED : WATCH_VANISHED;
	return 0;
}

int watch_read_words(struct watch *watch, enum watch_mark mark)
{
	struct words *w = malloc(sizeof(*w));
	struct kbuf maps = { 0 };
	int err = w ? 0 : -ENOMEM;

	if (w) {
		w->watch = watch;
		w->mark = mark;
		w->zero_frame = pagemap_zero_frame(watch->memoir->root);
	}
	for (size_t i = 0; i < watch->count && !err; i++) {
		if (watch->spaces[i].state != WATCH_GOES_ON)
			continue;
		w->space = &watch->spaces[i];
		err = settle(watch, w->space, read_words_of(w, &maps));
	}
	kbuf_free(&maps);
	free(w);
	return err;
}

int watch_read_smaps(struct watch *watch)
{
	struct kbuf smaps = { 0 };
	int err = 0;

	for (size_t i = 0; i < watch->count && !err; i++)
		if (watch->spaces[i].state == WATCH_GOES_ON)
			err = settle(watch, &watch->spaces[i],
				     read_smaps_of(watch, &watch->spaces[i], &smaps));
	kbuf_free(&smaps);
	return err;
}

int watch_read_pages(struct watch *watch, enum watch_mark mark)
{
	return watch_tables_work(watch->memoir) ? watch_read_tables(watch, mark)
						: watch_read_words(watch, mark);
}
