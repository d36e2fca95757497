// SPDX-License-Identifier: MIT
/*
 * memoir diff: what changed between two snapshots, or between one and now.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/diff_rows.h"
#include "present/number.h"

#define TOP_ROWS 10

static const char *const titles[MEMOIR_DIFF_WAYS] = {
	[MEMOIR_DIFF_PROCESS] = "Processes",
	[MEMOIR_DIFF_NAME] = "Names",
	[MEMOIR_DIFF_OBJECT] = "Objects",
};

/* What changed, one way. */
struct part {
	enum memoir_diff_by by;
	struct memoir_diff diff;
	const void **rows; /* those that are news */
	size_t row_count;
	struct sheet sheet;
	char title[64];
};

struct comparison {
	struct memoir_snapshot *before; /* the other one is cli's */
	struct part parts[MEMOIR_DIFF_WAYS];
	size_t part_count;
	const void **rows; /* of all parts, for programs */
	struct sheet sheet;
	char **notes;
	size_t note_count;
	char summary[192];
};

static void free_comparison(struct comparison *c)
{
	for (size_t i = 0; i < MEMOIR_DIFF_WAYS; i++) {
		sheet_free(&c->parts[i].sheet);
		free(c->parts[i].rows);
		memoir_diff_free(&c->parts[i].diff);
	}
	for (size_t i = 0; i < c->note_count; i++)
		free(c->notes[i]);
	free(c->notes);
	sheet_free(&c->sheet);
	free(c->rows);
	memoir_snapshot_free(c->before);
}

/* What did not change is none, nor what is known of neither snapshot. */
static bool is_news(const struct memoir_diff_row *row)
{
	bool unread = !row->before.figures.known && !row->after.figures.known;

	return row->change != MEMOIR_CHANGE_NONE &&
	       !(row->change == MEMOIR_CHANGE_UNKNOWN && unread);
}

static int make_part(const struct cli *cli, struct comparison *c, enum memoir_diff_by by,
		     const struct shape *shape, struct memoir_error *error)
{
	struct part *part = &c->parts[c->part_count++];
	int ret = memoir_diff(c->before, cli->snapshot, by, &part->diff);

	part->by = by;
	if (ret < 0)
		return ret;
	part->rows = calloc(part->diff.count + 1, sizeof(*part->rows));
	if (!part->rows)
		return -ENOMEM;
	for (size_t i = 0; i < part->diff.count; i++)
		if (is_news(&part->diff.rows[i]))
			part->rows[part->row_count++] = &part->diff.rows[i];
	ret = sheet_make(&diff_models[by], shape, part->rows, part->row_count, NULL, &part->sheet,
			 error);
	snprintf(part->title, sizeof(part->title), "%s, %zu of %zu that changed", titles[by],
		 part->sheet.row_count, part->row_count);
	return ret;
}

/* All rows in one sheet. Each way sums the same memory: a total is that of the first to have it. */
static int join_parts(const struct cli *cli, struct comparison *c, struct memoir_error *error)
{
	struct shape shape = { .columns = cli->shape.columns, .head = SHEET_ALL };
	size_t count = 0;

	for (size_t i = 0; i < c->part_count; i++)
		count += c->parts[i].sheet.row_count;
	c->rows = calloc(count + 1, sizeof(*c->rows));
	if (!c->rows)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < c->part_count; i++)
		for (size_t row = 0; row < c->parts[i].sheet.row_count; row++)
			c->rows[count++] = c->parts[i].sheet.rows[row];
	int ret = sheet_make(&diff_models[MEMOIR_DIFF_PROCESS], &shape, c->rows, count, NULL,
			     &c->sheet, error);

	for (size_t column = 0; ret == 0 && column < c->sheet.column_count; column++) {
		cell_null(&c->sheet.totals[column]);
		for (size_t i = c->part_count; i-- > 0;)
			if (c->parts[i].sheet.totals[column].type != CELL_NULL)
				c->sheet.totals[column] = c->parts[i].sheet.totals[column];
	}
	return ret;
}

/* "process", "name", "object", or NULL for all; false: no such way. */
static bool is_way(const char *by)
{
	for (unsigned int i = 0; by && i < MEMOIR_DIFF_WAYS; i++)
		if (strcmp(memoir_diff_by_name(i), by) == 0)
			return true;
	return !by;
}

static int make_parts(const struct cli *cli, struct comparison *c, struct memoir_error *error)
{
	struct shape shape = cli->shape;
	int ret = 0;

	if (shape.for_eyes && !cli->by && shape.head == SHEET_ALL)
		shape.head = TOP_ROWS;
	for (unsigned int by = 0; by < MEMOIR_DIFF_WAYS && ret == 0; by++)
		if (!cli->by || strcmp(memoir_diff_by_name(by), cli->by) == 0)
			ret = make_part(cli, c, by, &shape, error);
	if (ret == 0 && !shape.for_eyes)
		ret = join_parts(cli, c, error);
	return ret;
}

__attribute__((format(printf, 2, 3))) static int add_note(struct comparison *c, const char *format,
							  ...)
{
	va_list args;
	char *note;

	va_start(args, format);
	int len = vasprintf(&note, format, args);

	va_end(args);
	if (len < 0)
		return -ENOMEM;
	c->notes[c->note_count++] = note;
	return 0;
}

static const char *scope_text(const char *scope)
{
	if (!scope)
		return "all processes";
	return *scope ? scope : "some processes";
}

