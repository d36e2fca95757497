// SPDX-License-Identifier: MIT
/*
 * The tables of who shares and holds what: sharing sets, and open files that are objects. What is
 * read is not believed before it is checked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "store/schema.h"
#include "store/tables.h"

/* ---- writing -------------------------------------------------------------------------------- */

static int put_sets(struct writer *w, const struct memoir_snapshot *s)
{
	if (writer_begin(w, "sets", STORE_SET_COLUMNS))
		return w->status;
	for (size_t i = 0; i < s->set_count && w->status == SQLITE_OK; i++) {
		const struct memoir_set *set = &s->sets[i];

		writer_int(w, (int64_t)i);
		writer_index(w, set->parent);
		writer_int(w, set->region);
		writer_int(w, set->members);
		writer_int(w, set->of_object);
		writer_int(w, (int64_t)set->ram_bytes);
		writer_int(w, (int64_t)set->swap_bytes);
		writer_int(w, (int64_t)set->freed_bytes);
		writer_end_row(w);
	}
	return writer_end(w);
}

static int put_holders(struct writer *w, const struct memoir_snapshot *s)
{
	if (writer_begin(w, "holders", STORE_HOLDER_COLUMNS STORE_ANNOUNCED_COLUMN))
		return w->status;
	for (size_t i = 0; i < s->holder_count && w->status == SQLITE_OK; i++) {
		const struct memoir_holder *holder = &s->holders[i];

		writer_int(w, (int64_t)i);
		writer_int(w, holder->object);
		writer_int(w, holder->process);
		writer_int(w, holder->fd);
		writer_int(w, holder->announced);
		writer_end_row(w);
	}
	return writer_end(w);
}

static int put_in_flight(struct writer *w, const struct memoir_snapshot *s)
{
	if (writer_begin(w, "in_flight", STORE_IN_FLIGHT_COLUMNS))
		return w->status;
	for (size_t i = 0; i < s->in_flight_count && w->status == SQLITE_OK; i++) {
		writer_int(w, (int64_t)i);
		writer_bits(w, s->in_flight[i].socket);
		writer_int(w, s->in_flight[i].process);
		writer_int(w, s->in_flight[i].fd);
		writer_int(w, s->in_flight[i].files);
		writer_end_row(w);
	}
	return writer_end(w);
}

