/* SPDX-License-Identifier: MIT */
/**
 * What rows about watched memory are of: a region, a name over all processes, or a process.
 */
#ifndef MEMOIR_SUBJECT_H
#define MEMOIR_SUBJECT_H

#include <memoir/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

enum memoir_by {
	MEMOIR_BY_REGION,
	MEMOIR_BY_NAME,
	MEMOIR_BY_PROCESS,
	MEMOIR_BYS,
};

/** "region", "name", "process"; NULL for an unknown value. */
const char *memoir_by_name(enum memoir_by by);

/** What a row is about; strings and pointers are the snapshot's. */
struct memoir_subject {
	const struct memoir_process *process; /**< NULL by name */
	const struct memoir_region *region;   /**< by region only */
	const char *name;                     /**< as memoir_names_sum() has it; NULL by process */
	enum memoir_kind kind;
	enum memoir_name_source source;
	uint32_t processes, regions;
};

#ifdef __cplusplus
}
#endif

#endif
