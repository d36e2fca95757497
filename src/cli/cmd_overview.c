// SPDX-License-Identifier: MIT
/*
 * memoir without a command: what RAM is used for, who has it, and what of it is easy to get back.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>

#include "analysis/easy.h"
#include "analysis/ledger.h"
#include "cli/object_rows.h"
#include "cli/rows.h"
#include "present/number.h"

#define TOP_ROWS 10

static void get_line(const void *row, const struct column *column, const void *ctx,
		     struct cell *ret_cell)
{
	(void)column, (void)ctx;
	cell_text(ret_cell, ((const struct ledger_line *)row)->line);
}

static void get_bytes(const void *row, const struct column *column, const void *ctx,
		      struct cell *ret_cell)
{
	(void)ctx;
	cell_number(ret_cell, column->type, ((const struct ledger_line *)row)->bytes);
}

static void get_percent(const void *row, const struct column *column, const void *ctx,
			struct cell *ret_cell)
{
	const struct ledger *ledger = ctx;

	(void)column;
	cell_scratch(ret_cell, number_percent(((const struct ledger_line *)row)->bytes,
					      ledger->total_bytes, ret_cell->scratch));
}

static const struct column columns[] = {
	{ "line", "RAM", CELL_TEXT, 0, 0, get_line, "what it is used for" },
	{ "bytes", "SIZE", CELL_BYTES, COLUMN_SUMMED, 0, get_bytes, "how much" },
	{ "percent", "%", CELL_TEXT, COLUMN_FOR_EYES | COLUMN_RIGHT, 0, get_percent,
	  "how much of all" },
};

static const struct table_model model = {
	.columns = columns,
	.column_count = sizeof(columns) / sizeof(columns[0]),
	.shown = "line,bytes,percent",
};

static void get_easy_text(const void *row, const struct column *column, const void *ctx,
			  struct cell *ret_cell)
{
	const struct easy_line *line = row;

	(void)ctx;
	cell_text(ret_cell, column->which ? line->how : line->what);
}

static void get_easy_bytes(const void *row, const struct column *column, const void *ctx,
			   struct cell *ret_cell)
{
	(void)ctx;
	cell_number(ret_cell, column->type, ((const struct easy_line *)row)->bytes);
}

static void get_easy_pid(const void *row, const struct column *column, const void *ctx,
			 struct cell *ret_cell)
{
	const struct memoir_process *process = ((const struct easy_line *)row)->process;

	(void)ctx;
	if (process)
		cell_number(ret_cell, column->type, (uint64_t)process->pid);
	else
		cell_null(ret_cell);
}

static void get_easy_comm(const void *row, const struct column *column, const void *ctx,
			  struct cell *ret_cell)
{
	const struct memoir_process *process = ((const struct easy_line *)row)->process;

	(void)column, (void)ctx;
	cell_text(ret_cell, process ? process->comm : NULL);
}

static const struct column easy_columns[] = {
	{ "bytes", "SIZE", CELL_BYTES, 0, 0, get_easy_bytes, "how much" },
	{ "what", "WHAT", CELL_TEXT, 0, 0, get_easy_text, "what it is" },
	{ "pid", "PID", CELL_NUMBER, 0, 0, get_easy_pid, "the process, if it is one's" },
	{ "comm", "COMMAND", CELL_TEXT, 0, 0, get_easy_comm, "the name of its command" },
	{ "how", "HOW", CELL_TEXT, 0, 1, get_easy_text, "what gives it back" },
};

static const struct table_model easy_model = {
	.columns = easy_columns,
	.column_count = sizeof(easy_columns) / sizeof(easy_columns[0]),
	.shown = "bytes,what,pid,comm,how",
	.sort = "bytes",
};

/* All that is printed. */
struct overview {
	struct ledger ledger;
	const void *lines[LEDGER_LINES_MAX];
	size_t line_count;
	struct process_rows processes;
	struct name_rows names;
	struct object_rows objects;
	struct easy easy;
	const void *easy_lines[EASY_LINES_MAX];
	struct sheet ledger_sheet, process_sheet, name_sheet, object_sheet, easy_sheet;
	char process_title[64], name_title[64], object_title[64], note[192], summary[64];
};

static void free_overview(struct overview *o)
{
	sheet_free(&o->ledger_sheet);
	sheet_free(&o->process_sheet);
	sheet_free(&o->name_sheet);
	sheet_free(&o->object_sheet);
	sheet_free(&o->easy_sheet);
	process_rows_free(&o->processes);
	name_rows_free(&o->names);
	object_rows_free(&o->objects);
}

/* Options about columns are for the ledger, -n for the lists below it. */
static int make_sheets(const struct cli *cli, struct overview *o, struct memoir_error *error)
{
	struct shape lines = cli->shape, top = { .for_eyes = cli->shape.for_eyes }, all = top;
	int ret;

	lines.head = all.head = SHEET_ALL;
	top.head = cli->shape.head == SHEET_ALL ? TOP_ROWS : cli->shape.head;
	ret = sheet_make(&model, &lines, o->lines, o->line_count, &o->ledger, &o->ledger_sheet,
			 error);
	if (ret == 0)
		ret = sheet_make(&process_model, &top, o->processes.pointers, o->processes.count,
				 NULL, &o->process_sheet, error);
	if (ret == 0)
		ret = sheet_make(&name_model, &top, o->names.pointers, o->names.count, NULL,
				 &o->name_sheet, error);
	if (ret == 0)
		ret = sheet_make(&object_model, &top, o->objects.pointers, o->objects.sums.count,
				 NULL, &o->object_sheet, error);
	if (ret == 0)
		ret = sheet_make(&easy_model, &all, o->easy_lines, o->easy.count, NULL,
				 &o->easy_sheet, error);
	return ret;
}

