// SPDX-License-Identifier: MIT
/*
 * Whether a process or a region is meant by a selection; changes neither and reads no kernel.
 */
#include "analysis/select.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What matches itself letter for letter needs no backslashes: [vdso], and files with brackets. */
static bool matches_text(const struct selector *selector, const char *text)
{
	if (!text)
		return false;
	for (size_t i = 0; i < selector->glob_count; i++)
		if (strcmp(selector->globs[i], text) == 0 ||
		    fnmatch(selector->globs[i], text, 0) == 0)
			return true;
	return false;
}

static bool matches_number(const struct selector *selector, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return matches_text(selector, text);
}

static bool matches_pid(const struct selector *selector, pid_t pid)
{
	if (selector->key == KEY_RANGE)
		return selector->pid == pid;
	return matches_number(selector, (uint64_t)pid);
}

static bool matches_pid_or_peer(const struct selector *selector,
				const struct memoir_process *process)
{
	if (matches_pid(selector, process->pid))
		return true;
	for (uint32_t i = 0; i < process->peer_count; i++)
		if (matches_pid(selector, process->peers[i]))
			return true;
	return false;
}

/* By name or by number; who could not be read is nobody. */
static bool matches_user(const struct memoir_selection *selection, const struct selector *selector,
			 uid_t uid)
{
	char name[MEMOIR_USER_NAME_MAX];
	uint32_t known = u64map_get(selector->users, uid);

	if (uid == (uid_t)-1)
		return false;
	if (known != U64MAP_NONE)
		return known;
	bool matches = matches_number(selector, uid);

	if (!matches && selection->user_name)
		matches = matches_text(selector,
				       selection->user_name(uid, name, selection->user_arg));

	(void)u64map_set(selector->users, uid, matches); /* only a cache */
	return matches;
}

static bool matches_process(const struct memoir_selection *selection,
			    const struct selector *selector, const struct memoir_process *process)
{
	switch (selector->key) {
	case KEY_PID:
	case KEY_RANGE:
		return matches_pid_or_peer(selector, process);
	case KEY_COMM:
		return matches_text(selector, process->comm);
	case KEY_USER:
		return matches_user(selection, selector, process->uid);
	case KEY_CGROUP:
		return matches_text(selector, process->cgroup);
	default:
		return true;
	}
}

static bool matches_object(const struct selector *selector, const struct memoir_snapshot *snapshot,
			   uint32_t index)
{
	const struct memoir_object *object = memoir_snapshot_object(snapshot, index);
	char id[MEMOIR_OBJECT_ID_MAX];

	return object && matches_text(selector, memoir_object_id(object, id));
}

static bool matches_region(const struct selector *selector, const struct memoir_snapshot *snapshot,
			   const struct memoir_region *region)
{
	switch (selector->key) {
	case KEY_NAME:
		return matches_text(selector, region->name);
	case KEY_PATH:
		return matches_text(selector, region->path);
	case KEY_KIND:
		return matches_text(selector, memoir_kind_name(region->kind));
	case KEY_OBJECT:
		return matches_object(selector, snapshot, region->object) ||
		       matches_object(selector, snapshot, region->family);
	case KEY_RANGE:
		return region->start < selector->end && region->end > selector->start;
	default:
		return true;
	}
}

static bool matches_buffer(const struct selector *selector, const struct memoir_object *object,
			   const char *kind, const char *tag)
{
	char id[MEMOIR_OBJECT_ID_MAX];

	switch (selector->key) {
	case KEY_NAME:
		return matches_text(selector, tag);
	case KEY_PATH:
		return object && matches_text(selector, object->path);
	case KEY_KIND:
		return matches_text(selector, kind);
	case KEY_OBJECT:
		return object && matches_text(selector, memoir_object_id(object, id));
	default:
		return true;
	}
}

bool selection_matches_buffer(const struct memoir_selection *selection,
			      const struct memoir_object *object, const char *kind, const char *tag)
{
	for (size_t i = 0; selection && i < selection->count; i++)
		if (!matches_buffer(&selection->selectors[i], object, kind, tag))
			return false;
	return true;
}

bool selection_has_process_keys(const struct memoir_selection *selection)
{
	for (size_t i = 0; selection && i < selection->count; i++)
		if (selection->selectors[i].key == KEY_RANGE ||
		    !selector_key_is_of_region(selection->selectors[i].key))
			return true;
	return false;
}

void memoir_selection_set_users(struct memoir_selection *selection,
				const char *(*name_of)(uid_t uid, char buf[MEMOIR_USER_NAME_MAX],
						       void *arg),
				void *arg)
{
	selection->user_name = name_of;
	selection->user_arg = arg;
}

bool memoir_selection_empty(const struct memoir_selection *selection)
{
	return !selection || selection->count == 0;
}

bool memoir_selection_has_region_keys(const struct memoir_selection *selection)
{
	for (size_t i = 0; selection && i < selection->count; i++)
		if (selector_key_is_of_region(selection->selectors[i].key))
			return true;
	return false;
}

bool memoir_selection_matches_process(const struct memoir_selection *selection,
				      const struct memoir_process *process)
{
	for (size_t i = 0; selection && i < selection->count; i++)
		if (!matches_process(selection, &selection->selectors[i], process))
			return false;
	return true;
}

bool selection_matches_region_part(const struct memoir_selection *selection,
				   const struct memoir_snapshot *snapshot,
				   const struct memoir_region *region)
{
	for (size_t i = 0; selection && i < selection->count; i++)
		if (!matches_region(&selection->selectors[i], snapshot, region))
			return false;
	return true;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#define PAGE_MASK 4095ull

bool selection_clip(const struct memoir_selection *selection, const struct memoir_region *region,
		    uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t start = region->start, end = region->end;

	for (size_t i = 0; selection && i < selection->count; i++) {
		const struct selector *selector = &selection->selectors[i];

		if (selector->key != KEY_RANGE)
			continue;
		start = larger(start, selector->start);
		end = smaller(end, selector->end);
	}
	/* Names may end within a page, which then is not for one of them; no region ends where this overflows. */
	start = (start + PAGE_MASK) & ~PAGE_MASK;
	end &= ~PAGE_MASK;
	*ret_start = start;
	*ret_end = end;
	return start < end;
}

bool memoir_selection_matches_region(const struct memoir_selection *selection,
				     const struct memoir_snapshot *snapshot,
				     const struct memoir_region *region)
{
	const struct memoir_process *process = memoir_snapshot_process(snapshot, region->process);

	return process && memoir_selection_matches_process(selection, process) &&
	       selection_matches_region_part(selection, snapshot, region);
}

/* The one pid that a selector names by number, or 0. */
static pid_t selector_pid(const struct selector *selector)
{
	if (selector->key == KEY_RANGE)
		return selector->pid;
	if (selector->key != KEY_PID || selector->glob_count != 1 ||
	    !glob_is_number(selector->globs[0]))
		return 0;
	return (pid_t)strtol(selector->globs[0], NULL, 10);
}

pid_t memoir_selection_single_pid(const struct memoir_selection *selection)
{
	pid_t single = 0;

	for (size_t i = 0; selection && i < selection->count; i++) {
		pid_t pid = selector_pid(&selection->selectors[i]);

		if (pid && single && pid != single)
			return 0;
		if (pid)
			single = pid;
	}
	return single;
}
