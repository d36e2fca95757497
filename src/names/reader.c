// SPDX-License-Identifier: MIT
/*
 * Takes a copy of a name table's space, takes back what changed meanwhile, and checks and lists what it
 * says; looks at no process but through its source.
 */
#include "names/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "names/format.h"

#define TRIES 16
#define HEADER_TRIES 3 /* where one doesn't fit together: it may have been written just then */
#define JOURNAL_MAX 65536u
#define NOT_VALID UINT32_MAX
#define SMALL_BYTES NAME_SEGMENT_BYTES /* up to that, blocks are read as they are needed */

/* What is read into. */
struct names_reader {
	char *space;
	size_t space_room; /* bytes; and as many numbers as there may be names in them */
	uint32_t *numbers; /* by 8 bytes: of the name that begins there, from 1 on; or NOT_VALID */
	uint32_t *places;  /* where numbers are */
	size_t place_count, place_room;
	struct named_range *ranges;
	size_t range_room;
	const char **names;
	size_t name_room;
};

struct reading {
	const struct names_source *source;
	uint64_t anchor;
	struct name_header header;
	struct names_reader *into;
	char *space;   /* used_bytes of it */
	uint64_t have; /* which of its blocks, by bits, unless has_all */
	bool has_all;
	struct names_table table;
};

static int read_header(const struct reading *r, struct name_header *ret_header)
{
	return r->source->read(r->source->arg, r->anchor, ret_header, sizeof(*ret_header));
}

/* ---- what is in which segment --------------------------------------------------------------- */

static uint64_t segment_begin(unsigned int k)
{
	return k ? (uint64_t)NAME_SEGMENT_BYTES << (k - 1) : 0;
}

static uint64_t segment_end(unsigned int k)
{
	return (uint64_t)NAME_SEGMENT_BYTES << k;
}

static int check_header(const struct reading *r)
{
	const struct name_header *h = &r->header;

	if (memcmp(h->magic, NAME_TABLE_MAGIC, sizeof(h->magic)) != 0)
		return -ENODATA;
	if (h->version != NAME_TABLE_VERSION)
		return -EPROTONOSUPPORT;
	if (h->header_bytes < NAME_HEADER_BYTES_MIN || h->block_bytes != NAME_BLOCK_BYTES ||
	    h->segment_bytes != NAME_SEGMENT_BYTES || h->used_bytes % NAME_BLOCK_BYTES ||
	    h->journal_changes > JOURNAL_MAX || h->journal % 8 || h->subject_pid < 0)
		return -EBADMSG;
	if (h->used_bytes > NAME_SPACE_BYTES)
		return -EFBIG;
	if (h->journal_changes &&
	    (h->journal > h->used_bytes ||
	     h->used_bytes - h->journal < h->journal_changes * sizeof(struct name_change)))
		return -EBADMSG;
	for (unsigned int k = 0; k < NAME_SEGMENTS && segment_begin(k) < h->used_bytes; k++)
		if (!h->segments[k] || h->segments[k] % 8 ||
		    h->segments[k] > UINT64_MAX - segment_end(k) ||
		    (r->source->is_private &&
		     !r->source->is_private(r->source->arg, h->segments[k],
					    (h->used_bytes < segment_end(k) ? h->used_bytes
									    : segment_end(k)) -
						    segment_begin(k))))
			return -EBADMSG;
	return 0;
}

/* Part of the space, by the segments of the header that was read first. */
static int read_space(const struct reading *r, uint64_t from, uint64_t to)
{
	int err = 0;

	for (unsigned int k = 0; k < NAME_SEGMENTS && !err; k++) {
		uint64_t begin = from > segment_begin(k) ? from : segment_begin(k);
		uint64_t end = to < segment_end(k) ? to : segment_end(k);

		if (begin < end)
			err = r->source->read(r->source->arg,
					      r->header.segments[k] + begin - segment_begin(k),
					      r->space + begin, end - begin);
	}
	return err;
}

