// SPDX-License-Identifier: MIT
/*
 * Shows processes to the rules that recognise memory, and takes in what they find. What a process had in
 * memory is looked at once its pages are counted, so looking changes no figure; and meanwhile figures are made.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/crew.h"
#include "kernel/own_memory.h"
#include "kernel/peek.h"
#include "names/identify.h"
#include "snapshot/capture.h"

static const uint8_t kind_found[IDENTIFY_KINDS] = {
	[IDENTIFY_THREAD_STACK] = MEMOIR_KIND_THREAD_STACK,
	[IDENTIFY_GLIBC_ARENA] = MEMOIR_KIND_GLIBC_ARENA,
	[IDENTIFY_PYTHON_ARENA] = MEMOIR_KIND_PYTHON_ARENA,
	[IDENTIFY_JAVA_HEAP] = MEMOIR_KIND_JAVA_HEAP,
	[IDENTIFY_JAVA_METASPACE] = MEMOIR_KIND_JAVA_METASPACE,
	[IDENTIFY_JAVA_CODE] = MEMOIR_KIND_JAVA_CODE,
	[IDENTIFY_V8_HEAP] = MEMOIR_KIND_V8_HEAP,
	[IDENTIFY_GO_HEAP] = MEMOIR_KIND_GO_HEAP,
	[IDENTIFY_JEMALLOC] = MEMOIR_KIND_JEMALLOC,
	[IDENTIFY_MIMALLOC] = MEMOIR_KIND_MIMALLOC,
	[IDENTIFY_MUSL] = MEMOIR_KIND_MUSL_HEAP,
	[IDENTIFY_JIT] = MEMOIR_KIND_JIT,
	[IDENTIFY_IO_URING] = MEMOIR_KIND_IO_URING,
	[IDENTIFY_PERF] = MEMOIR_KIND_PERF,
};

/* What rules see is copied: they need a third of a region. Nothing is read that changes while figures are made. */
struct kinds {
	const struct capture *c;
	struct identify_region
		*shown; /* by region; those of processes not asked for are not filled in */
	size_t denied;  /* processes that may not be looked at, though a rule wanted to */
	bool is_threaded;
	pthread_t thread;
};

/* Below this a thread costs more than it saves. */
#define MANY_REGIONS 4096u

/* A process's memory, opened at the first look. */
struct look {
	const struct capture *c;
	uint32_t process;
	struct peek peek;
	bool tried;
	int error;
};

static int look_at(void *arg, uint64_t addr, void *buf, size_t bytes)
{
	struct look *look = arg;
	const struct process_note *note = &look->c->notes[look->process];

	if (!look->tried) {
		look->tried = true;
		look->error = peek_open(look->c->memoir->root, note->tgid, note->tid, &look->peek);
	}
	return look->error ? look->error : peek_read(&look->peek, addr, buf, bytes);
}

static enum identify_form form_of(const struct region *region)
{
	switch (region->kind) {
	case MEMOIR_KIND_ANON:
		return IDENTIFY_ANON;
	case MEMOIR_KIND_GUARD:
		return IDENTIFY_GUARD;
	case MEMOIR_KIND_DEVICE:
		return IDENTIFY_DEVICE;
	case MEMOIR_KIND_FILE:
		return IDENTIFY_FILE;
	default:
		return IDENTIFY_OTHER;
	}
}

static void show(struct identify_region *shown, const struct region *regions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		shown[i] = (struct identify_region){
			.start = regions[i].start,
			.end = regions[i].end,
			.path = regions[i].path,
			.form = (uint8_t)form_of(&regions[i]),
		};
		set_perms(shown[i].perms, regions[i].flags);
	}
}

static void take(struct region *regions, const struct identify_region *shown, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (shown[i].kind != IDENTIFY_NOTHING)
			regions[i].kind = kind_found[shown[i].kind];
}

static bool is_shown(const struct memoir_process *process)
{
	return process->in_scope && process->readable && process->region_count;
}

/* Whether it may not be looked at, though a rule wanted to. */
static bool look_at_process(const struct kinds *kinds, uint32_t process)
{
	const struct memoir_process *p = &kinds->c->snap->processes[process];
	const struct region *regions = capture_region(kinds->c, p->first_region);
	struct look look = { .c = kinds->c, .process = process };
	struct identify_space space = {
		.regions = kinds->shown + p->first_region,
		.count = p->region_count,
		.read = look_at,
		.arg = &look,
	};

	show(space.regions, regions, p->region_count);
	identify(&space);
	if (look.tried && !look.error)
		peek_close(&look.peek);
	return space.denied;
}

static void *look_at_all(void *arg)
{
	struct kinds *kinds = arg;
	const struct memoir_snapshot *s = kinds->c->snap;

	for (uint32_t i = 0; i < s->process_count; i++)
		if (is_shown(&s->processes[i]))
			kinds->denied += look_at_process(kinds, i);
	return NULL;
}

int capture_kinds_begin(struct capture *c)
{
	const struct memoir_snapshot *s = c->snap;
	struct kinds *kinds;

	if (c->options.without_kinds || !kroot_is_live(c->memoir->root) || !s->captured.count)
		return 0;
	kinds = c->kinds = calloc(1, sizeof(*kinds));
	if (!kinds)
		return -ENOMEM;
	kinds->c = c;
	kinds->shown = own_memory_array(s->captured.count * sizeof(*kinds->shown));
	if (!kinds->shown)
		return -ENOMEM;
	kinds->is_threaded = s->captured.count >= MANY_REGIONS &&
			     crew_thread(&kinds->thread, look_at_all, kinds) == 0;
	if (!kinds->is_threaded)
		look_at_all(kinds);
	return 0;
}

/* Back when nobody looks any more. */
static void stop_looking(struct kinds *kinds)
{
	if (kinds->is_threaded)
		pthread_join(kinds->thread, NULL);
	kinds->is_threaded = false;
}

int capture_kinds_end(struct capture *c)
{
	struct kinds *kinds = c->kinds;

	if (!kinds)
		return 0;
	stop_looking(kinds);
	for (size_t i = 0; i < c->snap->process_count; i++) {
		const struct memoir_process *p = &c->snap->processes[i];

		if (is_shown(p))
			take(capture_region(c, p->first_region), kinds->shown + p->first_region,
			     p->region_count);
	}
	if (!kinds->denied)
		return 0;
	return snapshot_note(c->snap,
			     "what is in the memory of %zu process%s could not be looked at "
			     "to tell its kind: run memoir as root or with CAP_SYS_PTRACE",
			     kinds->denied, kinds->denied == 1 ? "" : "es");
}

void capture_kinds_free(struct capture *c)
{
	if (!c->kinds)
		return;
	stop_looking(c->kinds);
	free(c->kinds->shown);
	free(c->kinds);
}
