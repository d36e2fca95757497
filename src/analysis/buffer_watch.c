// SPDX-License-Identifier: MIT
/*
 * What became of shared buffers and their holders from one look to the next. Asks no kernel, reads no clock
 * and prints nothing.
 */
#include "analysis/buffer_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/select.h"
#include "base/grow.h"

/* Buffers that may be in flight, and are remembered for when they are received. */
#define IN_FLIGHT_MAX 4096u

/* An event, until all are known. */
struct event {
	enum memoir_buffer_event what;
	struct buffer_seen *buffer;
	struct holder_seen holder;
	char *old_tag; /* owned */
	const char *why;
};

struct events {
	struct event *all;
	size_t count, room;
};

struct memoir_buffer_watch {
	const struct memoir_selection *selection;
	bool by_process; /* the selection speaks of processes */
	bool looked;
	bool unsure;
	struct buffer_seen **buffers; /* by id, then in the order in which they were first seen */
	size_t count, room;
	struct peaks peaks;
};

/* A look that is being compared. */
struct look {
	struct memoir_buffer_watch *w;
	struct memoir_buffers now;
	size_t row_count; /* of now: those that are objects */
	bool files_in_flight;
	struct buffer_seen **kept; /* what takes the place of w->buffers */
	size_t kept_count, kept_room, in_flight;
	struct buffer_seen **gone; /* to be freed when their events were told */
	size_t gone_count, gone_room;
	struct events came, went;
};

const char *memoir_buffer_event_name(enum memoir_buffer_event event)
{
	static const char *const names[MEMOIR_BUFFER_EVENTS] = {
		[MEMOIR_BUFFER_CREATED] = "created", [MEMOIR_BUFFER_OPENED] = "opened",
		[MEMOIR_BUFFER_HELD] = "held",       [MEMOIR_BUFFER_RENAMED] = "renamed",
		[MEMOIR_BUFFER_LEFT] = "left",       [MEMOIR_BUFFER_UNHELD] = "unheld",
		[MEMOIR_BUFFER_FREED] = "freed",
	};

	return event < MEMOIR_BUFFER_EVENTS ? names[event] : NULL;
}

/* ---- events --------------------------------------------------------------------------------- */

static int note(struct events *events, enum memoir_buffer_event what, struct buffer_seen *buffer,
		const struct holder_seen *holder)
{
	struct event *all = grow(events->all, &events->room, events->count + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	events->all = all;
	all[events->count] = (struct event){ .what = what, .buffer = buffer };
	if (holder)
		all[events->count].holder = *holder;
	events->count++;
	return 0;
}

static bool is_meant(const struct memoir_buffer_watch *w, const struct event *event)
{
	bool of_holder = event->what == MEMOIR_BUFFER_HELD || event->what == MEMOIR_BUFFER_LEFT;

	return event->buffer->named &&
	       (!w->by_process || (of_holder ? event->holder.meant : event->buffer->held));
}

static uint32_t holders_now(const struct buffer_seen *seen)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < seen->holder_count; i++)
		count += !seen->holders[i].missing;
	return count;
}

static void tell(const struct event *event, uint64_t time_ns, memoir_buffer_change_fn *each,
		 void *arg)
{
	const struct buffer_seen *seen = event->buffer;
	char id[MEMOIR_OBJECT_ID_MAX];
	const struct memoir_buffer_change change = {
		.event = event->what,
		.time_ns = time_ns,
		.id = memoir_object_id(&seen->object, id),
		.kind = seen->kind,
		.tag = seen->tag,
		.old_tag = event->old_tag,
		.why = event->why,
		.size_bytes = seen->object.size_bytes,
		.resident_bytes = seen->resident_bytes,
		.own_bytes = seen->own_bytes,
		.resident_known = seen->resident_known,
		.holders = holders_now(seen),
		.pid = event->holder.pid,
		.start_ticks = event->holder.start_ticks,
		.comm = event->holder.pid ? event->holder.comm : NULL,
		.fds = event->holder.fds,
		.ranges = event->holder.ranges,
		.announced = event->holder.announced,
	};

	each(&change, arg);
}

static void tell_all(const struct look *l, struct events *events, uint64_t time_ns,
		     memoir_buffer_change_fn *each, void *arg)
{
	for (size_t i = 0; i < events->count; i++) {
		if (each && is_meant(l->w, &events->all[i]))
			tell(&events->all[i], time_ns, each, arg);
		free(events->all[i].old_tag);
	}
	free(events->all);
	*events = (struct events){ 0 };
}

/* ---- what there is now ---------------------------------------------------------------------- */

static int keep(struct look *l, struct buffer_seen *seen)
{
	struct buffer_seen **kept =
		grow(l->kept, &l->kept_room, l->kept_count + 1, sizeof(struct buffer_seen *));

	if (!kept)
		return -ENOMEM;
	l->kept = kept;
	kept[l->kept_count++] = seen;
	l->in_flight += seen->in_flight;
	return 0;
}

