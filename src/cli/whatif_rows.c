// SPDX-License-Identifier: MIT
/*
 * The columns of a what-if; works nothing out.
 */
#include "cli/whatif_rows.h"

#include "analysis/label.h"
#include "cli/object_rows.h"

enum which {
	WHICH_BY,
	WHICH_COMM,
	WHICH_NAME,
	WHICH_SOURCE,
	WHICH_KIND,
	WHICH_PATH,
	WHICH_TAG,
	WHICH_SET,
	WHICH_MEMBERS,
	WHICH_OTHERS,
	WHICH_SEVERAL,
	WHICH_MORE,
};

/* ---- what a row is about -------------------------------------------------------------------- */

static void get_pid(const void *row, const struct column *column, const void *ctx,
		    struct cell *ret_cell)
{
	const struct memoir_whatif_row *r = row;

	(void)ctx;
	if (r->process)
		cell_number(ret_cell, column->type, (uint64_t)r->process->pid);
	else
		cell_null(ret_cell);
}

static const char *text_of(const struct memoir_whatif_row *row, unsigned int which)
{
	switch (which) {
	case WHICH_BY:
		return memoir_whatif_by_name(row->by);
	case WHICH_COMM:
		return row->process ? row->process->comm : NULL;
	case WHICH_NAME:
		return row->name;
	case WHICH_SOURCE:
		return row->name ? memoir_name_source_name(row->source) : NULL;
	case WHICH_KIND:
		return row->name     ? memoir_kind_name(row->kind)
		       : row->object ? memoir_kind_name(row->object->kind)
				     : NULL;
	case WHICH_TAG:
		return row->object ? row->object->tag : NULL;
	default:
		return row->object ? row->object->path : NULL;
	}
}

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)ctx;
	cell_text(ret_cell, text_of(row, column->which));
}

static void get_object(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_whatif_row *r = row;

	(void)column, (void)ctx;
	_Static_assert(sizeof(ret_cell->scratch) >= MEMOIR_OBJECT_ID_MAX, "an id needs room");
	if (r->object)
		cell_scratch(ret_cell, strlen(memoir_object_id(r->object, ret_cell->scratch)));
	else
		cell_null(ret_cell);
}

static void get_of_set(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_whatif_row *r = row;
	uint32_t number = column->which == WHICH_SET       ? r->set
			  : column->which == WHICH_MEMBERS ? r->members
							   : r->others;

	(void)ctx;
	if (r->by == MEMOIR_WHATIF_BY_SET)
		cell_number(ret_cell, column->type, number);
	else
		cell_null(ret_cell);
}

static void get_flag(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct memoir_whatif_row *r = row;

	(void)ctx;
	cell_number(ret_cell, column->type,
		    column->which == WHICH_SEVERAL ? r->several : r->kept_by_more);
}

static void get_kept_by(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_whatif_row *r = row;

	(void)column, (void)ctx;
	if (r->by == MEMOIR_WHATIF_BY_OBJECT || r->by == MEMOIR_WHATIF_BY_SET)
		cell_pids(ret_cell, r->kept_by, r->kept_by_count);
	else
		cell_null(ret_cell);
}

/* For people: whatever the row is about, in one column. */
static const char *name_of(const struct memoir_whatif_row *row, const struct whatif_context *ctx)
{
	const struct memoir_set *set;
	const struct memoir_region *region;

	if (row->several)
		return "(several of them together)";
	if (row->by == MEMOIR_WHATIF_BY_PROCESS)
		return row->process->comm;
	if (row->by == MEMOIR_WHATIF_BY_NAME)
		return row->name;
	if (row->by == MEMOIR_WHATIF_BY_OBJECT)
		return row->object ? object_text(row->object) : "(of no known family)";
	set = memoir_snapshot_set(ctx->snapshot, row->set);
	region = set ? memoir_snapshot_region(ctx->snapshot, set->region) : NULL;
	return region ? label_of(ctx->snapshot, region).name : NULL;
}

