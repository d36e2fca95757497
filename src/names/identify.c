// SPDX-License-Identifier: MIT
/*
 * The table of rules, and what asks them. What a rule looks at stands in the file of its runtime.
 */
#include "names/identify.h"

#include <errno.h>
#include <string.h>

#include "names/identify_rules.h"

#define PROCESS_BYTES (64 * MIB)
#define WHOLE_BYTES (8 * MIB)
#define REGION_BYTES (256 * KIB)
#define READ_BYTES_MIN 256 /* a read counts as so much: short ones cost their number */

/* ---- programs ------------------------------------------------------------------------------- */

static const struct {
	uint32_t program;
	const char *names[4]; /* with * at the end: what begins so */
} program_files[] = {
	{ PROGRAM_PYTHON, { "python3*", "libpython3*" } },
	{ PROGRAM_JAVA, { "libjvm.so" } },
	{ PROGRAM_NODE, { "node", "nodejs", "libnode.so*" } },
	{ PROGRAM_JEMALLOC, { "libjemalloc.so*" } },
	{ PROGRAM_MIMALLOC, { "libmimalloc*" } },
};

/* The last part of a path, without the " (deleted)" of a file that an update has replaced. */
static bool file_name(const char *path, char *name, size_t room)
{
	static const char deleted[] = " (deleted)";
	const char *slash = strrchr(path, '/');
	size_t len = slash ? strlen(slash + 1) : 0, tail = sizeof(deleted) - 1;

	if (len > tail && strcmp(slash + 1 + len - tail, deleted) == 0)
		len -= tail;
	if (!len || len >= room)
		return false;
	memcpy(name, slash + 1, len);
	name[len] = '\0';
	return true;
}

static bool is_named(const char *name, const char *wanted)
{
	size_t len = strlen(wanted);

	return wanted[len - 1] == '*' ? strncmp(name, wanted, len - 1) == 0
				      : strcmp(name, wanted) == 0;
}

static uint32_t programs_of(const char *path)
{
	uint32_t programs = 0;
	char name[64];

	if (!file_name(path, name, sizeof(name)))
		return 0;
	for (size_t p = 0; p < sizeof(program_files) / sizeof(program_files[0]); p++)
		for (size_t g = 0; program_files[p].names[g]; g++)
			if (is_named(name, program_files[p].names[g]))
				programs |= program_files[p].program;
	return programs;
}

/* A file's regions come one after the other, mostly with the very same string. */
static void find_programs(struct identify_space *space)
{
	const char *last = NULL;

	for (size_t i = 0; i < space->count; i++) {
		const struct identify_region *region = &space->regions[i];

		space->all_executable |= region->form == IDENTIFY_OTHER &&
					 region->perms[1] == 'w' && region->perms[2] == 'x';
		if (region->form != IDENTIFY_FILE || !region->path || region->path == last)
			continue;
		last = region->path;
		space->programs |= programs_of(last);
	}
}

struct identify_region *identify_first_of(const struct identify_space *space, uint32_t program)
{
	for (size_t i = 0; i < space->count; i++) {
		struct identify_region *region = &space->regions[i];

		if (region->form == IDENTIFY_FILE && region->path &&
		    programs_of(region->path) & program)
			return region;
	}
	return NULL;
}

/* ---- what rules ask with -------------------------------------------------------------------- */

bool identify_read(struct identify_space *space, uint64_t addr, void *buf, size_t bytes)
{
	size_t charged = bytes < READ_BYTES_MIN ? READ_BYTES_MIN : bytes;

	if (charged > space->allowed_left || charged > space->bytes_left)
		return false;
	space->allowed_left -= charged;
	space->bytes_left -= charged;

	int err = space->read(space->arg, addr, buf, bytes);

	space->denied |= err == -EPERM || err == -EACCES;
	return err == 0;
}