static int drop(struct look *l, struct buffer_seen *seen)
{
	struct buffer_seen **gone =
		grow(l->gone, &l->gone_room, l->gone_count + 1, sizeof(struct buffer_seen *));

	if (!gone)
		return -ENOMEM;
	l->gone = gone;
	gone[l->gone_count++] = seen;
	return 0;
}

static struct holder_seen holder_of(const struct look *l, const struct memoir_buffer_holder *h)
{
	struct holder_seen seen = {
		.pid = h->process->pid,
		.start_ticks = h->process->start_ticks,
		.fds = h->fd_count,
		.ranges = h->range_count,
		.announced = h->announced,
		.meant = !l->w->by_process || buffer_holder_matches(l->w->selection, h),
	};

	if (h->process->comm)
		memcpy(seen.comm, h->process->comm, strnlen(h->process->comm, COMM_BYTES - 1));
	return seen;
}

static int set_tag(struct look *l, struct buffer_seen *seen, const char *tag)
{
	char *copy;
	int err;

	if (seen_same_text(seen->tag, tag))
		return 0;
	copy = tag ? strdup(tag) : NULL;
	if (tag && !copy)
		return -ENOMEM;
	err = note(&l->came, MEMOIR_BUFFER_RENAMED, seen, NULL);
	if (err) {
		free(copy);
		return err;
	}
	l->came.all[l->came.count - 1].old_tag = seen->tag;
	seen->tag = copy;
	return 0;
}

static void describe(struct look *l, struct buffer_seen *seen, const struct memoir_buffer *row)
{
	seen->object.size_bytes = row->object->size_bytes;
	seen->object.fate = row->object->fate;
	seen->kind = row->kind;
	seen->resident_bytes = row->resident_bytes;
	seen->own_bytes = row->own_bytes;
	seen->resident_known = row->resident_known;
	seen->missing = seen->in_flight = false;
	seen->named = selection_matches_buffer(l->w->selection, row->object, row->kind, row->tag);
	for (uint32_t i = 0; i < seen->holder_count; i++)
		seen->held |= seen->holders[i].meant;
}

/* ---- holders -------------------------------------------------------------------------------- */

/* Of the old ones that are in neither place: missing for the first time they are kept. */
static int take_absent(struct look *l, struct buffer_seen *seen, const struct holder_seen *old,
		       struct holder_seen *now, uint32_t *count)
{
	if (old->missing)
		return note(&l->went, MEMOIR_BUFFER_LEFT, seen, old);
	now[*count] = *old;
	now[(*count)++].missing = true;
	l->w->unsure = true;
	return 0;
}

static int merge_holders(struct look *l, struct buffer_seen *seen, const struct holder_seen *found,
			 uint32_t found_count, struct holder_seen *now, uint32_t *count)
{
	uint32_t a = 0, b = 0;
	int err = 0;

	while (!err && (a < seen->holder_count || b < found_count)) {
		int order = a == seen->holder_count ? 1
			    : b == found_count      ? -1
					       : seen_compare_holders(&seen->holders[a], &found[b]);

		if (order < 0) {
			err = take_absent(l, seen, &seen->holders[a++], now, count);
			continue;
		}
		if (order > 0)
			err = note(&l->came, MEMOIR_BUFFER_HELD, seen, &found[b]);
		a += order == 0;
		now[(*count)++] = found[b++];
	}
	return err;
}

static int set_holders(struct look *l, struct buffer_seen *seen, const struct memoir_buffer *row)
{
	uint32_t most = row->holder_count + seen->holder_count, count = 0, before = 0;
	struct holder_seen *found = calloc(row->holder_count + 1, sizeof(*found));
	struct holder_seen *now = calloc(most + 1, sizeof(*now));
	int err = found && now ? 0 : -ENOMEM;

	if (!err) {
		for (uint32_t i = 0; i < row->holder_count; i++)
			found[i] = holder_of(l, &row->holders[i]);
		qsort(found, row->holder_count, sizeof(*found), seen_compare_holders);
		before = seen->holder_count;
		err = merge_holders(l, seen, found, row->holder_count, now, &count);
	}
	free(found);
	if (err) {
		free(now);
		return err;
	}
	free(seen->holders);
	seen->holders = now;
	seen->holder_count = count;
	if (before && !count) {
		err = note(&l->went, MEMOIR_BUFFER_UNHELD, seen, NULL);
		if (!err)
			l->went.all[l->went.count - 1].why =
				seen_numbers_of(&seen->object) == 1 ? "linked" : "kernel";
	}
	return err;
}

/* ---- what came ------------------------------------------------------------------------------ */

