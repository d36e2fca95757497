/* SPDX-License-Identifier: MIT */
/*
 * Small random worlds of pages, each with the list of regions that map it, and the snapshot that goes
 * with them; for tests that hold answers from sharing sets against answers from single pages.
 */
#ifndef MEMOIR_TESTS_WORLD_H
#define MEMOIR_TESTS_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "snapshot/model.h"

#define WORLD_PROCESSES 9
#define WORLD_REGIONS 27
#define WORLD_FAMILIES 4
#define WORLD_FILES 9
#define WORLD_OBJECTS (WORLD_FAMILIES + WORLD_FILES)
#define WORLD_PAGES 160
#define WORLD_MEMBERS 6
#define WORLD_HOLDERS 8
#define WORLD_PAGE UINT64_C(4096)

/* A page of anonymous memory (object: its family) or of an object, and all its mappings. */
struct world_page {
	uint32_t object;
	uint32_t folio; /* anonymous pages with one number go together */
	uint32_t members[WORLD_MEMBERS];
	uint32_t member_count; /* of an object, 0: nobody maps it */
	bool anon;
	bool swapped;
};

struct world {
	struct memoir_snapshot *s;
	struct world_page pages[WORLD_PAGES];
	size_t page_count;
	bool alone[WORLD_REGIONS]; /* what only the region has is in no set */
	bool folios;               /* there are folios of several pages */
};

static inline uint32_t world_draw(uint32_t below)
{
	return (uint32_t)rand() % below;
}

/* ---- who there is --------------------------------------------------------------------------- */

static inline void world_add_processes(struct world *w)
{
	for (int i = 0; i < WORLD_PROCESSES; i++) {
		struct memoir_process *p = snapshot_add_process(w->s);

		*p = (struct memoir_process){
			.pid = 100 + i * 10,
			.ppid = i ? 100 + (int)world_draw((uint32_t)i) * 10 : 1,
			.comm = "actor",
			.first_region = (uint32_t)i * WORLD_REGIONS / WORLD_PROCESSES,
			.region_count = WORLD_REGIONS / WORLD_PROCESSES,
			.page_table_bytes = (1 + world_draw(9)) * WORLD_PAGE,
			.page_table_known = true,
			.threads = 1 + world_draw(3),
			.in_scope = true,
			.readable = true,
		};
		if (world_draw(4))
			continue;
		pid_t *peers = malloc(sizeof(*peers));

		*peers = p->pid + 1;
		p->peers = peers;
		p->peer_count = 1;
	}
}

static inline void world_add_objects(struct world *w)
{
	static const uint8_t kinds[] = { MEMOIR_KIND_FILE, MEMOIR_KIND_MEMFD,
					 MEMOIR_KIND_SHARED_ANON };

	for (uint32_t i = 0; i < WORLD_OBJECTS; i++) {
		struct memoir_object *o = snapshot_add_object(w->s);

		o->is_family = i < WORLD_FAMILIES;
		o->inode = i;
		o->kind = o->is_family ? MEMOIR_KIND_ANON : kinds[i % 3];
		o->resident_known = !o->is_family;
		if (!o->is_family)
			o->fate = (uint8_t)(MEMOIR_FATE_FREED + world_draw(3));
	}
}

static inline void world_add_regions(struct world *w)
{
	static const char *const names[] = { "one", "two", NULL };

	for (uint32_t i = 0; i < WORLD_REGIONS; i++) {
		struct memoir_region *r = snapshot_add_region(w->s);

		r->start = 0x10000u * (i + 1);
		r->end = r->start + 0x10000;
		r->process = i * WORLD_PROCESSES / WORLD_REGIONS;
		r->family = i % WORLD_FAMILIES;
		r->object = i % 2 ? WORLD_FAMILIES + world_draw(WORLD_FILES) : MEMOIR_NONE;
		r->kind = i % 2 ? w->s->objects[r->object].kind : MEMOIR_KIND_ANON;
		r->name = names[world_draw(3)];
		r->figures.known = (1u << MEMOIR_FIGURES) - 1;
		w->alone[i] = world_draw(2);
	}
}

