// SPDX-License-Identifier: MIT
/*
 * What memoir who prints: its columns, its fields and its sentence. Asks nothing.
 */
#include "cli/who_rows.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/figures.h"
#include "cli/who_names.h"

/* ---- rows ----------------------------------------------------------------------------------- */

enum which {
	WHICH_PID,
	WHICH_TICKS,
	WHICH_START,
	WHICH_END,
	WHICH_ADDRESS,
	WHICH_COMM,
	WHICH_PERMS,
	WHICH_HOW,
	WHICH_NAME,
	WHICH_SOURCE,
	WHICH_PATH,
	WHICH_TAG,
};

static void get_number(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	const struct memoir_who_row *r = row;

	(void)ctx;
	switch (column->which) {
	case WHICH_PID:
		cell_number(ret_cell, column->type, (uint64_t)r->pid);
		break;
	case WHICH_TICKS:
		cell_number(ret_cell, column->type, r->start_ticks);
		break;
	case WHICH_START:
		cell_number(ret_cell, column->type, r->start);
		break;
	case WHICH_END:
		cell_number(ret_cell, column->type, r->end);
		break;
	default:
		if (r->address)
			cell_number(ret_cell, column->type, r->address);
		else
			cell_null(ret_cell);
	}
}

static const char *text_of(const struct memoir_who_row *row, unsigned int which,
			   const struct who_names *names)
{
	enum memoir_name_source source;

	switch (which) {
	case WHICH_COMM:
		return row->comm;
	case WHICH_PERMS:
		return row->perms;
	case WHICH_HOW:
		return memoir_how_name(row->how);
	case WHICH_NAME:
		return who_name_of(names, row, &source);
	case WHICH_SOURCE:
		return who_name_of(names, row, &source) ? memoir_name_source_name(source) : NULL;
	case WHICH_TAG:
		return row->tag;
	default:
		return row->path;
	}
}

static void get_text(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	cell_text(ret_cell, text_of(row, column->which, ctx));
}

static void get_figure(const void *row, const struct column *column, const void *ctx,
		       struct cell *ret_cell)
{
	(void)ctx;
	figure_cell(&((const struct memoir_who_row *)row)->figures, column->which, ret_cell);
}

static const struct column columns[] = {
	{ "pid", "PID", CELL_NUMBER, 0, WHICH_PID, get_number, "the process" },
	{ "comm", "COMM", CELL_TEXT, 0, WHICH_COMM, get_text, "the name of its command" },
	{ "start", "START", CELL_ADDRESS, 0, WHICH_START, get_number,
	  "the region's first address" },
	{ "end", "END", CELL_ADDRESS, 0, WHICH_END, get_number, "the address behind its last" },
	{ "how", "HOW", CELL_TEXT, 0, WHICH_HOW, get_text, "how it comes to map it" },
	{ "name", "NAME", CELL_TEXT, 0, WHICH_NAME, get_text, "the name given to the region" },
	{ "name_source", "SOURCE", CELL_TEXT, 0, WHICH_SOURCE, get_text,
	  "where the name comes from" },
	{ "path", "PATH", CELL_TEXT, 0, WHICH_PATH, get_text, "as /proc/PID/maps shows it" },
	{ "tag", "TAG", CELL_TEXT, 0, WHICH_TAG, get_text,
	  "what the shared buffer that it maps is called" },
	{ "address", "ADDRESS", CELL_ADDRESS, 0, WHICH_ADDRESS, get_number,
	  "where the page is in it" },
	{ "perms", "PERM", CELL_TEXT, 0, WHICH_PERMS, get_text, "permissions; s is shared" },
	{ "start_ticks", "STARTED", CELL_NUMBER, 0, WHICH_TICKS, get_number,
	  "when the process started, field 22 of /proc/PID/stat" },
	FIGURE_COLUMNS(get_figure),
};

const struct table_model who_model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "pid,comm,start,end,address,how,name,path",
};

/* ---- sets ----------------------------------------------------------------------------------- */

enum which_of_set { SET_MEMBERS, SET_RAM, SET_SWAP };

static void get_set_number(const void *row, const struct column *column, const void *ctx,
			   struct cell *ret_cell)
{
	const struct memoir_who_set *set = row;

	(void)ctx;
	cell_number(ret_cell, column->type,
		    column->which == SET_MEMBERS ? set->members
		    : column->which == SET_RAM   ? set->ram_bytes
						 : set->swap_bytes);
}

static void get_set_pages(const void *row, const struct column *column, const void *ctx,
			  struct cell *ret_cell)
{
	(void)column, (void)ctx;
	cell_text(ret_cell,
		  ((const struct memoir_who_set *)row)->of_object ? "object" : "anonymous");
}

