// SPDX-License-Identifier: MIT
/*
 * Shared buffers as rows: their columns; works nothing out.
 */
#include "cli/buffer_rows.h"

#include <stdio.h>

enum which {
	WHICH_PID,
	WHICH_COMM,
	WHICH_KIND,
	WHICH_TAG,
	WHICH_EXPORTER,
	WHICH_PATH,
	WHICH_SIZE,
	WHICH_RESIDENT,
	WHICH_OWN,
	WHICH_SWAP,
	WHICH_SHARED,
	WHICH_FLIGHT,
	WHICH_FDS,
	WHICH_RANGES,
	WHICH_REFERENCES,
	WHICH_MAPPED,
	WHICH_RSS,
	WHICH_SHARE,
	WHICH_MAPPED_SHARE,
	WHICH_EXTRA,
	WHICH_UNIQUE,
	WHICH_PROCESSES,
	WHICH_BUFFERS,
	WHICH_START,
	WHICH_END,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void known(struct cell *cell, const struct column *column, bool is_known, uint64_t number)
{
	if (is_known)
		cell_number(cell, column->type, number);
	else
		cell_null(cell);
}

/* ---- what is true of a buffer --------------------------------------------------------------- */

static void id_cell(const struct memoir_buffer *buffer, struct cell *ret_cell)
{
	_Static_assert(sizeof(ret_cell->scratch) >= MEMOIR_OBJECT_ID_MAX, "ids need room");
	if (!buffer->object) {
		cell_null(ret_cell);
		return;
	}
	cell_scratch(ret_cell, strlen(memoir_object_id(buffer->object, ret_cell->scratch)));
}

static void text_cell(const struct memoir_buffer *buffer, unsigned int which, struct cell *ret_cell)
{
	const struct memoir_object *object = buffer->object;

	cell_text(ret_cell, which == WHICH_KIND       ? buffer->kind
			    : which == WHICH_TAG      ? buffer->tag
			    : !object                 ? NULL
			    : which == WHICH_EXPORTER ? object->exporter
						      : object->path);
}

static void number_cell(const struct memoir_buffer *buffer, const struct column *column,
			struct cell *ret_cell)
{
	const struct memoir_object *object = buffer->object;

	switch (column->which) {
	case WHICH_SIZE:
		known(ret_cell, column, object && object->size_bytes,
		      object ? object->size_bytes : 0);
		/* It may be a part of a buffer that is listed as well. */
		ret_cell->apart = object && object->kind == MEMOIR_KIND_ANNOUNCED;
		break;
	case WHICH_RESIDENT:
		known(ret_cell, column, buffer->resident_known, buffer->resident_bytes);
		break;
	case WHICH_OWN:
		known(ret_cell, column, buffer->resident_known, buffer->own_bytes);
		break;
	case WHICH_SWAP:
		known(ret_cell, column, object && (object->resident_known || object->swapped_bytes),
		      object ? object->swapped_bytes : 0);
		break;
	case WHICH_SHARED:
		known(ret_cell, column, object && object->kind == MEMOIR_KIND_DRM,
		      object ? object->shared_bytes : 0);
		break;
	default:
		known(ret_cell, column, buffer->files_in_flight, buffer->files_in_flight);
	}
}

static void get_id(const void *row, const struct column *column, const void *ctx,
		   struct cell *ret_cell)
{
	(void)column, (void)ctx;
	id_cell(row, ret_cell);
}

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)ctx;
	text_cell(row, column->which, ret_cell);
}

static void get_number(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	(void)ctx;
	number_cell(row, column, ret_cell);
}

/* ---- what is true of a holder --------------------------------------------------------------- */

static void get_range_address(const void *row, const struct column *column, const void *ctx,
			      struct cell *ret_cell)
{
	const struct memoir_range *range = row;

	(void)ctx;
	cell_number(ret_cell, CELL_ADDRESS,
		    column->which == WHICH_START ? range->start : range->end);
}

static const struct column range_columns[] = {
	{ "start", "START", CELL_ADDRESS, 0, WHICH_START, get_range_address, "first address" },
	{ "end", "END", CELL_ADDRESS, 0, WHICH_END, get_range_address, "the one behind it" },
};

static const struct nested_rows nested_ranges = { range_columns, COUNT(range_columns),
						  sizeof(struct memoir_range) };

