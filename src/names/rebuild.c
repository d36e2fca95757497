// SPDX-License-Identifier: MIT
/*
 * Changes that go over several leaves, or change how many there are: new leaves and a new directory,
 * committed by the root. Also how a table begins, and what is left of one after a fork in its midst.
 */
#include "names/tree.h"

#include <errno.h>
#include <string.h>

#include "names/system.h"

#define SLOTS_PER_BLOCK (NAME_BLOCK_BYTES / sizeof(struct name_slot))
/* What is written anew lies in four leaves at most: where the range begins and ends, and one more each. */
#define SPANS_MAX (4u * NAME_LEAF_ENTRIES + 8u)
#define LEAVES_MAX (2u * SPANS_MAX / NAME_LEAF_ENTRIES + 1u)

struct directories directories;

static struct span spans[SPANS_MAX];
static struct name_entry entries[2 * SPANS_MAX];

void tree_gain(const struct name_entry *entry)
{
	if (!name_entry_name(entry))
		return;
	strings_ref(name_entry_name(entry));
	tree.ranges++;
}

void tree_lose(const struct name_entry *entry)
{
	if (!name_entry_name(entry))
		return;
	strings_unref(name_entry_name(entry));
	tree.ranges--;
}

/* ---- directories ---------------------------------------------------------------------------- */

static uint32_t turns(void)
{
	return directories.blocks == 1 ? TURNS_MAX : TURNS_LARGE;
}

static uint32_t alloc_directory(uint32_t blocks)
{
	return blocks == 1 ? space_alloc() : space_alloc_run(blocks);
}

static void release_directories(void)
{
	for (uint32_t i = 0; i < TURNS_MAX; i++) {
		for (uint32_t k = 0; directories.block[i] && k < directories.blocks; k++)
			space_release(directories.block[i] + k);
		directories.block[i] = 0;
	}
}

/* The block of the directory whose turn is next, for this many slots; 0: no memory. */
static uint32_t next_directory(uint32_t slots, uint32_t *ret_blocks)
{
	uint32_t blocks = directories.blocks ? directories.blocks : 1;
	uint32_t next = (directories.turn + 1) % turns();

	while (blocks * SLOTS_PER_BLOCK < slots)
		blocks *= 2;
	*ret_blocks = blocks;
	if (blocks != directories.blocks)
		return alloc_directory(blocks);
	if (!directories.block[next])
		directories.block[next] = alloc_directory(blocks);
	else
		space_reuse(directories.retired[next]);
	return directories.block[next];
}

static void settle_directories(uint32_t block, uint32_t blocks)
{
	if (blocks != directories.blocks) {
		release_directories();
		directories.blocks = blocks;
		directories.turn = 0;
		directories.block[0] = block;
		return;
	}
	directories.retired[directories.turn] = space.header->generation;
	directories.turn = (directories.turn + 1) % turns();
}

/* ---- leaves --------------------------------------------------------------------------------- */

struct rebuild {
	uint32_t from, to;
	struct span range;
	uint32_t count;              /* of entries */
	uint32_t leaves[LEAVES_MAX]; /* blocks of the new ones */
	uint32_t sizes[LEAVES_MAX];
	uint32_t leaf_count;
};

/* Whether all of a leaf is covered by the range. */
static bool is_covered(const struct rebuild *r, uint32_t slot)
{
	return slot < r->to && tree.slots[slot].first >= r->range.start &&
	       tree.slots[slot + 1].first <= r->range.end;
}

static void gather(struct rebuild *r)
{
	struct splice splice = { .range = r->range, .out = spans, .room = SPANS_MAX };

	for (uint32_t slot = r->from; slot <= r->to; slot++) {
		const struct name_leaf *leaf = tree_leaf(slot);

		for (uint32_t i = 0; !is_covered(r, slot) && i < leaf->count; i++)
			splice_add(&splice, &leaf->entries[i]);
	}
	splice_end(&splice);
	r->count = spans_encode(spans, splice.count, entries);
}

/* Ranges often come in rising or in falling order: then what lies behind is not touched again. */
static void choose_sizes(struct rebuild *r)
{
	uint32_t n = (r->count + NAME_LEAF_ENTRIES - 1) / NAME_LEAF_ENTRIES, left = r->count;
	bool rising =
		r->to + 1 == tree.count && n > 1 && entries[r->count - 1].start == r->range.start;
	bool falling = r->from == 0 && n > 1 && entries[0].start == r->range.start;

	if (n == 0 && r->to - r->from + 1 == tree.count)
		n = 1;
	r->leaf_count = n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t size = (left + n - i - 1) / (n - i);

		if (rising)
			size = left < NAME_LEAF_ENTRIES ? left : NAME_LEAF_ENTRIES;
		if (falling && i == 0)
			size = r->count - (n - 1) * NAME_LEAF_ENTRIES;
		r->sizes[i] = size;
		left -= size;
	}
}

static int make_leaves(struct rebuild *r)
{
	const struct name_entry *at = entries;

	for (uint32_t i = 0; i < r->leaf_count; i++) {
		struct name_leaf *leaf;

		r->leaves[i] = space_alloc();
		if (!r->leaves[i]) {
			while (i--)
				space_release(r->leaves[i]);
			return -ENOMEM;
		}
		leaf = space_block(r->leaves[i]);
		leaf->count = r->sizes[i];
		leaf->dead = 0;
		memcpy(leaf->entries, at, leaf->count * sizeof(*at));
		at += leaf->count;
	}
	return 0;
}