static void get_what(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const char *name = name_of(row, ctx);

	if (name || !((const struct memoir_whatif_row *)row)->object)
		cell_text(ret_cell, name);
	else
		get_object(row, column, ctx, ret_cell);
}

/* ---- what becomes of it --------------------------------------------------------------------- */

#define WHICH_BYTES(field) offsetof(struct memoir_whatif_bytes, field)

static void get_bytes(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	const struct memoir_whatif_row *r = row;
	const void *bytes = (const char *)&r->bytes + column->which;

	(void)ctx;
	if (r->process && !r->process->readable)
		cell_null(ret_cell);
	else
		cell_number(ret_cell, column->type, *(const uint64_t *)bytes);
}

/* Page tables and stacks are known of processes only. */
static void get_kernel(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_whatif *whatif = ((const struct whatif_context *)ctx)->whatif;
	const struct memoir_whatif_row *r = row;

	if (whatif->kernel_known && r->by == MEMOIR_WHATIF_BY_PROCESS && !r->several)
		get_bytes(row, column, ctx, ret_cell);
	else
		cell_null(ret_cell);
}

static const struct column columns[] = {
	{ "by", "BY", CELL_TEXT, 0, WHICH_BY, get_text,
	  "what the row is about: process, name, object or set" },
	{ "several", "SEVERAL", CELL_BOOL, 0, WHICH_SEVERAL, get_flag,
	  "memory that only several of them have together" },
	{ "pid", "PID", CELL_NUMBER, 0, 0, get_pid, "process id" },
	{ "comm", "COMMAND", CELL_TEXT, 0, WHICH_COMM, get_text, "name of the command" },
	{ "name", "NAME", CELL_TEXT, 0, WHICH_NAME, get_text,
	  "the name, the path of the file, or the kind in brackets" },
	{ "name_source", "SOURCE", CELL_TEXT, 0, WHICH_SOURCE, get_text,
	  "where the name comes from" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_text,
	  "what the regions or the object are" },
	{ "object", "OBJECT", CELL_TEXT, 0, 0, get_object,
	  "the file or other object, or the anonymous family" },
	{ "path", "PATH", CELL_TEXT, 0, WHICH_PATH, get_text, "the object's" },
	{ "tag", "TAG", CELL_TEXT, 0, WHICH_TAG, get_text, "what it is called as a shared buffer" },
	{ "set", "SET", CELL_NUMBER, 0, WHICH_SET, get_of_set, "number of the sharing set" },
	{ "members", "MEMBERS", CELL_COUNT, 0, WHICH_MEMBERS, get_of_set,
	  "regions that map each of its pages" },
	{ "others", "OTHERS", CELL_COUNT, 0, WHICH_OTHERS, get_of_set,
	  "those of them that are not selected" },
	{ "freed_bytes", "FREED", CELL_BYTES, 0, WHICH_BYTES(freed_bytes), get_bytes,
	  "RAM that comes back; of a trim, that can move to swap" },
	{ "freed_swap_bytes", "SWAP", CELL_BYTES, 0, WHICH_BYTES(freed_swap_bytes), get_bytes,
	  "swap that comes back" },
	{ "freed_kernel_bytes", "KERNEL", CELL_BYTES, 0, WHICH_BYTES(freed_kernel_bytes),
	  get_kernel, "its page tables, and 16 KiB of stack for each thread" },
	{ "freed_hugetlb_bytes", "HUGETLB", CELL_BYTES, 0, WHICH_BYTES(freed_hugetlb_bytes),
	  get_bytes, "goes back to the hugetlb pool" },
	{ "reclaimable_bytes", "RECLAIMABLE", CELL_BYTES, 0, WHICH_BYTES(reclaimable_bytes),
	  get_bytes, "page cache that the kernel can then drop" },
	{ "kept_bytes", "KEPT", CELL_BYTES, 0, WHICH_BYTES(kept_bytes), get_bytes,
	  "RAM that stays" },
	{ "kept_swap_bytes", "KEPT-SWAP", CELL_BYTES, 0, WHICH_BYTES(kept_swap_bytes), get_bytes,
	  "swap that stays" },
	{ "unknown_bytes", "UNKNOWN", CELL_BYTES, 0, WHICH_BYTES(unknown_bytes), get_bytes,
	  "RAM of which it is not known" },
	{ "kept_by", "KEPT-BY", CELL_PIDS, 0, 0, get_kept_by,
	  "the first of the processes that keep it" },
	{ "kept_by_more", "MORE", CELL_BOOL, 0, WHICH_MORE, get_flag, "there are more of them" },
	{ "what", "WHAT", CELL_TEXT, COLUMN_FOR_EYES, 0, get_what, "what the row is about" },
};

