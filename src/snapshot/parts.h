/* SPDX-License-Identifier: MIT */
/*
 * The inside of splitting regions, for parts.c and parts_settle.c only.
 */
#ifndef MEMOIR_SNAPSHOT_PARTS_H
#define MEMOIR_SNAPSHOT_PARTS_H

#include "snapshot/capture.h"

/*
 * Pages of a region that are counted on their own: those that one part has, or one page that several have. For
 * the tally and the counts it is a region, with an index behind those of all regions.
 */
struct cut {
	uint64_t end;
	uint32_t region;
	uint32_t part; /* of the region, which has most of it; once settled */
};

struct name_parts {
	struct cut *cuts; /* those of a region stand together, by address */
	size_t count, room;
	size_t at; /* that is being counted */
	struct u64map moved;
	uint64_t *words;
	int pagemap_fd;
	uint32_t process; /* of the fd */
};

#endif