static bool is_file_with_name(const struct memoir_object *object)
{
	return object->kind != MEMOIR_KIND_SYSV &&
	       (object->fate == MEMOIR_FATE_KEPT || object->fate == MEMOIR_FATE_RECLAIMABLE);
}

static int take_new(struct look *l, const struct memoir_buffer *row, uint32_t alias)
{
	struct buffer_seen *seen = calloc(1, sizeof(*seen));
	int err;

	if (!seen)
		return -ENOMEM;
	seen->object = (struct memoir_object){
		.kind = row->object->kind,
		.dev_major = row->object->dev_major,
		.dev_minor = row->object->dev_minor,
		.inode = row->object->inode,
		.alias = alias,
	};
	seen->tag = row->tag ? strdup(row->tag) : NULL;
	err = row->tag && !seen->tag ? -ENOMEM : keep(l, seen);
	if (err) {
		seen_free(seen);
		return err;
	}
	err = note(&l->came,
		   is_file_with_name(row->object) ? MEMOIR_BUFFER_OPENED : MEMOIR_BUFFER_CREATED,
		   seen, NULL);
	if (!err)
		err = set_holders(l, seen, row);
	describe(l, seen, row);
	return err;
}

static int take_again(struct look *l, struct buffer_seen *seen, const struct memoir_buffer *row)
{
	int err = keep(l, seen);

	if (err) {
		seen_free(seen);
		return err;
	}
	err = set_tag(l, seen, row->tag);
	if (!err)
		err = set_holders(l, seen, row);
	describe(l, seen, row);
	return err;
}

/* ---- what went ------------------------------------------------------------------------------ */

static const char *why_it_stays(const struct look *l, const struct buffer_seen *seen)
{
	if (is_file_with_name(&seen->object))
		return "linked";
	if (seen->object.fate == MEMOIR_FATE_UNKNOWN && seen->object.kind != MEMOIR_KIND_ANNOUNCED)
		return "unknown";
	/* None of the others can be passed through a socket. */
	return l->files_in_flight && !seen_numbers_of(&seen->object) ? "in-flight" : NULL;
}

static int take_gone(struct look *l, struct buffer_seen *seen)
{
	const char *why = why_it_stays(l, seen);
	bool remember = why && strcmp(why, "in-flight") == 0 && l->in_flight < IN_FLIGHT_MAX;
	int err = 0;

	for (uint32_t i = 0; i < seen->holder_count && !err; i++)
		err = note(&l->went, MEMOIR_BUFFER_LEFT, seen, &seen->holders[i]);
	if (!err)
		err = note(&l->went, why ? MEMOIR_BUFFER_UNHELD : MEMOIR_BUFFER_FREED, seen, NULL);
	if (err)
		return err;
	l->went.all[l->went.count - 1].why = why;
	seen->holder_count = 0;
	seen->in_flight = remember;
	return remember ? keep(l, seen) : drop(l, seen);
}