const struct table_model whatif_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "by,pid,freed_bytes,freed_swap_bytes,freed_kernel_bytes,reclaimable_bytes,"
		 "kept_bytes,what",
};

/* ---- who keeps what stays ------------------------------------------------------------------- */

static void get_keeper_pid(const void *row, const struct column *column, const void *ctx,
			   struct cell *ret_cell)
{
	const struct memoir_keeper *keeper = row;

	(void)ctx;
	if (keeper->process)
		cell_number(ret_cell, column->type, (uint64_t)keeper->pid);
	else
		cell_null(ret_cell);
}

static void get_keeper_text(const void *row, const struct column *column, const void *ctx,
			    struct cell *ret_cell)
{
	const struct memoir_keeper *keeper = row;

	(void)ctx;
	if (column->which)
		cell_text(ret_cell, memoir_keeps_name(keeper->keeps));
	else
		cell_text(ret_cell, keeper->process ? keeper->process->comm : NULL);
}

static void get_kept(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	const struct memoir_keeper *keeper = row;

	(void)ctx;
	cell_number(ret_cell, column->type,
		    column->which ? keeper->kept_swap_bytes : keeper->kept_bytes);
}

/* In words, for people. */
static void get_how(const void *row, const struct column *column, const void *ctx,
		    struct cell *ret_cell)
{
	static const char *const how[MEMOIR_KEEPS] = {
		[MEMOIR_KEEPS_PEER] = "shares the address space",
		[MEMOIR_KEEPS_MAPS] = "maps it too",
		[MEMOIR_KEEPS_HOLDS] = "has it open",
		[MEMOIR_KEEPS_LINK] = "files with a name: remove them",
		[MEMOIR_KEEPS_SEGMENT] = "SysV segments: remove them (ipcrm)",
	};

	const struct memoir_whatif *whatif = ((const struct whatif_context *)ctx)->whatif;
	const struct memoir_keeper *keeper = row;

	(void)column;
	/* A hint leaves what several map, whether they are meant or not. */
	if (whatif->action == MEMOIR_WHATIF_TRIM && keeper->keeps == MEMOIR_KEEPS_MAPS)
		cell_text(ret_cell, "one of those that map it");
	else
		cell_text(ret_cell, how[keeper->keeps]);
}

static const struct column keeper_columns[] = {
	{ "pid", "PID", CELL_NUMBER, 0, 0, get_keeper_pid, "process id" },
	{ "comm", "COMMAND", CELL_TEXT, 0, 0, get_keeper_text, "name of the command" },
	{ "keeps", "KEEPS", CELL_TEXT, 0, 1, get_keeper_text,
	  "how: peer, maps, holds, link, segment" },
	{ "kept_bytes", "KEPT", CELL_BYTES, 0, 0, get_kept, "RAM that it keeps" },
	{ "kept_swap_bytes", "SWAP", CELL_BYTES, 0, 1, get_kept, "swap that it keeps" },
	{ "how", "HOW", CELL_TEXT, COLUMN_FOR_EYES, 0, get_how, "how it keeps it" },
};

const struct table_model keeper_model = {
	.columns = keeper_columns,
	.column_count = sizeof(keeper_columns) / sizeof(keeper_columns[0]),
	.shown = "pid,kept_bytes,kept_swap_bytes,how,comm",
};