static void make_note(const struct cli *cli, struct overview *o)
{
	if (o->ledger.total_bytes == 0)
		snprintf(o->note, sizeof(o->note),
			 "there is no MemTotal in /proc/meminfo, so that "
			 "nothing can be said about RAM as a whole");
	else if (o->ledger.excess_bytes)
		snprintf(o->note, sizeof(o->note),
			 "the kernel's counters, which are not read at one instant, add up to %llu "
			 "bytes more than MemTotal; the last lines are cut by as much",
			 (unsigned long long)o->ledger.excess_bytes);
	else if (cli->from && !o->ledger.by_frames)
		snprintf(o->note, sizeof(o->note),
			 "frames were not counted when this snapshot was taken: "
			 "the lines are those of /proc/meminfo");
}

static void make_texts(const struct cli *cli, struct overview *o)
{
	char total[NUMBER_MAX];

	snprintf(o->process_title, sizeof(o->process_title), "Processes by PSS, %zu of %zu",
		 o->process_sheet.row_count, o->processes.count);
	snprintf(o->name_title, sizeof(o->name_title), "Names by PSS, %zu of %zu",
		 o->name_sheet.row_count, o->names.count);
	snprintf(o->object_title, sizeof(o->object_title), "Objects by PSS, %zu of %zu",
		 o->object_sheet.row_count, o->objects.sums.count);
	if (o->ledger.total_bytes)
		snprintf(o->summary, sizeof(o->summary), "What %s of RAM are used for",
			 cli_size_text(cli, o->ledger.total_bytes, total));
	make_note(cli, o);
}

static int print_overview(const struct cli *cli, struct overview *o)
{
	struct json_field total = { .name = "total_bytes" };
	const struct report_section sections[] = {
		{ "processes", o->process_title, &o->process_sheet },
		{ "names", o->name_title, &o->name_sheet },
		{ "objects", o->object_title, &o->object_sheet },
		{ "easy", "Easy to get back", &o->easy_sheet },
	};
	struct report report = {
		.schema = "memoir.overview/1",
		.sheet = &o->ledger_sheet,
		.note = o->note[0] ? o->note : NULL,
		.summary = o->summary[0] ? o->summary : NULL,
		.fields = &total,
		.field_count = 1,
		.sections = sections,
		.section_count = o->easy.count || cli->json ? 4 : 3,
	};

	if (o->ledger.total_bytes)
		cell_number(&total.cell, CELL_BYTES, o->ledger.total_bytes);
	return cli_report(cli, &report);
}

/* People need not read of what there is nothing of. */
static void make_lines(const struct cli *cli, struct overview *o)
{
	/* Without MemTotal the ledger stays empty, and a note says so. */
	(void)ledger_make(cli->snapshot, &o->ledger);
	for (size_t i = 0; i < o->ledger.count; i++)
		if (o->ledger.lines[i].bytes || !cli->shape.for_eyes)
			o->lines[o->line_count++] = &o->ledger.lines[i];
	easy_make(cli->snapshot, o->processes.footprints, &o->easy);
	for (size_t i = 0; i < o->easy.count; i++)
		o->easy_lines[i] = &o->easy.lines[i];
}

static int make_overview(const struct cli *cli, struct overview *o, struct memoir_error *error)
{
	int ret = process_rows_make(cli, &o->processes);

	if (ret == 0)
		make_lines(cli, o);
	if (ret == 0)
		ret = name_rows_make(cli, false, &o->names);
	if (ret == 0)
		ret = object_rows_make(cli, &o->objects);
	if (ret == 0)
		ret = make_sheets(cli, o, error);
	if (ret == 0)
		make_texts(cli, o);
	return ret;
}

static int run(struct cli *cli)
{
	struct overview overview = { 0 };
	struct memoir_error error = { 0 };
	int code = cli_take_snapshot(cli);

	if (code != EXIT_DONE)
		return code;
	code = make_overview(cli, &overview, &error) == 0 ? print_overview(cli, &overview)
							  : cli_no_memory();
	free_overview(&overview);
	return code;
}

const struct command overview_command = {
	.name = "overview",
	.summary = "what RAM is used for (the same as memoir alone)",
	.doc = "memoir says whose memory it is. Without a command: what every frame of RAM is used "
	       "for, the processes, names and objects with the most of it (-n: how many of them), "
	       "and what of it is easy to get back."
	       "\vExit codes: 0 done; 1 failed; 2 wrong usage; 3 done, but part of the data could "
	       "not "
	       "be read.",
	.model = &model,
	.flags = COMMAND_SNAPSHOT | COMMAND_FRAMES | COMMAND_BUFFERS,
	.run = run,
};
