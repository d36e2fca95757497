// SPDX-License-Identifier: MIT
/*
 * Name tables come from strangers: whatever they hold, reading comes to an end, and what it lists is in
 * order and has valid names, and what is announced becomes objects and holders within their limits. The input changes a good table, which it is too small to be itself: each
 * line pokes bytes into its memory, or into what the reader is given the next time.
 */
#include "replay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names/announced.h"
#include "names/reader.h"
#include "snapshot/capture.h"

#define ANCHOR 0x1000u
#define SEGMENT 0x100000u
#define SPACE_BYTES (2u * NAME_SEGMENT_BYTES)
#define READS_MAX 4000

struct world {
	struct name_header header;
	uint8_t space[SPACE_BYTES];
	const uint8_t *data; /* what is left of the input */
	size_t size;
	int reads;
};

/* ---- a good table --------------------------------------------------------------------------- */

static void put(struct world *w, uint64_t where, const void *bytes, size_t size)
{
	memcpy(w->space + where, bytes, size);
}

static void put_name(struct world *w, uint32_t name, const char *text)
{
	struct name_string string = { .length = (uint8_t)strlen(text) };

	put(w, name * 8ull, &string, sizeof(string));
	put(w, name * 8ull + sizeof(string), text, strlen(text) + 1);
}

static void put_leaf(struct world *w, uint32_t block, uint64_t start)
{
	struct name_leaf leaf = { .count = 3 };

	for (uint32_t i = 0; i < leaf.count; i++)
		leaf.entries[i] = (struct name_entry){ start + i * 0x2000,
						       0x1000ull << 24 | (1024u + i % 2 * 16) };
	put(w, (uint64_t)block * NAME_BLOCK_BYTES, &leaf, sizeof(leaf));
}

static void make_good(struct world *w)
{
	const struct name_slot slots[2] = { { 0, 9 }, { 0x50000, 70 } };

	memset(w, 0, sizeof(*w));
	w->header = (struct name_header){
		.magic = NAME_TABLE_MAGIC,
		.version = NAME_TABLE_VERSION,
		.header_bytes = sizeof(w->header),
		.block_bytes = NAME_BLOCK_BYTES,
		.segment_bytes = NAME_SEGMENT_BYTES,
		.journal_changes = 16,
		.generation = 5,
		.root = NAME_ROOT(10, 2),
		.used_bytes = SPACE_BYTES,
		.segments = { SEGMENT, SEGMENT + NAME_SEGMENT_BYTES },
	};
	put_name(w, 1024, "first");
	put_name(w, 1040, "second");
	put_leaf(w, 9, 0x10000);
	put_leaf(w, 70, 0x60000);
	put(w, 10 * NAME_BLOCK_BYTES, slots, sizeof(slots));
	for (uint64_t i = 1; i < 16; i++) {
		struct name_change change = { i, 9 * NAME_BLOCK_BYTES + 24,
					      0x2000ull << 24 | 1024 };

		put(w, i * sizeof(change), &change, sizeof(change));
	}
}

/* ---- what the input does -------------------------------------------------------------------- */

/* A line is an offset in header and space, and the number that is put there; false: there is no more. */
static bool poke(struct world *w)
{
	const uint8_t *end = w->size ? memchr(w->data, '\n', w->size) : NULL;
	size_t len = end ? (size_t)(end - w->data) : w->size;
	char line[64];
	unsigned long long where, value;

	if (!w->size)
		return false;
	snprintf(line, sizeof(line), "%.*s", (int)(len < 63 ? len : 63), (const char *)w->data);
	w->data += end ? len + 1 : len;
	w->size -= end ? len + 1 : len;
	if (sscanf(line, "%llx %llx", &where, &value) != 2)
		return line[0] != '-';
	if (where <= sizeof(w->header) - 8)
		memcpy((char *)&w->header + where, &value, 8);
	else if (where >= 0x1000 && where - 0x1000 <= SPACE_BYTES - 8)
		memcpy(w->space + (where - 0x1000), &value, 8);
	return true;
}

