/* SPDX-License-Identifier: MIT */
/*
 * What comes back when processes end, by brute force over pages: memory that goes as a whole or not at
 * all, each with all who keep it.
 */
#ifndef WORLDS_LUMPS_H
#define WORLDS_LUMPS_H

#include "truth.h"

struct lump {
	uint64_t keepers; /* mask of spaces */
	uint64_t ram_pages;
	uint64_t swap_pages;
	bool foreign; /* kept by somebody outside of the world, too */
};

struct lumps {
	struct lump *items;
	size_t count, room;
};

void lumps_list(struct lumps *lumps, const struct truth *truth);
void lumps_free(struct lumps *lumps);

/* What ends with exactly the spaces in the mask. */
void lumps_freed(const struct lumps *lumps, uint64_t dying, uint64_t *ret_ram_bytes,
		 uint64_t *ret_swap_bytes);

#endif