static int take_missing(struct look *l, struct buffer_seen *seen)
{
	int err;

	if (seen->in_flight && l->files_in_flight)
		return keep(l, seen);
	if (seen->in_flight || seen->missing)
		return take_gone(l, seen);
	err = keep(l, seen);
	if (err)
		return err;
	seen->missing = l->w->unsure = true;
	for (uint32_t i = 0; i < seen->holder_count; i++)
		seen->holders[i].missing = true;
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Those of the rows that were there before; marks them as found. */
static int take_known(struct look *l, struct buffer_seen **group, size_t count,
		      const struct memoir_buffer *rows, size_t row_count, bool held, bool *found)
{
	int err = 0;

	for (size_t i = 0; i < row_count && !err; i++) {
		struct buffer_seen *seen =
			found[i] ? NULL : seen_take_likeliest(group, count, i, &rows[i], held);

		if (!seen)
			continue;
		found[i] = true;
		err = take_again(l, seen, &rows[i]);
	}
	return err;
}

/* All that have one id, then and now. */
static int compare_group(struct look *l, struct buffer_seen **group, size_t count,
			 const struct memoir_buffer *rows, size_t row_count)
{
	size_t kept_from = l->kept_count;
	bool *found = calloc(row_count + 1, sizeof(*found));
	int err = found ? 0 : -ENOMEM;

	/* Who holds it tells more than what it is called. */
	for (int held = 1; held >= 0 && !err; held--)
		err = take_known(l, group, count, rows, row_count, held, found);
	/* Only then is it known which numbers are free. */
	for (size_t i = 0; i < row_count && !err; i++)
		if (!found[i])
			err = take_new(l, &rows[i],
				       seen_free_alias(group, count, &l->kept[kept_from],
						       l->kept_count - kept_from,
						       rows[i].object->alias));
	for (size_t i = 0; i < count; i++) {
		if (!group[i])
			continue;
		/* Whatever happens it belongs to somebody. */
		if (err || (err = take_missing(l, group[i])) != 0)
			seen_free(group[i]);
		group[i] = NULL;
	}
	free(found);
	return err;
}

static int compare_all(struct look *l)
{
	struct memoir_buffer_watch *w = l->w;
	size_t a = 0, b = 0;
	int err = 0;

	while (!err && (a < w->count || b < l->row_count)) {
		const struct memoir_buffer *rows = &l->now.rows[b];
		struct buffer_seen **group = &w->buffers[a];
		int order = a == w->count       ? 1
			    : b == l->row_count ? -1
						: seen_compare_ids(&(*group)->object, rows->object);
		const struct memoir_object id = order > 0 ? *rows->object : (*group)->object;
		size_t count = 0, row_count = 0;

		while (a + count < w->count && seen_compare_ids(&group[count]->object, &id) == 0)
			count++;
		while (b + row_count < l->row_count &&
		       seen_compare_ids(rows[row_count].object, &id) == 0)
			row_count++;
		err = compare_group(l, group, count, rows, row_count);
		a += count;
		b += row_count;
	}
	/* After a failure the rest was not looked at. */
	for (; a < w->count; a++)
		seen_free(w->buffers[a]);
	return err;
}

static int count_peaks(struct look *l, uint64_t time_ns)
{
	int err = 0;

	peaks_begin(&l->w->peaks);
	for (size_t i = 0; i < l->row_count && !err; i++) {
		const struct memoir_buffer *row = &l->now.rows[i];
		bool meant = !l->w->by_process;

		for (uint32_t k = 0; k < row->holder_count && !meant; k++)
			meant = buffer_holder_matches(l->w->selection, &row->holders[k]);
		if (meant &&
		    selection_matches_buffer(l->w->selection, row->object, row->kind, row->tag))
			err = peaks_add(&l->w->peaks, row);
	}
	return err ? err : peaks_end(&l->w->peaks, time_ns);
}

static void settle(struct look *l)
{
	struct memoir_buffer_watch *w = l->w;

	free(w->buffers);
	w->buffers = l->kept;
	w->count = l->kept_count;
	w->room = l->kept_room;
	w->looked = true;
	for (size_t i = 0; i < l->gone_count; i++)
		seen_free(l->gone[i]);
	free(l->gone);
	memoir_buffers_free(&l->now);
}

int memoir_buffer_watch_look(struct memoir_buffer_watch *w, const struct memoir_snapshot *snapshot,
			     memoir_buffer_change_fn *each, void *arg)
{
	struct look l = { .w = w };
	uint64_t time_ns = memoir_snapshot_taken_ns(snapshot);
	int err = memoir_buffers(snapshot, NULL, &l.now);

	if (err)
		return err;
	l.files_in_flight = memoir_snapshot_in_flight_count(snapshot) > 0;
	w->unsure = false;
	if (l.now.count)
		qsort(l.now.rows, l.now.count, sizeof(*l.now.rows), seen_compare_rows);
	while (l.row_count < l.now.count && l.now.rows[l.row_count].object)
		l.row_count++;
	err = compare_all(&l);
	/* After a failure events may speak of what is no more. */
	if (err || !w->looked)
		each = NULL;
	tell_all(&l, &l.came, time_ns, each, arg);
	tell_all(&l, &l.went, time_ns, each, arg);
	if (!err)
		err = count_peaks(&l, time_ns);
	settle(&l);
	return err;
}

int memoir_buffer_watch_new(const struct memoir_selection *selection,
			    struct memoir_buffer_watch **ret_watch)
{
	struct memoir_buffer_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->selection = selection;
	w->by_process = selection_has_process_keys(selection);
	*ret_watch = w;
	return 0;
}

void memoir_buffer_watch_free(struct memoir_buffer_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->count; i++)
		seen_free(w->buffers[i]);
	free(w->buffers);
	peaks_free(&w->peaks);
	free(w);
}

bool memoir_buffer_watch_unsure(const struct memoir_buffer_watch *w)
{
	return w->unsure;
}

size_t memoir_buffer_watch_count(const struct memoir_buffer_watch *w, uint64_t *ret_own_bytes)
{
	size_t count = 0;

	*ret_own_bytes = 0;
	for (size_t i = 0; i < w->peaks.count; i++) {
		count += w->peaks.all[i].row.buffers;
		*ret_own_bytes += w->peaks.all[i].row.bytes;
	}
	return count;
}

const struct memoir_buffer_peak *memoir_buffer_watch_peaks(struct memoir_buffer_watch *w,
							   size_t *ret_count, uint64_t *ret_dropped)
{
	*ret_dropped = w->peaks.dropped;
	return peaks_rows(&w->peaks, ret_count);
}