static uint32_t fill_directory(const struct rebuild *r, struct name_slot *slots)
{
	uint32_t n = r->from, at = 0, rest = tree.count - r->to - 1;

	memcpy(slots, tree.slots, n * sizeof(*slots));
	for (uint32_t i = 0; i < r->leaf_count; i++) {
		uint64_t first = i ? entries[at].start : tree.slots[r->from].first;

		slots[n++] = (struct name_slot){ first, r->leaves[i] };
		at += r->sizes[i];
	}
	memcpy(slots + n, tree.slots + r->to + 1, rest * sizeof(*slots));
	slots[0].first = 0;
	return n + rest;
}

static void drop_old(uint32_t block)
{
	const struct name_leaf *leaf = space_block(block);

	for (uint32_t i = 0; i < leaf->count; i++)
		tree_lose(&leaf->entries[i]);
	space_retire(block);
}

static void set_tree(uint32_t block, uint32_t slots)
{
	tree.slots = space_block(block);
	tree.block = block;
	tree.count = slots;
}

static int replace(const struct rebuild *r, uint32_t block, uint32_t blocks)
{
	const struct name_slot *old = tree.slots;
	uint32_t slots = fill_directory(r, space_block(block));

	for (uint32_t i = 0; i < r->count; i++)
		tree_gain(&entries[i]);
	space_commit(NAME_WHERE_ROOT, &space.header->root, NAME_ROOT(block, slots));
	set_tree(block, slots);
	for (uint32_t slot = r->from; slot <= r->to; slot++)
		drop_old((uint32_t)old[slot].leaf);
	settle_directories(block, blocks);
	return 0;
}

int tree_rebuild(uint32_t from, uint32_t to, const struct span *range)
{
	struct rebuild r = { .from = from, .to = to, .range = *range };
	uint32_t slots, block, blocks;

	gather(&r);
	choose_sizes(&r);
	slots = tree.count - (to - from + 1) + r.leaf_count;
	block = next_directory(slots, &blocks);
	if (!block)
		return -ENOMEM;
	if (make_leaves(&r) < 0) {
		for (uint32_t i = 0; blocks != directories.blocks && i < blocks; i++)
			space_release(block + i);
		return -ENOMEM;
	}
	return replace(&r, block, blocks);
}

int tree_rebuild_over(uint32_t slot, const struct span *range)
{
	uint32_t from = slot, to = slot;

	if (range->name && from && tree.slots[from].first == range->start)
		from--;
	while (to + 1 < tree.count && (tree.slots[to + 1].first < range->end ||
				       (range->name && tree.slots[to + 1].first == range->end)))
		to++;
	return tree_rebuild(from, to, range);
}

/* ---- the first, and after a fork ------------------------------------------------------------ */

int table_open(const struct name_subject *subject)
{
	struct name_leaf *leaf;
	uint32_t block, first;
	uint64_t magic;

	if (space.header)
		return 0;
	if (space_open() < 0)
		return -ENOMEM;
	block = space_alloc();
	first = space_alloc();
	leaf = space_block(first);
	leaf->count = leaf->dead = 0;
	set_tree(block, 1);
	tree.slots[0] = (struct name_slot){ 0, first };
	directories.blocks = 1;
	directories.block[0] = block;
	space.header->root = NAME_ROOT(block, 1);
	if (subject) {
		space.header->subject_pid = subject->pid;
		space.header->subject_start_ticks = subject->start_ticks;
		space.header->subject_how = subject->how;
	}
	memcpy(&magic, NAME_TABLE_MAGIC, sizeof(magic));
	__atomic_store_n((uint64_t *)(void *)space.header->magic, magic, __ATOMIC_RELEASE);
	return 0;
}

static void recover_leaf(struct name_leaf *leaf, uint8_t *used)
{
	leaf->dead = 0;
	for (uint32_t i = 0; i < leaf->count; i++) {
		uint32_t name = name_entry_name(&leaf->entries[i]);

		if (!name) {
			leaf->dead++;
			continue;
		}
		tree.ranges++;
		strings_keep(name);
		if (used)
			used[(uint64_t)name * 8 / NAME_BLOCK_BYTES] = 1;
	}
}

static void recover_directory(uint8_t *used)
{
	uint32_t blocks = 1;

	while (blocks * SLOTS_PER_BLOCK < tree.count)
		blocks *= 2;
	memset(&directories, 0, sizeof(directories));
	directories.blocks = blocks;
	directories.block[0] = tree.block;
	for (uint32_t i = 0; used && i < blocks; i++)
		used[tree.block + i] = 1;
}

void table_recover(void)
{
	bool open = space.header &&
		    memcmp(space.header->magic, NAME_TABLE_MAGIC, sizeof(space.header->magic)) == 0;
	uint8_t *used;

	tree = (struct tree){ 0 };
	memset(&directories, 0, sizeof(directories));
	strings_forget();
	if (!open) {
		space = (struct space){ 0 };
		return;
	}
	space_recover();
	set_tree((uint32_t)(space.header->root >> 32), (uint32_t)space.header->root);
	/* Without it nothing is free, but all is right. */
	used = system_map(space.blocks);
	recover_directory(used);
	for (uint32_t slot = 0; slot < tree.count; slot++) {
		if (used)
			used[tree.slots[slot].leaf] = 1;
		recover_leaf(tree_leaf(slot), used);
	}
	if (used) {
		space_keep(used);
		system_unmap(used, space.blocks);
	}
}