/* What is in flight or rings have has no figures by process. */
static void holder_cell(const struct memoir_buffer_holder *h, bool has_figures,
			const struct column *column, struct cell *ret_cell)
{
	_Static_assert(sizeof(pid_t) == sizeof(int32_t), "lists of fds are shown as lists of pids");
	switch (column->which) {
	case WHICH_PID:
		cell_number(ret_cell, column->type, (uint64_t)h->process->pid);
		break;
	case WHICH_COMM:
		cell_text(ret_cell, h->process->comm);
		break;
	case WHICH_FDS:
		cell_pids(ret_cell, h->fds, h->fd_count);
		break;
	case WHICH_RANGES:
		cell_rows(ret_cell, &nested_ranges, h->ranges, h->range_count);
		break;
	case WHICH_REFERENCES:
		cell_number(ret_cell, column->type, memoir_buffer_references(h));
		break;
	case WHICH_MAPPED:
		known(ret_cell, column, !h->announced, h->mapped_bytes);
		break;
	case WHICH_RSS:
		known(ret_cell, column, h->mapped_known, h->rss_bytes);
		break;
	case WHICH_SHARE:
		known(ret_cell, column, has_figures, h->share_bytes);
		break;
	case WHICH_MAPPED_SHARE:
		known(ret_cell, column, h->mapped_known, h->mapped_share_bytes);
		break;
	case WHICH_EXTRA:
		known(ret_cell, column, has_figures, h->extra_bytes);
		break;
	default:
		known(ret_cell, column, has_figures, h->unique_bytes);
	}
}

/* A list of holders does not say of what buffer: shares that are not known are told by the list. */
static void get_holder(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_buffer_holder *h = row;

	(void)ctx;
	holder_cell(h, h->shares_known, column, ret_cell);
}

#define HOLDER_COLUMNS(get)                                                                        \
	{ "pid", "PID", CELL_NUMBER, 0, WHICH_PID, get, "process id" },                            \
		{ "comm", "COMMAND", CELL_TEXT, 0, WHICH_COMM, get, "name of the command" },       \
		{ "fds", "FDS", CELL_PIDS, 0, WHICH_FDS, get, "its fds of the buffer" },           \
		{ "ranges", "MAPS", CELL_ROWS, 0, WHICH_RANGES, get, "where it maps the buffer" }, \
		{ "mapped_bytes",                                                                  \
		  "MAPPED",                                                                        \
		  CELL_BYTES,                                                                      \
		  COLUMN_SUMMED,                                                                   \
		  WHICH_MAPPED,                                                                    \
		  get,                                                                             \
		  "addresses that map the buffer" },                                               \
		{ "rss_bytes",                                                                     \
		  "RSS",                                                                           \
		  CELL_BYTES,                                                                      \
		  COLUMN_SUMMED,                                                                   \
		  WHICH_RSS,                                                                       \
		  get,                                                                             \
		  "what of it is in its rss" },                                                    \
		{ "share_bytes",                                                                   \
		  "SHARE",                                                                         \
		  CELL_BYTES,                                                                      \
		  COLUMN_SUMMED,                                                                   \
		  WHICH_SHARE,                                                                     \
		  get,                                                                             \
		  "own_bytes of the buffer, split over the processes that hold it" },              \
		{ "mapped_share_bytes",                                                            \
		  "MAPPED-SHARE",                                                                  \
		  CELL_BYTES,                                                                      \
		  COLUMN_SUMMED,                                                                   \
		  WHICH_MAPPED_SHARE,                                                              \
		  get,                                                                             \
		  "what of it is in its pss: split over mappings" },                               \
		{ "extra_bytes",                                                                   \
		  "EXTRA",                                                                         \
		  CELL_BYTES,                                                                      \
		  COLUMN_SUMMED,                                                                   \
		  WHICH_EXTRA,                                                                     \
		  get,                                                                             \
		  "its share of what is in no process's rss" },                                    \
	{                                                                                          \
		"unique_bytes", "UNIQUE", CELL_BYTES, COLUMN_SUMMED, WHICH_UNIQUE, get,            \
			"own_bytes of the buffer, if nobody else holds it"                         \
	}

#define REFERENCES_COLUMN(get)                                                          \
	{                                                                               \
		"references", "REFS", CELL_COUNT, COLUMN_SUMMED, WHICH_REFERENCES, get, \
			"fds, mappings, and what was announced"                         \
	}

static const struct column holder_columns[] = { HOLDER_COLUMNS(get_holder),
						REFERENCES_COLUMN(get_holder) };

/* ---- by buffer ------------------------------------------------------------------------------ */

static const struct nested_rows nested_holders = { holder_columns, COUNT(holder_columns),
						   sizeof(struct memoir_buffer_holder) };

static void get_holders(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_buffer *buffer = row;

	(void)column, (void)ctx;
	cell_rows(ret_cell, &nested_holders, buffer->holders, buffer->holder_count);
}