static const struct column set_columns[] = {
	{ "members", "MEMBERS", CELL_COUNT, 0, SET_MEMBERS, get_set_number,
	  "how many regions map its pages" },
	{ "pages", "PAGES", CELL_TEXT, 0, 0, get_set_pages, "of the object, or anonymous" },
	{ "ram_bytes", "RAM", CELL_BYTES, COLUMN_SUMMED, SET_RAM, get_set_number,
	  "pages that exactly these map" },
	{ "swap_bytes", "SWAP", CELL_BYTES, COLUMN_SUMMED, SET_SWAP, get_set_number,
	  "swapped out pages that exactly these have" },
};

const struct table_model who_set_model = {
	.columns = set_columns,
	.column_count = sizeof(set_columns) / sizeof(set_columns[0]),
	.shown = "members,pages,ram_bytes,swap_bytes",
};

/* ---- the page ------------------------------------------------------------------------------- */

static void number_if(struct cell *cell, bool known, enum cell_type type, uint64_t number)
{
	if (known)
		cell_number(cell, type, number);
	else
		cell_null(cell);
}

void who_fields(const struct memoir_who *who, struct json_field fields[WHO_FIELDS])
{
	static const char *const names[WHO_FIELDS] = {
		"state", "content",      "mappings",      "frame",    "huge",
		"dirty", "ancestor_pid", "ancestor_comm", "searched",
	};
	const struct memoir_page *page = &who->page;

	for (size_t i = 0; i < WHO_FIELDS; i++)
		fields[i].name = names[i];
	cell_text(&fields[0].cell, memoir_page_state_name(page->state));
	cell_text(&fields[1].cell, memoir_content_name(page->content));
	number_if(&fields[2].cell, page->mappings_known, CELL_COUNT, page->mappings);
	number_if(&fields[3].cell, page->frame_known, CELL_NUMBER, page->frame);
	number_if(&fields[4].cell, page->frame_known, CELL_BOOL, page->huge);
	number_if(&fields[5].cell, page->dirty_known, CELL_BOOL, page->dirty);
	number_if(&fields[6].cell, page->ancestor, CELL_NUMBER, (uint64_t)page->ancestor);
	cell_text(&fields[7].cell, page->ancestor_comm);
	cell_number(&fields[8].cell, CELL_BOOL, who->searched);
}

static const char *const contents[MEMOIR_CONTENTS] = {
	[MEMOIR_CONTENT_UNKNOWN] = "a page",
	[MEMOIR_CONTENT_ANON] = "anonymous memory",
	[MEMOIR_CONTENT_KSM] = "anonymous memory, merged by KSM",
	[MEMOIR_CONTENT_FILE] = "a page of a file",
	[MEMOIR_CONTENT_SHMEM] = "a page of shmem",
	[MEMOIR_CONTENT_HUGETLB] = "a hugetlb page",
	[MEMOIR_CONTENT_KERNEL] = "a page of the kernel",
	[MEMOIR_CONTENT_FREE] = "free memory",
};

static void write_state(FILE *to, const struct memoir_page *page)
{
	const char *content = contents[page->content < MEMOIR_CONTENTS ? page->content : 0];

	switch (page->state) {
	case MEMOIR_PAGE_EXCLUSIVE:
	case MEMOIR_PAGE_UNMAPPED:
		fprintf(to, "%s, %s", content, memoir_page_state_name(page->state));
		break;
	case MEMOIR_PAGE_SHARED:
		fprintf(to, "%s, shared by %" PRIu64, content, page->mappings);
		break;
	case MEMOIR_PAGE_SWAPPED:
		fprintf(to, "%s, swapped out", content);
		break;
	case MEMOIR_PAGE_ZERO:
		fputs("the zero page: nothing was written there yet", to);
		break;
	case MEMOIR_PAGE_ABSENT:
		fputs("not present: nobody has a page there now", to);
		break;
	default:
		break;
	}
}

void who_sentence(const struct memoir_page *page, char buf[WHO_SENTENCE_MAX])
{
	FILE *to = fmemopen(buf, WHO_SENTENCE_MAX, "w");

	buf[0] = '\0';
	if (!to)
		return;
	write_state(to, page);
	if (page->huge)
		fputs(", huge", to);
	if (page->dirty_known && page->dirty)
		fputs(", dirty", to);
	if (page->frame_known)
		fprintf(to, "; frame %" PRIu64, page->frame);
	if (page->ancestor)
		fprintf(to, "%sfork family of pid %d (%s)", ftell(to) > 0 ? "; " : "",
			(int)page->ancestor, page->ancestor_comm);
	fclose(to);
}