static inline void world_add_holders(struct world *w)
{
	uint32_t object = WORLD_FAMILIES;

	w->s->holders_known = true;
	for (int i = 0; i < WORLD_HOLDERS; i++) {
		struct memoir_holder *h = snapshot_add_holder(w->s);

		*h = (struct memoir_holder){ object, world_draw(WORLD_PROCESSES), i };
		object += world_draw(2) && object + 1 < WORLD_OBJECTS;
	}
}

/* ---- what they map -------------------------------------------------------------------------- */

static inline bool world_may_map(const struct world *w, const struct world_page *page, uint32_t r)
{
	return (page->anon ? w->s->regions[r].family : w->s->regions[r].object) == page->object;
}

/* Now and then twice by one region, as KSM has it. */
static inline void world_draw_members(const struct world *w, struct world_page *page)
{
	uint32_t share = 1 + world_draw(4);

	for (uint32_t r = 0; r < WORLD_REGIONS; r++)
		if (world_may_map(w, page, r) && page->member_count < WORLD_MEMBERS &&
		    world_draw(share) == 0)
			page->members[page->member_count++] = r;
	if (page->anon && page->member_count && page->member_count < WORLD_MEMBERS &&
	    world_draw(20) == 0) {
		page->members[page->member_count] = page->members[page->member_count - 1];
		page->member_count++;
	}
}

/* Pages of a folio that nobody maps would be freed with it without being anybody's: not made here. */
static inline void world_add_pages(struct world *w)
{
	for (uint32_t i = 0; i < WORLD_PAGES; i++) {
		const struct world_page *last = w->page_count ? &w->pages[w->page_count - 1] : NULL;
		struct world_page page = { .anon = world_draw(3), .folio = i };

		page.object = page.anon ? world_draw(WORLD_FAMILIES)
					: WORLD_FAMILIES + world_draw(WORLD_FILES);
		page.swapped = page.anon && world_draw(4) == 0;
		if (w->folios && last && last->anon && !last->swapped && world_draw(2)) {
			page = (struct world_page){ .anon = true,
						    .folio = last->folio,
						    .object = last->object };
		}
		world_draw_members(w, &page);
		if (page.member_count || !page.anon)
			w->pages[w->page_count++] = page;
	}
}

/* ---- as sets -------------------------------------------------------------------------------- */

static inline uint32_t world_child(struct memoir_snapshot *s, uint32_t parent, uint32_t region,
				   bool of_object)
{
	for (uint32_t i = 0; i < s->set_count; i++)
		if (s->sets[i].parent == parent && s->sets[i].region == region &&
		    s->sets[i].of_object == of_object)
			return i;
	struct memoir_set *set = snapshot_add_set(s);

	set->parent = parent;
	set->region = region;
	set->members = parent == MEMOIR_NONE ? 1 : s->sets[parent].members + 1;
	set->of_object = of_object;
	return (uint32_t)s->set_count - 1;
}

static inline struct memoir_set *world_set(struct world *w, const uint32_t *members, uint32_t count,
					   bool of_object)
{
	uint32_t at = MEMOIR_NONE;

	for (uint32_t i = 0; i < count; i++)
		at = world_child(w->s, at, members[i], of_object);
	return &w->s->sets[at];
}

/* All that map any page of a folio. */
static inline uint32_t world_folio_members(const struct world *w, uint32_t folio, uint32_t *members)
{
	uint32_t count = 0;

	for (uint32_t r = 0; r < WORLD_REGIONS; r++) {
		bool any = false;

		for (size_t p = 0; p < w->page_count; p++)
			for (uint32_t m = 0; m < w->pages[p].member_count; m++)
				any |= w->pages[p].anon && w->pages[p].folio == folio &&
				       w->pages[p].members[m] == r;
		if (any)
			members[count++] = r;
	}
	return count;
}

