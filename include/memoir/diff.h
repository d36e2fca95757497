/* SPDX-License-Identifier: MIT */
/**
 * What changed between two snapshots: a pure function, two snapshots in, rows out.
 */
#ifndef MEMOIR_DIFF_H
#define MEMOIR_DIFF_H

#include <memoir/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the rows are about. Each way covers all memory of the processes in scope, once. */
enum memoir_diff_by {
	MEMOIR_DIFF_PROCESS, /**< matched by pid and start_ticks */
	MEMOIR_DIFF_NAME,    /**< by name and kind, as memoir_names_sum() has them */
	MEMOIR_DIFF_OBJECT,  /**< by memoir_object_id(); memory of no object by its kind. Anonymous
				  families have no ids that two snapshots share: copies of a file's
				  pages count to the file that is mapped, all else to no object */
	MEMOIR_DIFF_WAYS,
};

/** "process", "name", "object"; NULL for an unknown value. */
const char *memoir_diff_by_name(enum memoir_diff_by by);

/** How a row changed, by its lead: see memoir_diff_lead(). */
enum memoir_change {
	MEMOIR_CHANGE_UNKNOWN, /**< it is in both, but no figure is known in both */
	MEMOIR_CHANGE_NONE,    /**< no known figure moved */
	MEMOIR_CHANGE_CAME,
	MEMOIR_CHANGE_WENT,
	MEMOIR_CHANGE_GREW,
	MEMOIR_CHANGE_SHRANK,
	MEMOIR_CHANGE_OTHER, /**< only other figures moved, or the process called exec */
	MEMOIR_CHANGES,
};

/** "none", "came", "went", "grew", "shrank", "other"; NULL for MEMOIR_CHANGE_UNKNOWN. */
const char *memoir_change_name(enum memoir_change change);

/** A row in one of the two snapshots. */
struct memoir_diff_side {
	bool present; /**< false: it was not there, and all else is 0 */
	/**
	 * By object, not present: it had no pages either, as it lives only while somebody maps or
	 * holds it. False: the snapshot does not tell of what nobody maps, such as page cache.
	 */
	bool no_pages;
	const struct memoir_process *process; /**< by process */
	const struct memoir_object *object;   /**< by object; NULL: memory of no object */
	uint32_t processes;                   /**< that have such regions; by process: 1 */
	uint32_t regions;
	struct memoir_figures figures;
};

struct memoir_diff_row {
	enum memoir_diff_by by;
	enum memoir_change change;
	/**
	 * By process: whether it has another address space than before, so that it called exec. Seen
	 * by where the vdso and the heap begin, else by where the stack ends, which exec moves.
	 */
	bool exec;
	bool exec_known;                /**< false: nothing in both tells */
	const char *name;               /**< by name */
	enum memoir_name_source source; /**< by name */
	enum memoir_kind kind;          /**< by name, and by object */
	struct memoir_diff_side before;
	struct memoir_diff_side after;
};

struct memoir_diff {
	size_t count;
	struct memoir_diff_row *rows; /**< by lead, the largest first, unknown ones last */
};

/**
 * @brief Compare two snapshots. O(n log n) in processes, names or objects, O(n) in regions.
 *
 * All rows are there, also those of which nothing changed. A process that is in one snapshot only
 * because it shares memory with one asked for has come or gone from neither: its figures are unknown.
 * Strings and what rows point to belong to the snapshots, which have to stay.
 * @return 0; -EINVAL: no such way; -ENOMEM. Free with memoir_diff_free().
 */
int memoir_diff(const struct memoir_snapshot *before, const struct memoir_snapshot *after,
		enum memoir_diff_by by, struct memoir_diff *ret_diff);
void memoir_diff_free(struct memoir_diff *diff);

/** By how much something changed. */
struct memoir_delta {
	bool known;
	bool negative;
	uint64_t bytes;
};

/**
 * The change of a figure of a row. What was not there had, and what is not there any more has, none
 * of it; what is there and not known makes the change unknown.
 */
struct memoir_delta memoir_diff_delta(const struct memoir_diff_row *row, enum memoir_figure figure);

/**
 * The change that a row is judged by: the largest one, up or down, of pss and swap_pss, and of an
 * object's own resident_bytes and swapped_bytes.
 */
struct memoir_delta memoir_diff_lead(const struct memoir_diff_row *row);

#ifdef __cplusplus
}
#endif

#endif