/* Whether all of this is part of the space, and read. 0; -EBADMSG: it is not; or what `read` said. */
static int need(struct reading *r, uint64_t at, uint64_t bytes)
{
	uint64_t used = r->header.used_bytes, first = at / NAME_BLOCK_BYTES;
	int err = 0;

	if (at > used || used - at < bytes)
		return -EBADMSG;
	for (uint64_t i = first; !r->has_all && i * NAME_BLOCK_BYTES < at + bytes && !err; i++) {
		if (r->have >> i & 1)
			continue;
		r->have |= 1ull << i;
		err = read_space(r, i * NAME_BLOCK_BYTES, (i + 1) * NAME_BLOCK_BYTES);
	}
	return err;
}

/* ---- one moment ----------------------------------------------------------------------------- */

static int compare_changes(const void *a, const void *b)
{
	const struct name_change *x = a, *y = b;

	return x->generation < y->generation ? 1 : x->generation > y->generation ? -1 : 0;
}

/* What was not there yet is of no matter. */
static void take_one_back(struct reading *r, const struct name_change *change)
{
	if (change->where == NAME_WHERE_ROOT)
		r->header.root = change->before;
	else if (change->where + 8 <= r->header.used_bytes && change->where < UINT64_MAX - 8)
		memcpy(r->space + change->where, &change->before, sizeof(change->before));
}

/* Changes that came after the header was read, the last first, so that all is as it was then. */
static int take_back(struct reading *r, const struct name_header *now)
{
	uint64_t since = r->header.generation, changes = r->header.journal_changes;
	struct name_change *journal;
	size_t count = 0;
	int err = 0;

	if (now->generation < since || now->generation - since + 2 > changes ||
	    now->reused >= since)
		return -EAGAIN;
	journal = calloc(changes + 1, sizeof(*journal));
	if (!journal)
		return -ENOMEM;
	memcpy(journal, r->space + r->header.journal, changes * sizeof(*journal));
	for (size_t i = 0; i < changes; i++)
		if (journal[i].generation > since)
			journal[count++] = journal[i];
	qsort(journal, count, sizeof(*journal), compare_changes);
	for (size_t i = 0; i < count && !err; i++) {
		if (journal[i].generation != since + count - i)
			err = -EAGAIN;
		else
			take_one_back(r, &journal[i]);
	}
	free(journal);
	return err;
}

/* The journal is read after the space, and the header after the journal: nothing can be missed. */
static int settle(struct reading *r)
{
	const struct name_header *h = &r->header;
	struct name_header now;
	int err = read_header(r, &now);

	if (err || now.generation == h->generation)
		return err;
	if (!h->journal_changes)
		return -EAGAIN;
	err = read_space(r, h->journal,
			 h->journal + h->journal_changes * sizeof(struct name_change));
	if (!err)
		err = read_header(r, &now);
	return err ? err : take_back(r, &now);
}

/* ---- what it says --------------------------------------------------------------------------- */

static bool is_valid_text(const struct name_string *string)
{
	return name_is_valid(string->text, string->length) && string->text[string->length] == '\0';
}

/* For what a leaf may have: growing from range to range costs as much as reading a block. */
static int make_room(struct reading *r)
{
	struct names_reader *into = r->into;
	size_t need = NAME_LEAF_ENTRIES;
	const char **names = grow((void *)into->names, &into->name_room, r->table.name_count + need,
				  sizeof(*names));
	uint32_t *places =
		grow(into->places, &into->place_room, into->place_count + need, sizeof(*places));
	struct named_range *ranges =
		grow(into->ranges, &into->range_room, r->table.count + need, sizeof(*ranges));

	if (names)
		r->table.names = into->names = names;
	if (places)
		into->places = places;
	if (ranges)
		r->table.ranges = into->ranges = ranges;
	return names && places && ranges ? 0 : -ENOMEM;
}

/* The number of the name that begins there, or NOT_VALID. */
static int number_name(struct reading *r, uint32_t name, uint32_t *ret_number)
{
	uint32_t *numbers = r->into->numbers;
	uint64_t at = (uint64_t)name * 8;
	const struct name_string *string = (const void *)(r->space + at);
	int err = need(r, at, sizeof(*string));

	if (err)
		return err;
	if (!numbers[name]) {
		if (string->length > NAME_TEXT_MAX)
			return -EBADMSG;
		err = need(r, at, sizeof(*string) + string->length + 1u);
		if (err)
			return err;
		r->into->places[r->into->place_count++] = name;
		numbers[name] = NOT_VALID;
		if (is_valid_text(string)) {
			r->table.names[r->table.name_count++] = string->text;
			numbers[name] = (uint32_t)r->table.name_count;
		}
	}
	*ret_number = numbers[name];
	return 0;
}

