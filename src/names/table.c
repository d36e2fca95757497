// SPDX-License-Identifier: MIT
/*
 * Changes of one leaf, which nearly all changes are: an equal range by one store in place, others by a
 * changed copy of the leaf. What goes over several leaves is for rebuild.c.
 */
#include "names/table.h"

#include <errno.h>
#include <string.h>

#include "names/hint.h"
#include "names/tree.h"

#define FEW 12u
#define MANY_DEAD 31u
#define PLACES_A_LEAF 64u

struct tree tree;

/* ---- finding -------------------------------------------------------------------------------- */

/* Both without a branch on what is compared: it could not be predicted. */
static uint32_t slot_of(uint64_t addr)
{
	const struct name_slot *at = tree.slots;

	for (uint32_t n = tree.count; n > 1; n -= n / 2)
		at = at[n / 2].first <= addr ? at + n / 2 : at;
	return (uint32_t)(at - tree.slots);
}

/* How many entries begin at addr or before. */
static uint32_t entries_upto(const struct name_leaf *leaf, uint64_t addr)
{
	const struct name_entry *at = leaf->entries;

	if (!leaf->count)
		return 0;
	for (uint32_t n = leaf->count; n > 1; n -= n / 2)
		at = at[n / 2].start <= addr ? at + n / 2 : at;
	return (uint32_t)(at - leaf->entries) + (at->start <= addr);
}

static inline bool ends_with(const struct name_entry *entry, uint64_t addr, uint32_t name)
{
	return name_entry_name(entry) == name && name_entry_end(entry) == addr;
}

static inline bool begins_with(const struct name_entry *entry, uint64_t addr, uint32_t name)
{
	return name_entry_name(entry) == name && entry->start == addr;
}

/* Whether what ends in the leaf before, or begins in the next one, at the address has the name. */
static __attribute__((noinline)) bool ends_in_last(uint32_t slot, uint64_t addr, uint32_t name)
{
	const struct name_leaf *leaf = tree_leaf(slot - 1);

	return leaf->count && ends_with(&leaf->entries[leaf->count - 1], addr, name);
}

static __attribute__((noinline)) bool begins_in_next(uint32_t slot, uint64_t addr, uint32_t name)
{
	const struct name_leaf *leaf;

	if (tree.slots[slot + 1].first > addr)
		return false;
	leaf = tree_leaf(slot + 1);
	return leaf->count && begins_with(&leaf->entries[0], addr, name);
}

static inline bool ends_before(uint32_t slot, uint64_t addr, uint32_t name)
{
	return slot && ends_in_last(slot, addr, name);
}

static inline bool begins_behind(uint32_t slot, uint64_t addr, uint32_t name)
{
	return slot + 1 < tree.count && begins_in_next(slot, addr, name);
}

/* ---- an equal range ------------------------------------------------------------------------- */

static __attribute__((noinline)) void count_names(uint32_t slot, uint32_t before, uint32_t name)
{
	struct name_leaf *leaf = tree_leaf(slot);

	tree.ranges += (uint64_t)(name != 0) - (before != 0);
	leaf->dead += (uint32_t)(name == 0) - (before == 0);
	if (leaf->dead > MANY_DEAD && leaf->dead * 2 > leaf->count)
		tree_rebuild(slot, slot, &(struct span){ 0 });
}

/* A range whose name is taken away stays for a while as one without: it mostly gets another. */
static inline __attribute__((always_inline)) void set_in_place(uint32_t slot,
							       struct name_leaf *leaf, uint32_t i,
							       uint32_t name)
{
	uint64_t *word = &leaf->entries[i].what;
	uint32_t before = name_entry_name(&leaf->entries[i]);

	if (name)
		strings_ref(name);
	space_commit(tree.slots[slot].leaf * NAME_BLOCK_BYTES +
			     (uint64_t)((char *)word - (char *)leaf),
		     word, (*word & ~(uint64_t)0xffffff) | name);
	if (before)
		strings_unref(before);
	if (!name || !before)
		count_names(slot, before, name);
}

