/* SPDX-License-Identifier: MIT */
/*
 * The inside of an answer to "who maps it", how it is filled, and what follows from what was found; no
 * kernel is read here.
 */
#ifndef MEMOIR_SNAPSHOT_WHO_ANSWER_H
#define MEMOIR_SNAPSHOT_WHO_ANSWER_H

#include <memoir/who.h>

#include "base/strpool.h"

struct who_answer {
	struct memoir_who pub; /* first: what the caller holds */
	struct strpool *strings;
	struct memoir_who_row *rows;
	size_t row_room;
	struct memoir_who_set *sets;
	size_t set_room;
	const char **notes;
	size_t note_room;
};

/* An empty answer, or NULL when out of memory. memoir_who_free(&answer->pub) frees it. */
struct who_answer *who_answer_new(void);

/* Append one zeroed element; NULL when out of memory. Moves the array. */
struct memoir_who_row *who_add_row(struct who_answer *answer);
struct memoir_who_set *who_add_set(struct who_answer *answer);

/* The answer's copy of a string; NULL for NULL, and when out of memory. */
const char *who_string(struct who_answer *answer, const char *string);

/* A sentence; partial: it says that something is missing. 0 or -ENOMEM. */
int who_note(struct who_answer *answer, bool partial, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sort the rows by pid and start, the sets by bytes, and hand all of it to pub. */
void who_answer_finish(struct who_answer *answer);

/* Where page `index` of an object or family is in a VMA that begins with page `first` of it. */
bool who_address_of(uint64_t start, uint64_t end, uint64_t first, uint64_t index,
		    uint64_t *ret_address);

/*
 * The nearest process of which all members are descendants, or which they are, and that is_family()
 * calls one of the family. 0 if there is none. parent(): 0 for none, or not known.
 */
pid_t who_common_ancestor(const pid_t *members, size_t count, bool (*is_family)(pid_t, void *),
			  pid_t (*parent)(pid_t, void *), void *arg);

#endif