/* "412 python3 fd 3,4 map 2": the first of them, and how many more there are. */
static void get_held_by(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct memoir_buffer *buffer = row;
	const struct memoir_buffer_holder *h = buffer->holders;
	char *text = ret_cell->scratch;
	size_t room = sizeof(ret_cell->scratch), len;

	(void)column, (void)ctx;
	if (!buffer->holder_count) {
		cell_null(ret_cell);
		return;
	}
	len = (size_t)snprintf(text, room, "%d %.15s", (int)h->process->pid, h->process->comm);
	for (uint32_t i = 0; i < h->fd_count && i < 3 && len < room; i++)
		len += (size_t)snprintf(text + len, room - len, "%s%d", i ? "," : " fd ",
					h->fds[i]);
	if (h->fd_count > 3 && len < room)
		len += (size_t)snprintf(text + len, room - len, ",...");
	if (h->range_count && len < room)
		len += (size_t)snprintf(text + len, room - len, " maps %u", h->range_count);
	if (h->announced && len < room)
		len += (size_t)snprintf(text + len, room - len, " refs %u", h->announced);
	if (buffer->holder_count > 1 && len < room)
		len += (size_t)snprintf(text + len, room - len, ", and %u more",
					buffer->holder_count - 1);
	cell_scratch(ret_cell, len < room ? len : room - 1);
}

#define SIZE_HELP "how large it is"
#define RESIDENT_HELP "what of it is in RAM, mapped or not"
#define OWN_HELP "of resident_bytes, what is counted as no other memory"
#define SWAP_HELP "what of it is swapped out"

static const struct column buffer_columns[] = {
	{ "object", "OBJECT", CELL_TEXT, 0, 0, get_id, "its id; none: what the kernel hides" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_text, "what it is" },
	{ "tag", "TAG", CELL_TEXT, 0, WHICH_TAG, get_text, "what its maker calls it, or its path" },
	{ "exporter", "EXPORTER", CELL_TEXT, 0, WHICH_EXPORTER, get_text,
	  "the driver or heap that made it, or the program that announces it" },
	{ "size_bytes", "SIZE", CELL_BYTES, COLUMN_SUMMED, WHICH_SIZE, get_number, SIZE_HELP },
	{ "resident_bytes", "RESIDENT", CELL_BYTES, COLUMN_SUMMED, WHICH_RESIDENT, get_number,
	  RESIDENT_HELP },
	{ "own_bytes", "OWN", CELL_BYTES, COLUMN_SUMMED, WHICH_OWN, get_number, OWN_HELP },
	{ "swap_bytes", "SWAP", CELL_BYTES, COLUMN_SUMMED, WHICH_SWAP, get_number, SWAP_HELP },
	{ "shared_bytes", "SHARED", CELL_BYTES, 0, WHICH_SHARED, get_number,
	  "of a DRM client's size_bytes: what other clients have too" },
	{ "files_in_flight", "IN-FLIGHT", CELL_COUNT, COLUMN_SUMMED, WHICH_FLIGHT, get_number,
	  "files that were passed into a socket and not received yet" },
	{ "path", "PATH", CELL_TEXT, 0, WHICH_PATH, get_text, "as the kernel shows it" },
	{ "holders", "HOLDERS", CELL_ROWS, 0, 0, get_holders, "the processes that hold it" },
	{ "held_by", "HELD BY", CELL_TEXT, COLUMN_FOR_EYES, 0, get_held_by,
	  "the first process that holds it, and how" },
};

const struct table_model buffer_model = {
	.columns = buffer_columns,
	.column_count = COUNT(buffer_columns),
	.shown = "size_bytes,resident_bytes,own_bytes,swap_bytes,kind,tag,holders,held_by",
};

/* ---- by process ----------------------------------------------------------------------------- */

static void get_held_id(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	(void)column, (void)ctx;
	id_cell(((const struct held_row *)row)->buffer, ret_cell);
}

static void get_held_text(const void *row, const struct column *column, const void *ctx,
			  struct cell *ret_cell)
{
	(void)ctx;
	text_cell(((const struct held_row *)row)->buffer, column->which, ret_cell);
}

static void get_held_number(const void *row, const struct column *column, const void *ctx,
			    struct cell *ret_cell)
{
	(void)ctx;
	number_cell(((const struct held_row *)row)->buffer, column, ret_cell);
}

static void get_held_holder(const void *row, const struct column *column, const void *ctx,
			    struct cell *ret_cell)
{
	const struct held_row *held = row;

	(void)ctx;
	holder_cell(held->holder, held->holder->shares_known, column, ret_cell);
}