/* Whether it would become one with a neighbour. */
static inline bool joins(uint32_t slot, const struct name_leaf *leaf, uint32_t i, uint32_t name)
{
	const struct name_entry *entry = &leaf->entries[i];
	bool ends = i ? ends_with(entry - 1, entry->start, name)
		      : ends_before(slot, entry->start, name);

	if (ends || i + 1 == leaf->count)
		return ends || begins_behind(slot, name_entry_end(entry), name);
	return begins_with(entry + 1, name_entry_end(entry), name);
}

static inline __attribute__((always_inline)) bool set_equal(uint32_t slot, uint32_t i,
							    uint64_t start, uint64_t end,
							    uint32_t name)
{
	struct name_leaf *leaf = tree_leaf(slot);
	const struct name_entry *entry = &leaf->entries[i];

	if (i >= leaf->count || entry->start != start || name_entry_end(entry) != end)
		return false;
	if (name_entry_name(entry) == name)
		return true;
	if (name && joins(slot, leaf, i, name))
		return false;
	set_in_place(slot, leaf, i, name);
	return true;
}

/* ---- one leaf ------------------------------------------------------------------------------- */

/* Entries from i up to j give way to new ones. */
struct change {
	uint32_t slot, i, j;
	struct name_entry entries[12];
	uint32_t count;
};

static uint32_t copy_changed(struct name_leaf *to, const struct name_leaf *from,
			     const struct change *change)
{
	uint32_t dead = from->dead, rest = from->count - change->j;

	for (uint32_t i = change->i; i < change->j; i++)
		dead -= name_entry_name(&from->entries[i]) == 0;
	to->count = change->i + change->count + rest;
	memcpy(to->entries, from->entries, change->i * sizeof(*to->entries));
	memcpy(to->entries + change->i, change->entries, change->count * sizeof(*to->entries));
	memcpy(to->entries + change->i + change->count, from->entries + change->j,
	       rest * sizeof(*to->entries));
	return dead;
}

static int change_leaf(const struct change *change)
{
	struct name_slot *slot = &tree.slots[change->slot];
	const struct name_leaf *from = tree_leaf(change->slot);
	uint32_t block = space_alloc(), before = (uint32_t)slot->leaf;
	struct name_leaf *to;

	if (!block)
		return -ENOMEM;
	to = space_block(block);
	to->dead = copy_changed(to, from, change);
	for (uint32_t i = 0; i < change->count; i++)
		tree_gain(&change->entries[i]);
	space_commit((uint64_t)tree.block * NAME_BLOCK_BYTES +
			     (uint64_t)((char *)&slot->leaf - (char *)tree.slots),
		     &slot->leaf, block);
	for (uint32_t i = change->i; i < change->j; i++)
		tree_lose(&from->entries[i]);
	space_retire(before);
	return 0;
}

/* A leaf with few entries joins a neighbour that has room for them. */
static void join_few(uint32_t slot)
{
	if (tree_leaf(slot)->count >= FEW)
		return;
	if (slot + 1 < tree.count && tree_leaf(slot + 1)->count < NAME_LEAF_ENTRIES / 2)
		tree_rebuild(slot, slot + 1, &(struct span){ 0 });
	else if (slot && tree_leaf(slot - 1)->count < NAME_LEAF_ENTRIES / 2)
		tree_rebuild(slot - 1, slot, &(struct span){ 0 });
}

static bool goes_beyond(uint32_t slot, const struct span *range, const struct change *change)
{
	const struct name_leaf *leaf = tree_leaf(slot);

	if (slot + 1 < tree.count && tree.slots[slot + 1].first < range->end)
		return true;
	return range->name &&
	       ((change->i == 0 && ends_before(slot, range->start, range->name)) ||
		(change->j == leaf->count && begins_behind(slot, range->end, range->name)));
}

/* Two full leaves become three, which keeps leaves two thirds full; at the end one is left behind full. */
static int split_full(uint32_t slot, const struct span *range, bool at_end)
{
	if (slot + 1 < tree.count)
		return tree_rebuild(slot, slot + 1, range);
	return tree_rebuild(slot && !at_end ? slot - 1 : slot, slot, range);
}

