// SPDX-License-Identifier: MIT
/*
 * Compares two snapshots: matches what they have in common, and says how each row changed; a pure
 * function of the two.
 */
#include "analysis/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *memoir_diff_by_name(enum memoir_diff_by by)
{
	static const char *const names[] = {
		[MEMOIR_DIFF_PROCESS] = "process",
		[MEMOIR_DIFF_NAME] = "name",
		[MEMOIR_DIFF_OBJECT] = "object",
	};

	return (unsigned int)by < COUNT(names) ? names[by] : NULL;
}

const char *memoir_change_name(enum memoir_change change)
{
	static const char *const names[] = {
		[MEMOIR_CHANGE_NONE] = "none",     [MEMOIR_CHANGE_CAME] = "came",
		[MEMOIR_CHANGE_WENT] = "went",     [MEMOIR_CHANGE_GREW] = "grew",
		[MEMOIR_CHANGE_SHRANK] = "shrank", [MEMOIR_CHANGE_OTHER] = "other",
	};

	return (unsigned int)change < COUNT(names) ? names[change] : NULL;
}

/* ---- amounts -------------------------------------------------------------------------------- */

static bool take(bool known, uint64_t bytes, uint64_t *ret_bytes)
{
	if (known)
		*ret_bytes = bytes;
	return known;
}

bool diff_amount_of(const struct memoir_diff_side *side, unsigned int amount, uint64_t *ret_bytes)
{
	const struct memoir_process *process = side->process;
	const struct memoir_object *object = side->object;

	if (!side->present)
		return false;
	switch (amount) {
	case DIFF_PAGE_TABLES:
		return process &&
		       take(process->page_table_known, process->page_table_bytes, ret_bytes);
	case DIFF_RESIDENT:
		return object && take(object->resident_known, object->resident_bytes, ret_bytes);
	case DIFF_SWAPPED:
		return object && take(object->resident_known, object->swapped_bytes, ret_bytes);
	default:
		return amount < MEMOIR_FIGURES && take(side->figures.known & (1u << amount),
						       side->figures.bytes[amount], ret_bytes);
	}
}

/* Whether 0 is what a row has on a side where it is not. */
static bool has_none(const struct memoir_diff_side *side, unsigned int amount)
{
	bool of_object = amount == DIFF_RESIDENT || amount == DIFF_SWAPPED;

	return !side->present && (side->no_pages || !of_object);
}

struct memoir_delta diff_delta_of(const struct memoir_diff_row *row, unsigned int amount)
{
	uint64_t before = 0, after = 0;
	bool known =
		(diff_amount_of(&row->before, amount, &before) || has_none(&row->before, amount)) &&
		(diff_amount_of(&row->after, amount, &after) || has_none(&row->after, amount));

	if (!known)
		return (struct memoir_delta){ 0 };
	return (struct memoir_delta){
		.known = true,
		.negative = after < before,
		.bytes = after < before ? before - after : after - before,
	};
}

struct memoir_delta memoir_diff_delta(const struct memoir_diff_row *row, enum memoir_figure figure)
{
	if ((unsigned int)figure >= MEMOIR_FIGURES)
		return (struct memoir_delta){ 0 };
	return diff_delta_of(row, figure);
}

struct memoir_delta memoir_diff_lead(const struct memoir_diff_row *row)
{
	static const unsigned int amounts[] = { MEMOIR_PSS, MEMOIR_SWAP_PSS, DIFF_RESIDENT,
						DIFF_SWAPPED };
	struct memoir_delta lead = { 0 };

