// SPDX-License-Identifier: MIT
/*
 * Answers to "who maps it" as data: filling them, their order, the names of what they say, and what
 * follows from what was found; knows nothing of the kernel.
 */
#include "snapshot/who_answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const how_names[MEMOIR_HOWS] = {
	[MEMOIR_HOW_OWN] = "own memory",
	[MEMOIR_HOW_FORK] = "fork family",
	[MEMOIR_HOW_KSM] = "ksm",
	[MEMOIR_HOW_SHARED] = "shared mapping",
	[MEMOIR_HOW_PRIVATE] = "private file page",
	[MEMOIR_HOW_CACHE] = "page cache",
	[MEMOIR_HOW_ZERO] = "zero page",
	[MEMOIR_HOW_KERNEL] = "kernel page",
};

static const char *const state_names[MEMOIR_PAGE_STATES] = {
	[MEMOIR_PAGE_EXCLUSIVE] = "exclusive", [MEMOIR_PAGE_SHARED] = "shared",
	[MEMOIR_PAGE_UNMAPPED] = "unmapped",   [MEMOIR_PAGE_SWAPPED] = "swapped",
	[MEMOIR_PAGE_ZERO] = "zero page",      [MEMOIR_PAGE_ABSENT] = "not present",
};

static const char *const content_names[MEMOIR_CONTENTS] = {
	[MEMOIR_CONTENT_ANON] = "anon",       [MEMOIR_CONTENT_KSM] = "ksm",
	[MEMOIR_CONTENT_FILE] = "file",       [MEMOIR_CONTENT_SHMEM] = "shmem",
	[MEMOIR_CONTENT_HUGETLB] = "hugetlb", [MEMOIR_CONTENT_KERNEL] = "kernel",
	[MEMOIR_CONTENT_FREE] = "free",
};

static const char *name_at(const char *const *names, size_t count, unsigned int i)
{
	return i < count ? names[i] : NULL;
}

const char *memoir_how_name(enum memoir_how how)
{
	return name_at(how_names, COUNT(how_names), how);
}

const char *memoir_page_state_name(enum memoir_page_state state)
{
	return name_at(state_names, COUNT(state_names), state);
}

const char *memoir_content_name(enum memoir_content content)
{
	return name_at(content_names, COUNT(content_names), content);
}

/* ---- filling -------------------------------------------------------------------------------- */

struct who_answer *who_answer_new(void)
{
	struct who_answer *answer = calloc(1, sizeof(*answer));

	if (!answer)
		return NULL;
	answer->strings = strpool_new();
	if (!answer->strings) {
		free(answer);
		return NULL;
	}
	return answer;
}

void memoir_who_free(struct memoir_who *who)
{
	struct who_answer *answer = (struct who_answer *)who;

	if (!answer)
		return;
	free(answer->rows);
	free(answer->sets);
	free(answer->notes);
	strpool_free(answer->strings);
	free(answer);
}

struct memoir_who_row *who_add_row(struct who_answer *answer)
{
	size_t i = answer->pub.row_count;
	struct memoir_who_row *rows = grow(answer->rows, &answer->row_room, i + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	answer->rows = rows;
	answer->pub.row_count++;
	rows[i] = (struct memoir_who_row){ 0 };
	return &rows[i];
}

struct memoir_who_set *who_add_set(struct who_answer *answer)
{
	size_t i = answer->pub.set_count;
	struct memoir_who_set *sets = grow(answer->sets, &answer->set_room, i + 1, sizeof(*sets));

	if (!sets)
		return NULL;
	answer->sets = sets;
	answer->pub.set_count++;
	sets[i] = (struct memoir_who_set){ 0 };
	return &sets[i];
}

const char *who_string(struct who_answer *answer, const char *string)
{
	return string ? strpool_add(answer->strings, string, strlen(string)) : NULL;
}

int who_note(struct who_answer *answer, bool partial, const char *format, ...)
{
	size_t i = answer->pub.note_count;
	const char **notes = grow(answer->notes, &answer->note_room, i + 1, sizeof(*notes));
	char text[512];
	va_list args;

	if (!notes)
		return -ENOMEM;
	answer->notes = notes;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	notes[i] = who_string(answer, text);
	if (!notes[i])
		return -ENOMEM;
	answer->pub.note_count++;
	answer->pub.partial |= partial;
	return 0;
}

static int compare_rows(const void *left, const void *right)
{
	const struct memoir_who_row *a = left, *b = right;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

static int compare_sets(const void *left, const void *right)
{
	const struct memoir_who_set *a = left, *b = right;
	uint64_t a_bytes = a->ram_bytes, b_bytes = b->ram_bytes;

	if (a_bytes == b_bytes) {
		a_bytes = a->swap_bytes;
		b_bytes = b->swap_bytes;
	}
	if (a_bytes != b_bytes)
		return a_bytes > b_bytes ? -1 : 1;
	return a->set < b->set ? -1 : a->set > b->set;
}

void who_answer_finish(struct who_answer *answer)
{
	struct memoir_who *pub = &answer->pub;

	if (pub->row_count)
		qsort(answer->rows, pub->row_count, sizeof(*answer->rows), compare_rows);
	if (pub->set_count)
		qsort(answer->sets, pub->set_count, sizeof(*answer->sets), compare_sets);
	pub->rows = answer->rows;
	pub->sets = answer->sets;
	pub->notes = answer->notes;
}

/* ---- what follows --------------------------------------------------------------------------- */

#define PAGE_SHIFT 12

bool who_address_of(uint64_t start, uint64_t end, uint64_t first, uint64_t index,
		    uint64_t *ret_address)
{
	if (index < first || start >= end || index - first >= (end - start) >> PAGE_SHIFT)
		return false;
	*ret_address = start + ((index - first) << PAGE_SHIFT);
	return true;
}

/* As deep as a tree of processes that fork one another may sensibly be; a lying /proc must end too. */
#define GENERATIONS 4096

/* How many generations above the first member `pid` is, counted along its line; or GENERATIONS. */
static size_t height_of(pid_t pid, const pid_t *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] == pid)
			return i;
	return GENERATIONS;
}

static size_t line_of(pid_t pid, pid_t (*parent)(pid_t, void *), void *arg, pid_t *line)
{
	size_t length = 0;

	while (pid > 0 && length < GENERATIONS) {
		line[length++] = pid;
		pid = parent(pid, arg);
	}
	return length;
}

pid_t who_common_ancestor(const pid_t *members, size_t count, bool (*is_family)(pid_t, void *),
			  pid_t (*parent)(pid_t, void *), void *arg)
{
	pid_t line[GENERATIONS];
	size_t length = count ? line_of(members[0], parent, arg, line) : 0, top = 0;

	for (size_t i = 1; i < count; i++) {
		pid_t at = members[i];
		size_t height = GENERATIONS;

		for (int n = 0; at > 0 && height == GENERATIONS && n < GENERATIONS; n++) {
			height = height_of(at, line, length);
			at = parent(at, arg);
		}
		if (height == GENERATIONS)
			return 0;
		top = height > top ? height : top;
	}
	for (; top < length; top++)
		if (is_family(line[top], arg))
			return line[top];
	return 0;
}
