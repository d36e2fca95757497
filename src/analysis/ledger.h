/* SPDX-License-Identifier: MIT */
/*
 * What RAM is used for, in lines that add up to MemTotal to the byte, as it was at capture.
 */
#ifndef MEMOIR_ANALYSIS_LEDGER_H
#define MEMOIR_ANALYSIS_LEDGER_H

#include <memoir/snapshot.h>

#define LEDGER_LINES_MAX 32

struct ledger_line {
	const char *line; /* static */
	uint64_t bytes;
};

struct ledger {
	struct ledger_line lines[LEDGER_LINES_MAX];
	size_t count;
	uint64_t total_bytes; /* MemTotal */
	/*
	 * How much more than MemTotal the sources claim: counters are not read at one instant, and
	 * some overlap. The last of them are cut by so much.
	 */
	uint64_t excess_bytes;
	bool by_frames; /* else by the counters of /proc/meminfo alone */
};

/*
 * By frames where the snapshot has them counted, else by /proc/meminfo. Lines of counters that the
 * kernel lacks are left out. 0; -ENODATA if the snapshot has no MemTotal.
 */
int ledger_make(const struct memoir_snapshot *snapshot, struct ledger *ret_ledger);

#endif