/* With different processes in them, what one left out looks as if it had come or gone. */
static int note_scopes(const struct cli *cli, struct comparison *c)
{
	const char *before = memoir_snapshot_scope(c->before);
	const char *after = memoir_snapshot_scope(cli->snapshot);

	if (!before && !after)
		return 0;
	if (before && after && *before && strcmp(before, after) == 0)
		return add_note(c, "both were captured of %s only", before);
	return add_note(c,
			"before is %s, after is %s: what was left out of one of them looks as if "
			"it had come or gone",
			scope_text(before), scope_text(after));
}

/* Those of the snapshot before; cli's own are printed anyway. */
static int make_notes(const struct cli *cli, struct comparison *c)
{
	size_t count = memoir_snapshot_note_count(c->before);
	int ret = 0;

	c->notes = calloc(count + 2, sizeof(*c->notes));
	if (!c->notes)
		return -ENOMEM;
	if (memoir_snapshot_taken_ns(c->before) > memoir_snapshot_taken_ns(cli->snapshot))
		ret = add_note(
			c, "%s was taken after what it is compared with: time runs backwards here",
			cli->selectors[0]);
	if (ret == 0)
		ret = note_scopes(cli, c);
	for (size_t i = 0; i < count && ret == 0; i++)
		ret = add_note(c, "before: %s", memoir_snapshot_note(c->before, i));
	return ret;
}

static void make_summary(const struct cli *cli, struct comparison *c)
{
	char before[NUMBER_MAX], after[NUMBER_MAX];
	bool titled = c->part_count > 1; /* with one part it goes without saying */

	number_time(memoir_snapshot_taken_ns(c->before), before);
	number_time(memoir_snapshot_taken_ns(cli->snapshot), after);
	snprintf(c->summary, sizeof(c->summary), "From %s to %s%s%s", before, after,
		 titled ? ". " : "", titled ? c->parts[0].title : "");
}

#define FIELDS 2

static void make_fields(const struct comparison *c, struct json_field fields[FIELDS])
{
	struct cell *taken = &fields[0].cell;

	fields[0].name = "taken_before";
	cell_scratch(taken, number_time(memoir_snapshot_taken_ns(c->before), taken->scratch));
	fields[1].name = "engine_before";
	cell_text(&fields[1].cell, memoir_engine_name(memoir_snapshot_engine(c->before)));
}

static int print_comparison(const struct cli *cli, struct comparison *c)
{
	struct report_section sections[MEMOIR_DIFF_WAYS];
	struct json_field fields[FIELDS];
	struct report report = {
		.schema = "memoir.diff/1",
		.sheet = cli->shape.for_eyes ? &c->parts[0].sheet : &c->sheet,
		.notes = (const char *const *)c->notes,
		.note_count = c->note_count,
		.partial = memoir_snapshot_partial(c->before),
		.summary = cli->no_heading ? NULL : c->summary,
		.fields = fields,
		.field_count = FIELDS,
		.sections = sections,
	};

	make_fields(c, fields);
	make_summary(cli, c);
	for (size_t i = 1; cli->shape.for_eyes && i < c->part_count; i++)
		sections[report.section_count++] =
			(struct report_section){ memoir_diff_by_name(c->parts[i].by),
						 c->parts[i].title, &c->parts[i].sheet };
	return cli_report(cli, &report);
}

/* The first file is what was before, the second, or the machine, what is after. */
static int take_snapshots(struct cli *cli, struct comparison *c)
{
	int code;

	cli->from = cli->selectors[0];
	code = cli_take_snapshot(cli);
	c->before = cli->snapshot;
	cli->snapshot = NULL;
	cli->from = cli->selector_count > 1 ? cli->selectors[1] : NULL;
	return code == EXIT_DONE ? cli_take_snapshot(cli) : code;
}

static int check_arguments(const struct cli *cli)
{
	if (cli->selector_count == 0 || cli->selector_count > 2)
		complain("say what to compare: memoir diff BEFORE AFTER, two files saved by memoir "
			 "capture, or memoir diff BEFORE to compare one with now");
	else if (cli->selector_count == 2 && (cli->root || cli->engine))
		complain("two files are compared: --root and --engine make no sense with them");
	else if (!is_way(cli->by))
		complain("nothing can be compared by '%s'; there are process, name and object",
			 cli->by);
	else
		return EXIT_DONE;
	return EXIT_USAGE;
}

static int run(struct cli *cli)
{
	struct comparison comparison = { 0 };
	struct memoir_error error = { 0 };
	int code = check_arguments(cli);

	if (code == EXIT_DONE)
		code = take_snapshots(cli, &comparison);
	if (code == EXIT_DONE) {
		bool made = make_parts(cli, &comparison, &error) == 0 &&
			    make_notes(cli, &comparison) == 0;

		code = made ? print_comparison(cli, &comparison) : cli_no_memory();
	}
	free_comparison(&comparison);
	return code;
}

const struct command diff_command = {
	.name = "diff",
	.args = "BEFORE [AFTER]",
	.summary = "what changed between two snapshots, or since one",
	.doc = "Print what grew, shrank, came and went between two snapshots saved by memoir "
	       "capture, or between one and now: by process, by name and by object, the largest "
	       "changes first."
	       "\vProcesses are the same if pid and start time are: one that called exec in "
	       "between keeps its row, which says so. Objects are the same if their ids are. "
	       "Without --by and -n, tables have the first 10 rows each.",
	.model = &diff_models[MEMOIR_DIFF_PROCESS],
	.flags = COMMAND_COMPARES | COMMAND_TARGETS | COMMAND_WITHOUT_SETS,
	.run = run,
};
