/* SPDX-License-Identifier: MIT */
/*
 * What RAM is used for, in lines that add up to MemTotal, from /proc/meminfo as it was at capture.
 */
#ifndef MEMOIR_ANALYSIS_LEDGER_H
#define MEMOIR_ANALYSIS_LEDGER_H

#include <memoir/snapshot.h>

#define LEDGER_LINES_MAX 24

struct ledger_line {
	const char *line; /* static */
	uint64_t bytes;
};

struct ledger {
	struct ledger_line lines[LEDGER_LINES_MAX];
	size_t count;
	uint64_t total_bytes; /* MemTotal */
	/* How much more than MemTotal the counters add up to: they are not read at one instant. */
	uint64_t excess_bytes;
};

/* 0; -ENODATA if the snapshot has no MemTotal. Lines of counters that the kernel lacks are left out. */
int ledger_from_meminfo(const struct memoir_snapshot *snapshot, struct ledger *ret_ledger);

#endif