static int take_range(struct reading *r, uint64_t start, uint64_t end, uint32_t name)
{
	struct names_table *table = &r->table;
	struct named_range *last = table->count ? &table->ranges[table->count - 1] : NULL;
	uint32_t number;
	int err = number_name(r, name, &number);

	if (err)
		return err;
	table->refused += number == NOT_VALID;
	if (number-- == NOT_VALID)
		return 0;
	if (last && last->end == start && last->number == number &&
	    (last->start < NAME_ANNOUNCED) == (start < NAME_ANNOUNCED)) {
		last->end = end;
		return 0;
	}
	/* There is room: take_leaf() made it. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	table->ranges[table->count++] = (struct named_range){ start, end, number, NULL };
	return 0;
}

static int take_leaf(struct reading *r, uint64_t block, uint64_t from, uint64_t to)
{
	const struct name_leaf *leaf = (const void *)(r->space + block * NAME_BLOCK_BYTES);
	int err = need(r, block * NAME_BLOCK_BYTES, NAME_BLOCK_BYTES);

	if (err)
		return err;
	if (leaf->count > NAME_LEAF_ENTRIES)
		return -EBADMSG;
	err = make_room(r);
	if (err)
		return err;
	for (uint32_t i = 0; i < leaf->count; i++) {
		const struct name_entry *entry = &leaf->entries[i];
		uint64_t bytes = name_entry_bytes(entry);

		if (entry->start < from || entry->start > to || bytes > to - entry->start)
			return -EBADMSG;
		from = entry->start + bytes;
		if (name_entry_name(entry) && bytes)
			err = take_range(r, entry->start, from, name_entry_name(entry));
		if (err)
			return err;
	}
	return 0;
}

static int take_all(struct reading *r)
{
	uint64_t used = r->header.used_bytes, count = (uint32_t)r->header.root;
	uint64_t at = (r->header.root >> 32) * NAME_BLOCK_BYTES;
	const struct name_slot *slots = (const void *)(r->space + at);
	int err = need(r, at, count * sizeof(*slots));

	for (uint64_t i = 0; i < count && !err; i++) {
		uint64_t to = i + 1 < count ? slots[i + 1].first : UINT64_MAX;

		if (slots[i].first > to || slots[i].leaf >= used / NAME_BLOCK_BYTES)
			return -EBADMSG;
		err = take_leaf(r, slots[i].leaf, slots[i].first, to);
	}
	return err;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* All but the journal, which is more than half of a small table and only needed if that changed. */
static int read_all(struct reading *r)
{
	const struct name_header *h = &r->header;
	uint64_t journal = h->journal_changes ? h->journal : h->used_bytes;
	uint64_t bytes = h->journal_changes * sizeof(struct name_change);
	int err = read_space(r, 0, journal);

	memset(r->space + journal, 0, bytes);
	return err ? err : read_space(r, journal + bytes, h->used_bytes);
}

/* What is announced is at the end: it names no memory. */
static void part_announced(struct names_table *table)
{
	size_t all = table->count;

	while (table->count && table->ranges[table->count - 1].start >= NAME_ANNOUNCED)
		table->count--;
	table->announced = all > table->count ? table->ranges + table->count : NULL;
	table->announced_count = all - table->count;
}

static void take_subject(struct names_table *table, const struct name_header *header)
{
	table->subject = header->subject_pid;
	table->subject_start_ticks = header->subject_start_ticks;
	table->tried = header->subject_pid && header->header_bytes >= sizeof(*header) &&
		       header->subject_how == NAME_HOW_TRIED;
	table->generation = header->generation;
}

/* 0, or why it is not read. */
static int read_subject(struct reading *r)
{
	const struct names_source *source = r->source;
	int err = read_header(r, &r->header), wanted = 1;

	if (!err)
		err = check_header(r);
	if (err)
		return err;
	take_subject(&r->table, &r->header);
	if (source->is_wanted)
		wanted = source->is_wanted(source->arg, &r->table);
	return wanted > 0 ? 0 : wanted < 0 ? wanted : -ECANCELED;
}

/*
 * Of a small table only what its ranges need, a tenth of it: it is as it was at one moment if nothing has changed.
 * -EAGAIN: something has, or it doesn't fit together, which may come of that.
 */
static int take_needed(struct reading *r)
{
	struct name_header now;
	int err = take_all(r);

	if (!err)
		err = read_header(r, &now);
	if (!err && now.generation != r->header.generation)
		err = -EAGAIN;
	return err == -EBADMSG ? -EAGAIN : err;
}

static int take_at_one_moment(struct reading *r)
{
	int err = read_all(r);

	if (!err)
		err = settle(r);
	return err ? err : take_all(r);
}

/* Numbers are 0 wherever nothing is being read. */
static void clear_numbers(struct names_reader *into)
{
	while (into->place_count)
		into->numbers[into->places[--into->place_count]] = 0;
}

static int make_space(struct reading *r)
{
	struct names_reader *into = r->into;
	size_t bytes = r->header.used_bytes + 8, count = bytes / 8;

	/* What they have need not be kept. */
	if (into->space_room < bytes) {
		free(into->space);
		free(into->numbers);
		into->space = malloc(bytes);
		into->numbers = calloc(count, sizeof(*into->numbers));
		into->space_room = into->space && into->numbers ? bytes : 0;
	}
	r->space = into->space;
	return into->space_room ? 0 : -ENOMEM;
}

static int read_once(struct reading *r)
{
	int err = read_subject(r);

	if (!err)
		err = make_space(r);
	if (err)
		return err;
	r->has_all = r->header.used_bytes > SMALL_BYTES;
	err = r->has_all ? take_at_one_moment(r) : take_needed(r);
	if (err == -EAGAIN && !r->has_all) {
		/* What was taken in is of no moment. */
		clear_numbers(r->into);
		r->table.count = r->table.name_count = r->table.refused = 0;
		r->has_all = true;
		err = take_at_one_moment(r);
	}
	clear_numbers(r->into);
	return err;
}

int names_reader_read(struct names_reader *reader, const struct names_source *source,
		      uint64_t anchor, struct names_table *ret_table)
{
	struct reading r;
	int err = -EAGAIN;

	/* Of a busy table some readings come too late; only one that never fits together is none. */
	for (int tries = 0, unfit = 0;
	     tries < TRIES && (err == -EAGAIN || (err == -EBADMSG && unfit < HEADER_TRIES));
	     tries++) {
		r = (struct reading){ .source = source, .anchor = anchor, .into = reader };
		err = read_once(&r);
		unfit += err == -EBADMSG;
	}
	if (err)
		return err;
	for (size_t i = 0; i < r.table.count; i++)
		r.table.ranges[i].name = r.table.names[r.table.ranges[i].number];
	part_announced(&r.table);
	*ret_table = r.table;
	return 0;
}

struct names_reader *names_reader_new(void)
{
	return calloc(1, sizeof(struct names_reader));
}

static void free_all(struct names_reader *reader)
{
	free(reader->space);
	free(reader->numbers);
	free(reader->places);
	free(reader->ranges);
	free((void *)reader->names);
}

void names_reader_free(struct names_reader *reader)
{
	if (!reader)
		return;
	free_all(reader);
	free(reader);
}

int names_read(const struct names_source *source, uint64_t anchor, struct names_table *ret_table)
{
	struct names_reader reader = { 0 };
	struct names_table table;
	int err = names_reader_read(&reader, source, anchor, &table);

	/* They may be many, so they are handed over. */
	if (!err)
		err = names_table_keep(&table);
	if (!err) {
		reader.ranges = table.ranges ? NULL : reader.ranges;
		reader.names = table.names ? NULL : reader.names;
		*ret_table = table;
	}
	free_all(&reader);
	return err;
}