int tables_put_sharing(struct writer *w, const struct memoir_snapshot *s)
{
	if (!put_sets(w, s) && !put_holders(w, s))
		put_in_flight(w, s);
	return w->status;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void load_set(struct reader *r, const struct memoir_snapshot *s, struct memoir_set *set)
{
	int64_t parent;

	set->parent =
		reader_int_or_null(r, 0, r->row - 1, &parent) ? (uint32_t)parent : MEMOIR_NONE;
	set->region = (uint32_t)reader_int(r, 0, (int64_t)s->region_count - 1);
	set->members = (uint32_t)reader_int(r, 1, UINT32_MAX);
	set->of_object = reader_int(r, 0, 1);
	set->ram_bytes = reader_amount(r);
	set->swap_bytes = reader_amount(r);
	set->freed_bytes = reader_amount(r);
}

/* What a set says has to go with what its parent, or the lack of one, says. */
static void check_set(struct reader *r, const struct memoir_snapshot *s,
		      const struct memoir_set *set)
{
	const struct memoir_set *parent = set->parent == MEMOIR_NONE ? NULL : &s->sets[set->parent];

	if (set->members - 1 != (parent ? parent->members : 0))
		reader_damaged(r, "row %" PRId64 " of sets: it cannot have %" PRIu32 " members",
			       r->row, set->members);
	if (parent && parent->of_object != set->of_object)
		reader_damaged(r, "row %" PRId64 " of sets: the parent's pages are of another sort",
			       r->row);
	if (set->of_object && set->swap_bytes)
		reader_damaged(r, "row %" PRId64 " of sets: pages of an object have swap entries",
			       r->row);
}

static int load_sets(struct reader *r, struct memoir_snapshot *s)
{
	reader_begin(r, "sets", STORE_SET_COLUMNS);
	while (reader_next(r)) {
		struct memoir_set *set = snapshot_add_set(s);

		if (!set) {
			r->err = -ENOMEM;
			break;
		}
		load_set(r, s, set);
		if (!r->err)
			check_set(r, s, set);
	}
	return reader_end(r);
}

static void load_holder(struct reader *r, const struct memoir_snapshot *s,
			struct memoir_holder *holder)
{
	holder->object = (uint32_t)reader_int(r, 0, (int64_t)s->object_count - 1);
	holder->process = (uint32_t)reader_int(r, 0, (int64_t)s->process_count - 1);
	holder->fd = (int32_t)reader_int(r, MEMOIR_NO_FD, INT32_MAX);
	holder->announced = (uint32_t)reader_int(r, 0, INT32_MAX);
}

/* Those of one object stand together; no family can be opened. */
static void check_holder(struct reader *r, const struct memoir_snapshot *s,
			 const struct memoir_holder *holder, bool *seen)
{
	bool same = r->row > 0 && holder[-1].object == holder->object;

	if (s->objects[holder->object].is_family)
		reader_damaged(r, "row %" PRId64 " of holders: object %" PRIu32 " is a family",
			       r->row, holder->object);
	if ((holder->fd == MEMOIR_NO_FD) != (holder->announced > 0))
		reader_damaged(r,
			       "row %" PRId64 " of holders: neither an fd nor announced, or both",
			       r->row);
	if (!same && seen[holder->object])
		reader_damaged(r,
			       "row %" PRId64 " of holders: those of object %" PRIu32
			       " do not stand together",
			       r->row, holder->object);
	seen[holder->object] = true;
}

static int load_holders(struct reader *r, struct memoir_snapshot *s)
{
	bool *seen = calloc(s->object_count + 1, sizeof(*seen));

	if (!seen)
		return r->err = -ENOMEM;
	reader_begin(r, "holders",
		     reader_has_column(r, "holders", "announced")
			     ? STORE_HOLDER_COLUMNS STORE_ANNOUNCED_COLUMN
			     : STORE_HOLDER_COLUMNS STORE_ANNOUNCED_NOTHING);
	while (reader_next(r)) {
		struct memoir_holder *holder = snapshot_add_holder(s);

		if (!holder) {
			r->err = -ENOMEM;
			break;
		}
		load_holder(r, s, holder);
		if (!r->err)
			check_holder(r, s, holder, seen);
	}
	free(seen);
	return reader_end(r);
}

/* Files of before there were buffers have no such table. */
static int load_in_flight(struct reader *r, struct memoir_snapshot *s)
{
	if (!reader_has_column(r, "in_flight", "files"))
		return r->err;
	reader_begin(r, "in_flight", STORE_IN_FLIGHT_COLUMNS);
	while (reader_next(r)) {
		struct memoir_in_flight *in_flight = snapshot_add_in_flight(s);

		if (!in_flight) {
			r->err = -ENOMEM;
			break;
		}
		in_flight->socket = reader_bits(r);
		in_flight->process = (uint32_t)reader_int(r, 0, (int64_t)s->process_count - 1);
		in_flight->fd = (int32_t)reader_int(r, 0, INT32_MAX);
		in_flight->files = (uint32_t)reader_int(r, 1, UINT32_MAX);
	}
	reader_end(r);
	if (!r->err &&
	    s->in_flight_count != (size_t)reader_meta_int(r, "in_flight", 0, MEMOIR_NONE))
		reader_damaged(r, "rows of in_flight are missing");
	return r->err;
}

int tables_load_sharing(struct reader *r, struct memoir_snapshot *s)
{
	if (!load_sets(r, s) && !load_holders(r, s))
		load_in_flight(r, s);
	return r->err;
}