static inline void world_add_folio_page(struct world *w, const struct world_page *page)
{
	struct memoir_set *set = world_set(w, page->members, page->member_count, false);
	uint32_t members[WORLD_REGIONS];

	set->ram_bytes += WORLD_PAGE;
	if (w->folios)
		set = world_set(w, members, world_folio_members(w, page->folio, members), false);
	set->freed_bytes += WORLD_PAGE;
}

static inline bool world_is_alone(const struct world *w, const struct world_page *page)
{
	uint32_t members[WORLD_REGIONS];

	return page->member_count == 1 && w->alone[page->members[0]] &&
	       (!page->anon || !w->folios || world_folio_members(w, page->folio, members) == 1);
}

static inline void world_count_page(struct world *w, const struct world_page *page)
{
	struct memoir_region *first = &w->s->regions[page->members[0]];
	bool alone = world_is_alone(w, page);

	if (!page->anon)
		w->s->objects[page->object].resident_bytes += WORLD_PAGE;
	if (!page->anon && page->member_count)
		w->s->objects[page->object].mapped_bytes += WORLD_PAGE;
	if (page->member_count == 1 && !page->swapped)
		first->figures.bytes[MEMOIR_USS] += WORLD_PAGE;
	if (page->member_count == 0)
		return;
	if (page->swapped && alone)
		first->own_swap_bytes += WORLD_PAGE;
	else if (page->swapped)
		world_set(w, page->members, page->member_count, false)->swap_bytes += WORLD_PAGE;
	else if (page->anon && alone)
		first->own_anon_bytes += WORLD_PAGE;
	else if (page->anon)
		world_add_folio_page(w, page);
	else if (!alone)
		world_set(w, page->members, page->member_count, true)->ram_bytes += WORLD_PAGE;
}

/* Anonymous memory that goes with one process. */
static inline void world_count_sole(struct world *w)
{
	uint32_t members[WORLD_REGIONS];

	for (size_t i = 0; i < w->page_count; i++) {
		const struct world_page *page = &w->pages[i];
		uint32_t count = page->member_count;

		memcpy(members, page->members, sizeof(page->members));
		if (w->folios && page->anon && !page->swapped)
			count = world_folio_members(w, page->folio, members);
		uint32_t process = count ? w->s->regions[members[0]].process : 0;
		bool sole = page->anon && !page->swapped;

		for (uint32_t m = 0; m < count; m++)
			sole &= w->s->regions[members[m]].process == process;
		if (sole)
			w->s->processes[process].sole_anon_bytes += WORLD_PAGE;
	}
}

static inline void world_make(struct world *w, unsigned int seed)
{
	srand(seed);
	*w = (struct world){ .s = snapshot_new(), .folios = seed % 2 };
	w->s->engine = MEMOIR_ENGINE_TABLES;
	w->s->sets_known = true;
	world_add_processes(w);
	world_add_objects(w);
	world_add_regions(w);
	world_add_holders(w);
	world_add_pages(w);
	for (size_t i = 0; i < w->page_count; i++)
		world_count_page(w, &w->pages[i]);
	for (uint32_t i = WORLD_FAMILIES; i < WORLD_OBJECTS; i++)
		if (w->s->objects[i].kind != MEMOIR_KIND_FILE)
			w->s->objects[i].swapped_bytes = world_draw(3) * WORLD_PAGE;
	world_count_sole(w);
	snapshot_sum_processes(w->s);
}

/* ---- asking pages --------------------------------------------------------------------------- */

static inline bool world_page_has(const struct world *w, const struct world_page *page,
				  uint32_t process)
{
	for (uint32_t i = 0; i < page->member_count; i++)
		if (w->s->regions[page->members[i]].process == process)
			return true;
	return false;
}

/* Whether a process maps or holds an object. */
static inline bool world_object_has(const struct world *w, uint32_t object, uint32_t process)
{
	for (uint32_t i = 0; i < WORLD_REGIONS; i++)
		if (w->s->regions[i].object == object && w->s->regions[i].process == process)
			return true;
	for (size_t i = 0; i < w->s->holder_count; i++)
		if (w->s->holders[i].object == object && w->s->holders[i].process == process)
			return true;
	return false;
}

#endif