static int set_in_leaf(uint32_t slot, uint32_t upto, const struct span *range)
{
	const struct name_leaf *leaf = tree_leaf(slot);
	struct change change = { .slot = slot, .i = upto, .j = upto };
	struct span out[8];
	struct splice splice = { .range = *range, .out = out, .room = 8 };
	uint32_t count;
	int err;

	while (change.i && name_entry_end(&leaf->entries[change.i - 1]) >= range->start)
		change.i--;
	while (change.j < leaf->count && leaf->entries[change.j].start <= range->end)
		change.j++;
	if (goes_beyond(slot, range, &change))
		return tree_rebuild_over(slot, range);
	for (uint32_t i = change.i; i < change.j; i++)
		splice_add(&splice, &leaf->entries[i]);
	splice_end(&splice);
	change.count = spans_encode(out, splice.count, change.entries);
	count = leaf->count - (change.j - change.i) + change.count;
	if (count > NAME_LEAF_ENTRIES)
		return split_full(slot, range, change.j == leaf->count);
	if (count == 0 && tree.count > 1)
		return tree_rebuild(slot, slot, range);
	err = change_leaf(&change);
	if (!err)
		join_few(slot);
	return err;
}

/* By where a range begins: its slot and its place in the leaf. Without them it would take two searches. */
static struct hints ranges_seen;

static __attribute__((noinline)) int set_anywhere(uint64_t start, uint64_t end, uint32_t name)
{
	uint32_t slot = slot_of(start), upto = entries_upto(tree_leaf(slot), start);

	if (!upto || !set_equal(slot, upto - 1, start, end, name))
		return set_in_leaf(slot, upto, &(struct span){ start, end, name });
	hint_keep(&ranges_seen, start, slot * PLACES_A_LEAF + upto - 1);
	return 0;
}

__attribute__((hot)) int table_set(uint64_t start, uint64_t end, uint32_t name)
{
	uint32_t seen = hint_look(&ranges_seen, start);

	if (seen / PLACES_A_LEAF < tree.count &&
	    set_equal(seen / PLACES_A_LEAF, seen % PLACES_A_LEAF, start, end, name))
		return 0;
	return set_anywhere(start, end, name);
}

/* ---- looking -------------------------------------------------------------------------------- */

bool table_next(uint64_t addr, uint64_t end, struct span *ret_span)
{
	uint32_t slot = slot_of(addr), i = entries_upto(tree_leaf(slot), addr);

	for (i = i ? i - 1 : 0; slot < tree.count; slot++, i = 0) {
		const struct name_leaf *leaf = tree_leaf(slot);

		for (; i < leaf->count; i++) {
			const struct name_entry *entry = &leaf->entries[i];
			uint64_t stop = name_entry_end(entry);

			if (entry->start >= end)
				return false;
			if (stop <= addr || !name_entry_name(entry))
				continue;
			*ret_span =
				(struct span){ entry->start > addr ? entry->start : addr,
					       stop < end ? stop : end, name_entry_name(entry) };
			return true;
		}
	}
	return false;
}

/* ---- moving --------------------------------------------------------------------------------- */

int table_move(uint64_t start, uint64_t end, uint64_t to, uint64_t to_bytes, bool stays)
{
	uint64_t length = end - start, kept = length < to_bytes ? length : to_bytes;
	uint64_t at = start;
	struct span span;
	int err = 0;

	if (to != start)
		err = table_set(to, to + to_bytes, 0);
	while (!err && at < start + kept && to != start && table_next(at, start + kept, &span)) {
		err = table_set(span.start - start + to, span.end - start + to, span.name);
		at = span.end;
	}
	if (!err && to_bytes > length && length && table_next(end - 1, end, &span))
		err = table_set(to + length, to + to_bytes, span.name);
	if (to != start && !stays)
		table_set(start, end, 0);
	else if (to == start && kept < length)
		table_set(start + kept, end, 0);
	return err;
}

/* ---- counting ------------------------------------------------------------------------------- */

void table_count(struct memoir_name_counts *counts)
{
	uint64_t own;

	if (!space.header)
		return;
	counts->ranges = tree.ranges;
	strings_count(&counts->names, &counts->name_bytes, &own);
	counts->table_bytes = space.header->used_bytes + own + 4096;
}
