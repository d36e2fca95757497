// SPDX-License-Identifier: MIT
/*
 * What can be asked of "who maps it", and the answers of a snapshot; pages of the running machine are asked
 * by src/snapshot/who.c.
 */
#include <memoir/select.h>
#include <memoir/who.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/who_answer.h"

#define PAGE_BYTES 4096ull

/* ---- targets -------------------------------------------------------------------------------- */

static int parse_number(const char *text, int base, uint64_t *ret_number)
{
	char *end;

	if (!isxdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	unsigned long long number = strtoull(text, &end, base);

	if (errno || *end)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int parse_frame(const char *text, struct memoir_target *target, struct memoir_error *error)
{
	const char *number = text + strlen("pfn:");
	int base = strncmp(number, "0x", 2) == 0 ? 16 : 10;

	target->kind = MEMOIR_TARGET_FRAME;
	if (parse_number(number, base, &target->frame) < 0)
		return error_set(error, -EINVAL,
				 "'%s' has no frame number: write pfn:N, or pfn:0xN", text);
	return 0;
}

static int parse_page(const char *text, struct memoir_target *target, struct memoir_error *error)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t pid = strtoull(text, NULL, 10);
	const char *address = text + digits + 1;

	target->kind = MEMOIR_TARGET_PAGE;
	if (!digits || text[digits] != ':')
		return error_set(error, -EINVAL,
				 "'%s' is nothing that can be asked about: write PID:ADDR, pfn:N, "
				 "name:GLOB, object:ID, or a path with a slash in it",
				 text);
	if (pid == 0 || pid > INT_MAX)
		return error_set(error, -EINVAL, "'%s' does not begin with a pid", text);
	target->pid = (pid_t)pid;
	if (parse_number(address, 16, &target->address) < 0)
		return error_set(error, -EINVAL,
				 "'%s' has no address behind the pid: write PID:ADDR, hexadecimal "
				 "as /proc/PID/maps has it",
				 text);
	return 0;
}

static int parse_text(const char *text, size_t prefix, enum memoir_target_kind kind,
		      struct memoir_target *target, struct memoir_error *error)
{
	target->kind = kind;
	target->text = text + prefix;
	return *target->text ? 0
			     : error_set(error, -EINVAL, "'%s' has nothing behind the colon", text);
}

int memoir_target_parse(const char *text, struct memoir_target *ret_target,
			struct memoir_error *error)
{
	struct memoir_target target = { 0 };
	int err;

	if (strncmp(text, "pfn:", 4) == 0)
		err = parse_frame(text, &target, error);
	else if (strncmp(text, "name:", 5) == 0)
		err = parse_text(text, 5, MEMOIR_TARGET_NAME, &target, error);
	else if (strncmp(text, "object:", 7) == 0)
		err = parse_text(text, 7, MEMOIR_TARGET_OBJECT, &target, error);
	else if (strchr(text, '/'))
		err = parse_text(text, 0, MEMOIR_TARGET_PATH, &target, error);
	else
		err = parse_page(text, &target, error);
	if (!err)
		*ret_target = target;
	return err;
}

bool memoir_target_is_page(const struct memoir_target *target)
{
	return target->kind == MEMOIR_TARGET_PAGE || target->kind == MEMOIR_TARGET_FRAME;
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct question {
	const struct memoir_snapshot *snapshot;
	struct who_answer *answer;
	uint32_t *relatives; /* by object: how many regions a family has */
	struct memoir_selection *selection;
	const char *path;
	const struct memoir_region *asked; /* PID:ADDR */
	uint64_t index;                    /* of the page in the asked region's object */
};

static const char *keep(struct question *q, const char *string, int *err)
{
	const char *kept = who_string(q->answer, string);

	if (string && !kept)
		*err = -ENOMEM;
	return kept;
}

static bool is_family_shared(const struct question *q, const struct memoir_region *region)
{
	return memoir_snapshot_object(q->snapshot, region->family) &&
	       q->relatives[region->family] > 1;
}

static enum memoir_how how_of(const struct question *q, const struct memoir_region *region)
{
	if (region->kind == MEMOIR_KIND_VDSO || region->kind == MEMOIR_KIND_SPECIAL)
		return MEMOIR_HOW_KERNEL;
	if (region->object != MEMOIR_NONE)
		return region->perms[3] == 's' ? MEMOIR_HOW_SHARED : MEMOIR_HOW_PRIVATE;
	if (region->family != MEMOIR_NONE)
		return is_family_shared(q, region) ? MEMOIR_HOW_FORK : MEMOIR_HOW_OWN;
	/* Without a family it never had a page, or the method of capture tells of none. */
	if (region->figures.known & (1u << MEMOIR_SHARED) &&
	    region->figures.bytes[MEMOIR_SHARED] == 0)
		return MEMOIR_HOW_OWN;
	return MEMOIR_HOW_UNKNOWN;
}

static int add_row(struct question *q, const struct memoir_region *region, enum memoir_how how,
		   uint64_t address)
{
	const struct memoir_process *process =
		memoir_snapshot_process(q->snapshot, region->process);
	const struct memoir_object *object = memoir_snapshot_object(q->snapshot, region->object);
	struct memoir_who_row *row = process ? who_add_row(q->answer) : NULL;
	int err = 0;

	if (!row)
		return process ? -ENOMEM : 0;
	row->pid = process->pid;
	row->start_ticks = process->start_ticks;
	row->comm = keep(q, process->comm, &err);
	row->start = region->start;
	row->end = region->end;
	row->address = address;
	memcpy(row->perms, region->perms, sizeof(row->perms));
	row->how = (uint8_t)how;
	row->name = keep(q, region->name, &err);
	row->name_source = region->name_source;
	row->path = keep(q, region->path, &err);
	row->tag = keep(q, object ? object->tag : NULL, &err);
	row->figures = region->figures;
	return err;
}

static int each_region(struct question *q,
		       int (*visit)(struct question *q, const struct memoir_region *region))
{
	size_t count = memoir_snapshot_region_count(q->snapshot);
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = visit(q, memoir_snapshot_region(q->snapshot, i));
	return err;
}

/* ---- paths, names, objects ------------------------------------------------------------------ */

/* The path of a file that has been deleted is followed by that in maps. */
static bool same_path(const char *path, const char *wanted)
{
	size_t len = strlen(wanted);

	return path && strncmp(path, wanted, len) == 0 &&
	       (!path[len] || strcmp(path + len, " (deleted)") == 0);
}

static int visit_path(struct question *q, const struct memoir_region *region)
{
	const struct memoir_object *object = memoir_snapshot_object(q->snapshot, region->object);

	if (!same_path(region->path, q->path) && !(object && same_path(object->path, q->path)))
		return 0;
	return add_row(q, region, how_of(q, region), 0);
}

static int visit_selected(struct question *q, const struct memoir_region *region)
{
	if (!memoir_selection_matches_region(q->selection, q->snapshot, region))
		return 0;
	return add_row(q, region, how_of(q, region), 0);
}

static int answer_selection(struct question *q, const char *key, const char *text,
			    struct memoir_error *error)
{
	char *selector;
	int err;

	if (asprintf(&selector, "%s:%s", key, text) < 0)
		return -ENOMEM;
	err = memoir_selection_parse((const char *const *)&selector, 1, &q->selection, error);
	if (!err)
		err = each_region(q, visit_selected);
	memoir_selection_free(q->selection);
	free(selector);
	return err;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static const struct memoir_region *find_region(const struct memoir_snapshot *snapshot,
					       const struct memoir_process *process,
					       uint64_t address)
{
	for (uint32_t i = 0; i < process->region_count; i++) {
		const struct memoir_region *region =
			memoir_snapshot_region(snapshot, (size_t)process->first_region + i);

		if (region && region->start <= address && address < region->end)
			return region;
	}
	return NULL;
}

/* Those that map the same part of the object, and those of the family. */
static int visit_page(struct question *q, const struct memoir_region *region)
{
	const struct memoir_region *asked = q->asked;
	uint64_t address;

	if (region == asked)
		return 0;
	if (asked->object != MEMOIR_NONE && region->object == asked->object &&
	    who_address_of(region->start, region->end, region->offset_bytes / PAGE_BYTES, q->index,
			   &address))
		return add_row(q, region, how_of(q, region), address);
	if (asked->family != MEMOIR_NONE && region->family == asked->family)
		return add_row(q, region, MEMOIR_HOW_FORK, 0);
	return 0;
}

static int add_set(struct question *q, uint32_t index, const struct memoir_set *set)
{
	struct memoir_who_set *added = who_add_set(q->answer);

	if (!added)
		return -ENOMEM;
	*added = (struct memoir_who_set){
		.set = index,
		.members = set->members,
		.of_object = set->of_object,
		.ram_bytes = set->ram_bytes,
		.swap_bytes = set->swap_bytes,
	};
	return 0;
}

/* A parent stands before its children, and who is in the parent is in them. */
static int add_sets(struct question *q, uint32_t region)
{
	size_t count = memoir_snapshot_set_count(q->snapshot);
	bool *in = calloc(count + 1, sizeof(*in));
	int err = 0;

	if (!in)
		return -ENOMEM;
	if (!memoir_snapshot_sets_known(q->snapshot))
		err = who_note(q->answer, false, "the snapshot was taken without sharing sets");
	for (size_t i = 0; i < count && !err; i++) {
		const struct memoir_set *set = memoir_snapshot_set(q->snapshot, i);

		in[i] = set->region == region || (set->parent < i && in[set->parent]);
		if (in[i] && (set->ram_bytes || set->swap_bytes))
			err = add_set(q, (uint32_t)i, set);
	}
	free(in);
	return err;
}

static bool in_family(pid_t pid, void *arg)
{
	const struct question *q = arg;

	for (size_t i = 0; i < q->answer->pub.row_count; i++)
		if (q->answer->rows[i].pid == pid)
			return true;
	return false;
}

static pid_t parent_of(pid_t pid, void *arg)
{
	const struct question *q = arg;
	const struct memoir_process *process = memoir_snapshot_find_pid(q->snapshot, pid);

	return process && process->ppid != pid ? process->ppid : 0;
}

static int add_ancestor(struct question *q)
{
	const struct memoir_who *who = &q->answer->pub;
	pid_t *members = calloc(who->row_count + 1, sizeof(*members));
	struct memoir_page *page = &q->answer->pub.page;
	int err = 0;

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < who->row_count; i++)
		members[i] = q->answer->rows[i].pid;
	page->ancestor = who_common_ancestor(members, who->row_count, in_family, parent_of, q);
	free(members);
	if (page->ancestor)
		page->ancestor_comm =
			keep(q, memoir_snapshot_find_pid(q->snapshot, page->ancestor)->comm, &err);
	return err;
}

static int answer_page(struct question *q, const struct memoir_target *target,
		       struct memoir_error *error)
{
	const struct memoir_process *process = memoir_snapshot_find_pid(q->snapshot, target->pid);
	uint64_t address = target->address & ~(PAGE_BYTES - 1);

	if (!process)
		return error_set_about(error, -ESRCH, target->pid, NULL,
				       "the snapshot has no process %d", (int)target->pid);
	q->asked = find_region(q->snapshot, process, address);
	if (!q->asked)
		return error_set_about(
			error, -EFAULT, target->pid, NULL,
			"pid %d has nothing mapped at %llx in the snapshot; `memoir map %d` lists "
			"what it has",
			(int)target->pid, (unsigned long long)address, (int)target->pid);
	q->index = (q->asked->offset_bytes + (address - q->asked->start)) / PAGE_BYTES;
	int err = add_row(q, q->asked, how_of(q, q->asked), address);

	if (!err)
		err = each_region(q, visit_page);
	if (!err && q->asked->object == MEMOIR_NONE && q->answer->pub.row_count > 1)
		err = add_ancestor(q);
	if (!err)
		err = add_sets(q, (uint32_t)(q->asked - memoir_snapshot_region(q->snapshot, 0)));
	if (err)
		return err;
	return who_note(q->answer, false,
			"a snapshot has no single pages: these are the regions that may map this "
			"one, and its state is not known");
}

/* ---- the call ------------------------------------------------------------------------------- */

static int count_relatives(struct question *q)
{
	size_t objects = memoir_snapshot_object_count(q->snapshot);
	size_t regions = memoir_snapshot_region_count(q->snapshot);

	q->relatives = calloc(objects + 1, sizeof(*q->relatives));
	if (!q->relatives)
		return -ENOMEM;
	for (size_t i = 0; i < regions; i++) {
		uint32_t family = memoir_snapshot_region(q->snapshot, i)->family;

		if (family < objects)
			q->relatives[family]++;
	}
	return 0;
}

static int answer_target(struct question *q, const struct memoir_target *target,
			 struct memoir_error *error)
{
	switch (target->kind) {
	case MEMOIR_TARGET_PAGE:
		return answer_page(q, target, error);
	case MEMOIR_TARGET_PATH:
		q->path = target->text;
		return each_region(q, visit_path);
	case MEMOIR_TARGET_NAME:
		return answer_selection(q, "name", target->text, error);
	case MEMOIR_TARGET_OBJECT:
		return answer_selection(q, "object", target->text, error);
	default:
		return error_set(error, -EINVAL, "a snapshot has no frames; ask the machine");
	}
}

int memoir_snapshot_who(const struct memoir_snapshot *snapshot, const struct memoir_target *target,
			struct memoir_who **ret_who, struct memoir_error *error)
{
	struct question q = { .snapshot = snapshot, .answer = who_answer_new() };
	int err = q.answer ? count_relatives(&q) : -ENOMEM;

	if (!err)
		err = answer_target(&q, target, error);
	free(q.relatives);
	if (err) {
		memoir_who_free(q.answer ? &q.answer->pub : NULL);
		return err == -ENOMEM ? error_set(error, err, "out of memory") : err;
	}
	q.answer->pub.partial = memoir_snapshot_partial(snapshot);
	q.answer->pub.taken_ns = memoir_snapshot_taken_ns(snapshot);
	who_answer_finish(q.answer);
	*ret_who = &q.answer->pub;
	return 0;
}