static int read_world(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	struct world *w = arg;

	FUZZ_HOLDS(bytes <= NAME_SPACE_BYTES);
	FUZZ_HOLDS(w->reads++ < READS_MAX);
	/* A line that begins with - is for the next reading. */
	while (poke(w))
		;
	if (addr == ANCHOR && bytes <= sizeof(w->header)) {
		memcpy(buffer, &w->header, bytes);
		return 0;
	}
	if (addr < SEGMENT || addr - SEGMENT > SPACE_BYTES ||
	    bytes > SPACE_BYTES - (addr - SEGMENT))
		return -EFAULT;
	memcpy(buffer, w->space + (addr - SEGMENT), bytes);
	return 0;
}

static void check(const struct names_table *table)
{
	uint64_t end = 0;

	for (size_t i = 0; i < table->count + table->announced_count; i++) {
		bool announced = i >= table->count;
		const struct named_range *range =
			announced ? &table->announced[i - table->count] : &table->ranges[i];

		FUZZ_HOLDS(range->start >= end && range->start < range->end);
		FUZZ_HOLDS(announced == (range->start >= NAME_ANNOUNCED));
		end = range->end;
		FUZZ_HOLDS(strlen(range->name) <= NAME_TEXT_MAX);
		for (const char *c = range->name; *c; c++)
			FUZZ_HOLDS(*c > 0x1f && *c < 0x7f && !strchr("\\`$[]", *c));
	}
}

/* The corpora call this process 1234. */
static void set_pid(struct named_range *range)
{
	uint32_t number = announced_number_of(range->start);
	uint64_t start = range->start;

	if (start == announced_owner(1234))
		range->start = announced_owner(getpid());
	else if (start == announced_reference(number, 1234))
		range->start = announced_reference(number, getpid());
	range->end += range->start - start;
}

/* What becomes of announcements in a capture, as this process's own. */
static void take_announced(const struct names_table *table)
{
	static struct memoir memoir;
	struct capture c = { .memoir = &memoir, .options.buffers = true, .snap = snapshot_new() };

	for (size_t i = 0; i < table->announced_count; i++)
		set_pid(&table->announced[i]);
	if (!memoir.root)
		FUZZ_HOLDS(kroot_open(NULL, &memoir.root) == 0);
	for (pid_t pid = getpid(); c.snap && c.snap->process_count < 2; pid = 1)
		*snapshot_add_process(c.snap) = (struct memoir_process){ .pid = pid, .comm = "x" };
	FUZZ_HOLDS(announced_take(&c, 0, table) == 0);
	for (size_t i = 0; i < c.snap->object_count; i++) {
		const struct memoir_object *o = &c.snap->objects[i];

		FUZZ_HOLDS(o->size_bytes && o->size_bytes < 1ull << 41 && !o->resident_known);
		FUZZ_HOLDS(o->inode >> 20 == (uint64_t)getpid());
	}
	for (size_t i = 0; i < c.snap->holder_count; i++) {
		const struct memoir_holder *h = &c.snap->holders[i];

		FUZZ_HOLDS(h->object < c.snap->object_count && h->process < 2);
		FUZZ_HOLDS(h->fd == MEMOIR_NO_FD && h->announced && h->announced < 1u << 19);
	}
	announced_free(&c.announced);
	memoir_snapshot_free(c.snap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	const struct names_source source = { .read = read_world, .arg = &world };
	struct names_table table;
	int err;

	make_good(&world);
	world.data = data;
	world.size = size;
	err = names_read(&source, ANCHOR, &table);
	if (!size) {
		FUZZ_HOLDS(!err && table.count == 6);
	}
	if (err)
		return 0;
	check(&table);
	if (table.announced_count)
		take_announced(&table);
	names_table_free(&table);
	return 0;
}