static const struct column held_columns[] = {
	HOLDER_COLUMNS(get_held_holder),
	REFERENCES_COLUMN(get_held_holder),
	{ "object", "OBJECT", CELL_TEXT, 0, 0, get_held_id, "the id of the buffer" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_held_text, "what the buffer is" },
	{ "tag", "TAG", CELL_TEXT, 0, WHICH_TAG, get_held_text,
	  "what its maker calls it, or its path" },
	{ "exporter", "EXPORTER", CELL_TEXT, 0, WHICH_EXPORTER, get_held_text,
	  "the driver or heap that made it, or the program that announces it" },
	{ "size_bytes", "SIZE", CELL_BYTES, 0, WHICH_SIZE, get_held_number, SIZE_HELP },
	{ "resident_bytes", "RESIDENT", CELL_BYTES, 0, WHICH_RESIDENT, get_held_number,
	  RESIDENT_HELP },
	{ "own_bytes", "OWN", CELL_BYTES, 0, WHICH_OWN, get_held_number, OWN_HELP },
	{ "swap_bytes", "SWAP", CELL_BYTES, 0, WHICH_SWAP, get_held_number, SWAP_HELP },
	{ "files_in_flight", "IN-FLIGHT", CELL_COUNT, COLUMN_SUMMED, WHICH_FLIGHT, get_held_number,
	  "files that were passed into its socket and not received yet" },
};

const struct table_model held_model = {
	.columns = held_columns,
	.column_count = COUNT(held_columns),
	.shown = "pid,comm,size_bytes,references,mapped_bytes,share_bytes,extra_bytes,unique_bytes,"
		 "kind,tag",
};

/* ---- by tag --------------------------------------------------------------------------------- */

static void get_tag_text(const void *row, const struct column *column, const void *ctx,
			 struct cell *ret_cell)
{
	const struct memoir_tag_sum *sum = row;

	(void)ctx;
	cell_text(ret_cell, column->which == WHICH_TAG ? sum->tag : sum->kind);
}

static void get_tag_number(const void *row, const struct column *column, const void *ctx,
			   struct cell *ret_cell)
{
	const struct memoir_tag_sum *sum = row;

	(void)ctx;
	switch (column->which) {
	case WHICH_BUFFERS:
		cell_number(ret_cell, column->type, sum->buffers);
		break;
	case WHICH_PROCESSES:
		cell_number(ret_cell, column->type, sum->processes);
		break;
	case WHICH_SIZE:
		cell_number(ret_cell, column->type, sum->size_bytes);
		ret_cell->apart = sum->kind == memoir_kind_name(MEMOIR_KIND_ANNOUNCED);
		break;
	case WHICH_RESIDENT:
		known(ret_cell, column, sum->resident_known, sum->resident_bytes);
		break;
	case WHICH_OWN:
		known(ret_cell, column, sum->resident_known, sum->own_bytes);
		break;
	case WHICH_SWAP:
		known(ret_cell, column, sum->resident_known, sum->swap_bytes);
		break;
	default:
		known(ret_cell, column, sum->resident_known, sum->extra_bytes);
	}
}

static const struct column tag_columns[] = {
	{ "tag", "TAG", CELL_TEXT, 0, WHICH_TAG, get_tag_text,
	  "what their makers call them, or their path" },
	{ "kind", "KIND", CELL_TEXT, 0, WHICH_KIND, get_tag_text, "what they are" },
	{ "buffers", "BUFFERS", CELL_COUNT, COLUMN_SUMMED, WHICH_BUFFERS, get_tag_number,
	  "how many there are" },
	{ "processes", "PROCESSES", CELL_COUNT, 0, WHICH_PROCESSES, get_tag_number,
	  "how many processes hold one" },
	{ "size_bytes", "SIZE", CELL_BYTES, COLUMN_SUMMED, WHICH_SIZE, get_tag_number,
	  "how large they are" },
	{ "resident_bytes", "RESIDENT", CELL_BYTES, COLUMN_SUMMED, WHICH_RESIDENT, get_tag_number,
	  "what of them is in RAM, as far as it is known" },
	{ "own_bytes", "OWN", CELL_BYTES, COLUMN_SUMMED, WHICH_OWN, get_tag_number, OWN_HELP },
	{ "swap_bytes", "SWAP", CELL_BYTES, COLUMN_SUMMED, WHICH_SWAP, get_tag_number,
	  "what of them is swapped out" },
	{ "extra_bytes", "EXTRA", CELL_BYTES, COLUMN_SUMMED, WHICH_EXTRA, get_tag_number,
	  "what of them is in no process's rss, and held by one" },
};

const struct table_model tag_model = {
	.columns = tag_columns,
	.column_count = COUNT(tag_columns),
	.shown =
		"buffers,processes,size_bytes,resident_bytes,own_bytes,swap_bytes,extra_bytes,kind,"
		"tag",
};
