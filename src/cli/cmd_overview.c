// SPDX-License-Identifier: MIT
/*
 * memoir without a command: what RAM is used for, and the first processes and names.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>

#include "analysis/ledger.h"
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

/* All that is printed. */
struct overview {
	struct ledger ledger;
	const void *lines[LEDGER_LINES_MAX];
	struct process_rows processes;
	struct name_rows names;
	struct sheet ledger_sheet, process_sheet, name_sheet;
	char process_title[64], name_title[64], note[160];
};

static void free_overview(struct overview *o)
{
	sheet_free(&o->ledger_sheet);
	sheet_free(&o->process_sheet);
	sheet_free(&o->name_sheet);
	process_rows_free(&o->processes);
	name_rows_free(&o->names);
}

/* Options about columns are for the ledger, -n for the lists below it. */
static int make_sheets(const struct cli *cli, struct overview *o, struct memoir_error *error)
{
	struct shape lines = cli->shape, top = { .for_eyes = cli->shape.for_eyes };
	int ret;

	lines.head = SHEET_ALL;
	top.head = cli->shape.head == SHEET_ALL ? TOP_ROWS : cli->shape.head;
	ret = sheet_make(&model, &lines, o->lines, o->ledger.count, &o->ledger, &o->ledger_sheet,
			 error);
	if (ret == 0)
		ret = sheet_make(&process_model, &top, o->processes.pointers, o->processes.count,
				 NULL, &o->process_sheet, error);
	if (ret == 0)
		ret = sheet_make(&name_model, &top, o->names.pointers, o->names.sums.count, NULL,
				 &o->name_sheet, error);
	return ret;
}

static void make_texts(struct overview *o)
{
	snprintf(o->process_title, sizeof(o->process_title), "Processes by PSS, %zu of %zu",
		 o->process_sheet.row_count, o->processes.count);
	snprintf(o->name_title, sizeof(o->name_title), "Names by PSS, %zu of %zu",
		 o->name_sheet.row_count, o->names.sums.count);
	if (o->ledger.total_bytes == 0)
		snprintf(o->note, sizeof(o->note),
			 "there is no MemTotal in /proc/meminfo, so that "
			 "nothing can be said about RAM as a whole");
	else if (o->ledger.excess_bytes)
		snprintf(o->note, sizeof(o->note),
			 "the kernel's counters, which are not read at one "
			 "instant, add up to %llu bytes more than MemTotal",
			 (unsigned long long)o->ledger.excess_bytes);
}

static int print_overview(const struct cli *cli, struct overview *o)
{
	struct json_field total = { .name = "total_bytes" };
	const struct report_section sections[] = {
		{ "processes", o->process_title, &o->process_sheet },
		{ "names", o->name_title, &o->name_sheet },
	};
	struct report report = {
		.schema = "memoir.overview/1",
		.sheet = &o->ledger_sheet,
		.note = o->note[0] ? o->note : NULL,
		.fields = &total,
		.field_count = 1,
		.sections = sections,
		.section_count = 2,
	};

	if (o->ledger.total_bytes)
		cell_number(&total.cell, CELL_BYTES, o->ledger.total_bytes);
	return cli_report(cli, &report);
}

static int make_overview(const struct cli *cli, struct overview *o, struct memoir_error *error)
{
	/* Without MemTotal the ledger stays empty, and a note says so. */
	(void)ledger_from_meminfo(cli->snapshot, &o->ledger);
	for (size_t i = 0; i < o->ledger.count; i++)
		o->lines[i] = &o->ledger.lines[i];
	int ret = process_rows_make(cli, &o->processes);

	if (ret == 0)
		ret = name_rows_make(cli, &o->names);
	if (ret == 0)
		ret = make_sheets(cli, o, error);
	if (ret == 0)
		make_texts(o);
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
	.doc = "memoir says whose memory it is. Without a command: what RAM is used for, and the "
	       "processes and names with the most of it (-n: how many of them)."
	       "\vExit codes: 0 done; 1 failed; 2 wrong usage; 3 done, but part of the data could "
	       "not "
	       "be read.",
	.model = &model,
	.flags = COMMAND_SNAPSHOT,
	.run = run,
};