	for (size_t i = 0; i < COUNT(amounts); i++) {
		struct memoir_delta delta = diff_delta_of(row, amounts[i]);

		if (delta.known && (!lead.known || delta.bytes > lead.bytes))
			lead = delta;
	}
	return lead;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static enum memoir_change change_of(const struct memoir_diff_row *row)
{
	struct memoir_delta lead = memoir_diff_lead(row);
	bool any_known = false, any_moved = row->exec;

	if (!row->before.present)
		return MEMOIR_CHANGE_CAME;
	if (!row->after.present)
		return MEMOIR_CHANGE_WENT;
	if (lead.known && lead.bytes)
		return lead.negative ? MEMOIR_CHANGE_SHRANK : MEMOIR_CHANGE_GREW;
	for (unsigned int i = 0; i < DIFF_AMOUNTS; i++) {
		struct memoir_delta delta = diff_delta_of(row, i);

		any_known |= delta.known;
		any_moved |= delta.known && delta.bytes;
	}
	if (any_moved)
		return MEMOIR_CHANGE_OTHER;
	return any_known ? MEMOIR_CHANGE_NONE : MEMOIR_CHANGE_UNKNOWN;
}

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int order_processes(const struct memoir_process *a, const struct memoir_process *b)
{
	int by_pid = order((uint64_t)a->pid, (uint64_t)b->pid);

	return by_pid ? by_pid : order(a->start_ticks, b->start_ticks);
}

/* By all that memoir_object_id() shows. */
static int order_objects(const struct memoir_object *a, const struct memoir_object *b)
{
	const uint64_t keys[][2] = {
		{ a->kind, b->kind },           { a->is_family, b->is_family },
		{ a->dev_major, b->dev_major }, { a->dev_minor, b->dev_minor },
		{ a->inode, b->inode },         { a->alias, b->alias },
	};
	int by_key = 0;

	for (size_t i = 0; i < COUNT(keys) && !by_key; i++)
		by_key = order(keys[i][0], keys[i][1]);
	return by_key;
}

/* What makes one row of two items: 0 where they are about the same. */
static int compare_items(const void *left, const void *right)
{
	const struct diff_item *a = left, *b = right;
	int by_name;

	if (a->side.process && b->side.process)
		return order_processes(a->side.process, b->side.process);
	if (a->name && b->name) {
		by_name = strcmp(a->name, b->name);
		return by_name ? by_name : order(a->kind, b->kind);
	}
	if (a->side.object && b->side.object)
		return order_objects(a->side.object, b->side.object);
	if (!a->side.object != !b->side.object)
		return a->side.object ? -1 : 1;
	return order(a->kind, b->kind);
}

static struct diff_item item_of(const struct memoir_diff_row *row)
{
	return (struct diff_item){
		.name = row->name,
		.kind = row->kind,
		.side = row->after.present ? row->after : row->before,
	};
}

static int compare_rows(const void *left, const void *right)
{
	const struct memoir_diff_row *a = left, *b = right;
	struct memoir_delta x = memoir_diff_lead(a), y = memoir_diff_lead(b);
	struct diff_item item_a, item_b;

	if (x.known != y.known)
		return x.known ? -1 : 1;
	if (x.bytes != y.bytes)
		return x.bytes > y.bytes ? -1 : 1;
	if (x.negative != y.negative)
		return x.negative ? 1 : -1;
	item_a = item_of(a);
	item_b = item_of(b);
	return compare_items(&item_a, &item_b);
}

/* Both snapshots and what they have, in the same order. */
struct pair {
	const struct memoir_snapshot *before, *after;
	struct diff_items then, now;
	enum memoir_diff_by by;
};

/*
 * Whether an object that a snapshot does not have had no pages when that was taken. What dies with its
 * last holder has none afterwards; a deleted file may have had some before, with a name.
 */
static bool had_no_pages(const struct memoir_snapshot *snapshot, const struct memoir_object *object,
			 bool before)
{
	if (!object || object->fate != MEMOIR_FATE_FREED ||
	    !memoir_snapshot_holders_known(snapshot))
		return false;
	return !before || object->kind == MEMOIR_KIND_MEMFD ||
	       object->kind == MEMOIR_KIND_SHARED_ANON;
}

static void add_row(const struct pair *pair, const struct diff_item *then,
		    const struct diff_item *now, struct memoir_diff *diff)
{
	struct memoir_diff_row *row = &diff->rows[diff->count];
	const struct diff_item *shown = now ? now : then;

	if (!(then && then->asked_for) && !(now && now->asked_for))
		return;
	*row = (struct memoir_diff_row){
		.by = pair->by,
		.name = shown->name,
		.source = shown->source,
		.kind = shown->kind,
	};
	if (then)
		row->before = then->side;
	else
		row->before.no_pages = had_no_pages(pair->before, shown->side.object, true);
	if (now)
		row->after = now->side;
	else
		row->after.no_pages = had_no_pages(pair->after, shown->side.object, false);
	if (row->before.process && row->after.process)
		row->exec_known = diff_exec(pair->before, row->before.process, pair->after,
					    row->after.process, &row->exec);
	row->change = change_of(row);
	diff->count++;
}

static int match(const struct pair *pair, struct memoir_diff *ret_diff)
{
	struct memoir_diff diff = { 0 };
	size_t i = 0, j = 0;

	diff.rows = calloc(pair->then.count + pair->now.count + 1, sizeof(*diff.rows));
	if (!diff.rows)
		return -ENOMEM;
	while (i < pair->then.count || j < pair->now.count) {
		const struct diff_item *then = i < pair->then.count ? &pair->then.items[i] : NULL;
		const struct diff_item *now = j < pair->now.count ? &pair->now.items[j] : NULL;
		int which = !now ? -1 : !then ? 1 : compare_items(then, now);

		add_row(pair, which <= 0 ? then : NULL, which >= 0 ? now : NULL, &diff);
		i += which <= 0;
		j += which >= 0;
	}
	qsort(diff.rows, diff.count, sizeof(*diff.rows), compare_rows);
	*ret_diff = diff;
	return 0;
}

int memoir_diff(const struct memoir_snapshot *before, const struct memoir_snapshot *after,
		enum memoir_diff_by by, struct memoir_diff *ret_diff)
{
	struct pair pair = { .before = before, .after = after, .by = by };
	int ret = diff_gather(before, by, &pair.then);

	if (ret == 0)
		ret = diff_gather(after, by, &pair.now);
	if (ret == 0) {
		qsort(pair.then.items, pair.then.count, sizeof(*pair.then.items), compare_items);
		qsort(pair.now.items, pair.now.count, sizeof(*pair.now.items), compare_items);
		ret = match(&pair, ret_diff);
	}
	free(pair.then.items);
	free(pair.now.items);
	return ret;
}

void memoir_diff_free(struct memoir_diff *diff)
{
	if (!diff)
		return;
	free(diff->rows);
	*diff = (struct memoir_diff){ 0 };
}
