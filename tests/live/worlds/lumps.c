// SPDX-License-Identifier: MIT
/*
 * Turns pages into lumps: a folio of anonymous memory, a swap entry, or a whole shmem inode. Pages of
 * files stay when their mappers go, so they are in none.
 */
#include "lumps.h"

#include <stdlib.h>

static void add(struct lumps *lumps, const struct lump *lump)
{
	lumps->items = truth_grow(lumps->items, &lumps->room, lumps->count + 1, sizeof(*lump));
	lumps->items[lumps->count++] = *lump;
}

/* Pages are sorted by frame, so those of one folio stand together. */
static size_t add_folio(struct lumps *lumps, const struct truth *truth, size_t i)
{
	struct lump lump = { 0 };
	uint64_t first;

	truth_folio(&truth->pages[i], &first, &lump.ram_pages);
	for (; i < truth->page_count; i++) {
		const struct truth_page *page = &truth->pages[i];

		if (truth_kind_of(page->key) != TRUTH_ANON ||
		    truth_frame_of(page->key) >= first + lump.ram_pages)
			break;
		lump.keepers |= truth_mappers(truth, page);
		lump.foreign |= page->kernel_count > page->count;
	}
	add(lumps, &lump);
	return i;
}

static void add_objects(struct lumps *lumps, const struct truth *truth)
{
	for (size_t i = 0; i < truth->object_count; i++) {
		struct lump lump = {
			.keepers = truth->objects[i].holders,
			.ram_pages = truth->objects[i].resident_pages,
			.swap_pages = truth->objects[i].swapped_pages,
		};

		for (size_t k = 0; k < truth->region_count; k++)
			if (truth->regions[k].object == i)
				lump.keepers |= 1ull << truth->regions[k].space;
		add(lumps, &lump);
	}
}

void lumps_list(struct lumps *lumps, const struct truth *truth)
{
	size_t i = 0;

	while (i < truth->page_count && truth_kind_of(truth->pages[i].key) == TRUTH_ANON)
		i = add_folio(lumps, truth, i);
	for (; i < truth->page_count; i++)
		if (truth_kind_of(truth->pages[i].key) == TRUTH_SWAP)
			add(lumps, &(struct lump){
					   .keepers = truth_mappers(truth, &truth->pages[i]),
					   .swap_pages = 1,
				   });
	add_objects(lumps, truth);
}

void lumps_free(struct lumps *lumps)
{
	free(lumps->items);
	*lumps = (struct lumps){ 0 };
}

void lumps_freed(const struct lumps *lumps, uint64_t dying, uint64_t *ret_ram_bytes,
		 uint64_t *ret_swap_bytes)
{
	*ret_ram_bytes = *ret_swap_bytes = 0;
	for (size_t i = 0; i < lumps->count; i++) {
		const struct lump *lump = &lumps->items[i];

		if (lump->foreign || lump->keepers & ~dying)
			continue;
		*ret_ram_bytes += lump->ram_pages * TRUTH_PAGE_BYTES;
		*ret_swap_bytes += lump->swap_pages * TRUTH_PAGE_BYTES;
	}
}
