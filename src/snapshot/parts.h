/* SPDX-License-Identifier: MIT */
/*
 * The inside of splitting regions, for parts.c and parts_settle.c only.
 */
#ifndef MEMOIR_SNAPSHOT_PARTS_H
#define MEMOIR_SNAPSHOT_PARTS_H

#include "names/reader.h"
#include "snapshot/capture.h"

struct part {
	uint32_t of; /* the region that was split */
	uint32_t at; /* its own index until the end, behind those of all regions */
};

/* A part that is a page with several pieces. */
struct mixed {
	size_t first; /* of its pieces */
	size_t count;
	enum memoir_name_source source; /* of those with a name */
};

struct name_parts {
	uint32_t first; /* index of the first part; the first of each region has that region's */
	struct part *parts;
	size_t count, room;
	struct mixed *mixed;
	size_t mixed_count, mixed_room;
	struct u64map mixed_at;     /* index of the part → which of those */
	struct named_range *pieces; /* of mixed pages */
	size_t piece_count, piece_room;
	uint32_t region;    /* that is being split */
	uint64_t first_end; /* of its first part, which has its index */
	uint32_t next_part; /* the others */
	uint32_t part;      /* that is being counted */
	struct u64map moved;
	struct region_count whole; /* what it counted before */
	uint64_t *words;
	int pagemap_fd;
	uint32_t process; /* of the fd */
};

/*
 * The part with index `at` is this page, of which the pieces have a share: they are kept, cut to it. Until
 * they are settled the page has the name of the one with most of it. 0 or -ENOMEM.
 */
int parts_add_mixed(struct capture *c, uint32_t at, struct memoir_region *page,
		    const struct named_range *pieces, size_t count, enum memoir_name_source source);

#endif
