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

struct reading {
	const struct names_source *source;
	uint64_t anchor;
	struct name_header header;
	char *space;       /* used_bytes of it */
	uint8_t *have;     /* which of its blocks, NULL: all */
	uint32_t *numbers; /* by 8 bytes: of the name that begins there, from 1 on; or NOT_VALID */
	struct names_table table;
	size_t room, name_room;
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
static int need(const struct reading *r, uint64_t at, uint64_t bytes)
{
	uint64_t used = r->header.used_bytes, first = at / NAME_BLOCK_BYTES;
	int err = 0;

	if (at > used || used - at < bytes)
		return -EBADMSG;
	for (uint64_t i = first; r->have && i * NAME_BLOCK_BYTES < at + bytes && !err; i++) {
		if (r->have[i])
			continue;
		r->have[i] = true;
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
	struct names_table *table = &r->table;
	const char **names = grow((void *)table->names, &r->name_room,
				  table->name_count + NAME_LEAF_ENTRIES, sizeof(*names));
	struct named_range *ranges =
		grow(table->ranges, &r->room, table->count + NAME_LEAF_ENTRIES, sizeof(*ranges));

	if (names)
		table->names = names;
	if (ranges)
		table->ranges = ranges;
	return names && ranges ? 0 : -ENOMEM;
}

/* The number of the name that begins there, or NOT_VALID. */
static int number_name(struct reading *r, uint32_t name, uint32_t *ret_number)
{
	uint64_t at = (uint64_t)name * 8;
	const struct name_string *string = (const void *)(r->space + at);
	int err = need(r, at, sizeof(*string));

	if (err)
		return err;
	if (!r->numbers[name]) {
		if (string->length > NAME_TEXT_MAX)
			return -EBADMSG;
		err = need(r, at, sizeof(*string) + string->length + 1u);
		if (err)
			return err;
		r->numbers[name] = NOT_VALID;
		if (is_valid_text(string)) {
			r->table.names[r->table.name_count++] = string->text;
			r->numbers[name] = (uint32_t)r->table.name_count;
		}
	}
	*ret_number = r->numbers[name];
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

/* Names are few bytes of the space, which is not kept for them. */
static int keep_names(struct names_table *table)
{
	size_t bytes = 0;
	char *text;

	for (size_t i = 0; i < table->name_count; i++)
		bytes += strlen(table->names[i]) + 1;
	text = table->text = malloc(bytes + 1);
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < table->name_count; i++) {
		const char *name = table->names[i];

		table->names[i] = text;
		text = stpcpy(text, name) + 1;
	}
	for (size_t i = 0; i < table->count; i++)
		table->ranges[i].name = table->names[table->ranges[i].number];
	return 0;
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

/* What was taken in is of no moment. */
static void take_anew(struct reading *r)
{
	memset(r->numbers, 0, (r->header.used_bytes / 8 + 1) * sizeof(*r->numbers));
	r->table.count = r->table.name_count = r->table.refused = 0;
	free(r->have);
	r->have = NULL;
}

static int read_once(struct reading *r)
{
	int err = read_subject(r);

	if (err)
		return err;
	r->space = malloc(r->header.used_bytes + 8);
	r->numbers = calloc(r->header.used_bytes / 8 + 1, sizeof(*r->numbers));
	if (!r->space || !r->numbers)
		return -ENOMEM;
	if (r->header.used_bytes <= SMALL_BYTES) {
		r->have = calloc(SMALL_BYTES / NAME_BLOCK_BYTES, sizeof(*r->have));
		err = r->have ? take_needed(r) : -ENOMEM;
	}
	if (err == -EAGAIN)
		take_anew(r);
	if (err == -EAGAIN || (!err && !r->have))
		err = take_at_one_moment(r);
	if (!err)
		err = keep_names(&r->table);
	if (!err)
		part_announced(&r->table);
	return err;
}

int names_read(const struct names_source *source, uint64_t anchor, struct names_table *ret_table)
{
	int err = -EAGAIN;

	/* Of a busy table some readings come too late; only one that never fits together is none. */
	for (int tries = 0, unfit = 0;
	     tries < TRIES && (err == -EAGAIN || (err == -EBADMSG && unfit < HEADER_TRIES));
	     tries++) {
		struct reading r = { .source = source, .anchor = anchor };

		err = read_once(&r);
		unfit += err == -EBADMSG;
		free(r.numbers);
		free(r.have);
		free(r.space);
		if (err)
			names_table_free(&r.table);
		else
			*ret_table = r.table;
	}
	return err;
}

void names_table_free(struct names_table *table)
{
	free(table->ranges);
	free((void *)table->names);
	free(table->text);
	*table = (struct names_table){ 0 };
}
