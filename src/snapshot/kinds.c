// SPDX-License-Identifier: MIT
/*
 * Shows processes to the rules that recognise memory, and takes in what they find. What a process had in
 * memory is looked at once its pages are counted, so looking changes no figure.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/own_memory.h"
#include "kernel/peek.h"
#include "names/identify.h"
#include "snapshot/capture.h"

static const uint8_t kinds[IDENTIFY_KINDS] = {
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

	if (!look->tried) {
		look->tried = true;
		look->error = peek_open(look->c->memoir->root,
					look->c->snap->processes[look->process].pid,
					(pid_t)look->c->notes[look->process].tid, &look->peek);
	}
	return look->error ? look->error : peek_read(&look->peek, addr, buf, bytes);
}

static enum identify_form form_of(const struct memoir_region *region)
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

static void show(struct identify_region *shown, const struct memoir_region *regions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		shown[i] = (struct identify_region){
			.start = regions[i].start,
			.end = regions[i].end,
			.path = regions[i].path,
			.form = (uint8_t)form_of(&regions[i]),
		};
		memcpy(shown[i].perms, regions[i].perms, sizeof(shown[i].perms));
	}
}

static void take(struct memoir_region *regions, const struct identify_region *shown, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (shown[i].kind != IDENTIFY_NOTHING)
			regions[i].kind = kinds[shown[i].kind];
}

/* Whether it may not be looked at, though a rule wanted to. */
static bool look_at_process(struct capture *c, uint32_t process, struct identify_region *shown)
{
	const struct memoir_process *p = &c->snap->processes[process];
	struct memoir_region *regions = &c->snap->regions[p->first_region];
	struct look look = { .c = c, .process = process };
	struct identify_space space = {
		.regions = shown,
		.count = p->region_count,
		.read = look_at,
		.arg = &look,
	};

	show(shown, regions, p->region_count);
	identify(&space);
	take(regions, shown, p->region_count);
	if (look.tried && !look.error)
		peek_close(&look.peek);
	return space.denied;
}

static bool is_shown(const struct memoir_process *process)
{
	return process->in_scope && process->readable && process->region_count;
}

static int look_at_all(struct capture *c, size_t *denied)
{
	const struct memoir_snapshot *s = c->snap;
	struct identify_region *shown;
	size_t most = 0;

	for (uint32_t i = 0; i < s->process_count; i++)
		if (is_shown(&s->processes[i]) && s->processes[i].region_count > most)
			most = s->processes[i].region_count;
	shown = own_memory_array(most * sizeof(*shown));
	if (!shown && most)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->process_count; i++)
		if (is_shown(&s->processes[i]))
			*denied += look_at_process(c, i, shown);
	free(shown);
	return 0;
}

int capture_kinds(struct capture *c)
{
	size_t denied = 0;
	int err;

	if (c->options.without_kinds || !kroot_is_live(c->memoir->root))
		return 0;
	err = look_at_all(c, &denied);
	if (err || !denied)
		return err;
	return snapshot_note(c->snap,
			     "what is in the memory of %zu process%s could not be looked at "
			     "to tell its kind: run memoir as root or with CAP_SYS_PTRACE",
			     denied, denied == 1 ? "" : "es");
}