struct identify_region *identify_at(const struct identify_space *space, uint64_t addr)
{
	size_t low = 0, high = space->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->regions[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < space->count && space->regions[low].start <= addr ? &space->regions[low]
								       : NULL;
}

void identify_mark(struct identify_region *region, enum identify_kind kind)
{
	if (region->kind == IDENTIFY_NOTHING &&
	    (region->form == IDENTIFY_ANON || region->form == IDENTIFY_DEVICE))
		region->kind = (uint8_t)kind;
}

/* ---- rules ---------------------------------------------------------------------------------- */

/*
 * A rule that looks at a process as a whole has `find`; one that looks at a region has `holds`, and is
 * asked for regions of its form that lie as it says. The first that holds tells.
 */
static const struct rule {
	enum identify_kind kind;
	enum identify_form form;
	uint32_t program; /* whose files have to be mapped; 0: what is in memory tells alone */
	uint32_t aligned; /* the region begins at a multiple of this, a power of two; 0: anywhere */
	bool above_guard; /* and right above a guard */
	bool (*holds)(struct identify_space *space, size_t i);
	void (*find)(struct identify_space *space);
} rules[] = {
	{ .program = PROGRAM_JAVA, .find = identify_java },
	{ .find = identify_go },
	{ .program = PROGRAM_JEMALLOC, .find = identify_jemalloc },
	{ .find = identify_musl },
	{ IDENTIFY_THREAD_STACK, IDENTIFY_ANON, .above_guard = true,
	  .holds = identify_thread_stack },
	{ IDENTIFY_THREAD_STACK, IDENTIFY_ANON, .above_guard = true, .holds = identify_musl_stack },
	{ IDENTIFY_GLIBC_ARENA, IDENTIFY_ANON, .aligned = GLIBC_HEAP_BYTES,
	  .holds = identify_glibc_arena },
	{ IDENTIFY_PYTHON_ARENA, IDENTIFY_ANON, PROGRAM_PYTHON, .holds = identify_python_arena },
	{ IDENTIFY_V8_HEAP, IDENTIFY_ANON, PROGRAM_NODE, V8_PAGE_BYTES, .holds = identify_v8_heap },
	{ IDENTIFY_MIMALLOC, IDENTIFY_ANON, PROGRAM_MIMALLOC, MI_SEGMENT_BYTES,
	  .holds = identify_mimalloc },
	{ IDENTIFY_JIT, IDENTIFY_ANON, .holds = identify_jit },
	{ IDENTIFY_IO_URING, IDENTIFY_DEVICE, .holds = identify_io_uring },
	{ IDENTIFY_PERF, IDENTIFY_DEVICE, .holds = identify_perf },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static bool may_ask(const struct identify_space *space, const struct rule *rule)
{
	return !rule->program || space->programs & rule->program;
}

static bool is_above_guard(const struct identify_space *space, size_t i)
{
	const struct identify_region *region = &space->regions[i], *guard = region - 1;

	return i > 0 && guard->form == IDENTIFY_GUARD && guard->end == region->start;
}

static bool lies_as(const struct identify_region *region, bool above_guard, const struct rule *rule)
{
	return (above_guard || !rule->above_guard) &&
	       !(rule->aligned && region->start & (rule->aligned - 1));
}

/* Regions are many: of each form only those rules are looked at that may be asked in this process. */
static void ask_of_regions(struct identify_space *space, enum identify_form form)
{
	const struct rule *asked[RULES];
	size_t count = 0;

	for (size_t r = 0; r < RULES; r++)
		if (rules[r].holds && rules[r].form == form && may_ask(space, &rules[r]))
			asked[count++] = &rules[r];
	for (size_t i = 0; i < space->count; i++) {
		struct identify_region *region = &space->regions[i];

		if (region->form != form)
			continue;
		bool above_guard = is_above_guard(space, i);

		space->allowed_left = REGION_BYTES;
		for (size_t r = 0; r < count && region->kind == IDENTIFY_NOTHING; r++)
			if (lies_as(region, above_guard, asked[r]) && asked[r]->holds(space, i))
				identify_mark(region, asked[r]->kind);
	}
}

void identify(struct identify_space *space)
{
	space->bytes_left = PROCESS_BYTES;
	find_programs(space);
	for (size_t r = 0; r < RULES; r++) {
		space->allowed_left = WHOLE_BYTES;
		if (rules[r].find && may_ask(space, &rules[r]))
			rules[r].find(space);
	}
	/* These first: they are few, and memory that is read before must not use up what a process may cost. */
	ask_of_regions(space, IDENTIFY_DEVICE);
	ask_of_regions(space, IDENTIFY_ANON);
}
