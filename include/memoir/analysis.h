/* SPDX-License-Identifier: MIT */
/**
 * Questions to a snapshot: pure functions, snapshot in, rows out; no clock, no kernel, no printing.
 */
#ifndef MEMOIR_ANALYSIS_H
#define MEMOIR_ANALYSIS_H

#include <memoir/select.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Add figures; a figure that is unknown in one of them stays known as the sum of what is known. */
void memoir_figures_add(struct memoir_figures *sum, const struct memoir_figures *addend);

/** The id of a name: XXH3-64 of its bytes, the same on every machine. */
uint64_t memoir_name_id(const char *name);

/** One name (or unnamed kind) summed over regions and processes. */
struct memoir_name_sum {
	const char *name; /**< the name, the object's path, or the kind in brackets */
	uint64_t id;      /**< memoir_name_id() of it */
	enum memoir_kind kind;
	enum memoir_name_source source;
	uint32_t processes;
	uint32_t regions;
	struct memoir_figures figures;
};

struct memoir_name_sums {
	size_t count;
	struct memoir_name_sum *rows; /**< by descending pss, then name */
};

/**
 * @brief Sum by name over the regions that match. O(regions). Sums go by the string and the kind,
 *        never by the id alone. Strings belong to the snapshot.
 * @return 0; -ENOMEM. Free with memoir_name_sums_free().
 */
int memoir_names_sum(const struct memoir_snapshot *snapshot,
		     const struct memoir_selection *selection, struct memoir_name_sums *ret_sums);
void memoir_name_sums_free(struct memoir_name_sums *sums);

#ifdef __cplusplus
}
#endif

#endif
