// SPDX-License-Identifier: MIT
/*
 * Printing what a command found, as JSON, CSV or tables, and the exit code that goes with it.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "present/csv.h"
#include "present/escape.h"
#include "present/table.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* Large, and needed once. */
static struct out out;

static uint64_t taken_ns(const struct cli *cli)
{
	struct timespec now;

	if (cli->snapshot)
		return memoir_snapshot_taken_ns(cli->snapshot);
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static bool is_partial(const struct cli *cli, const struct report *report)
{
	return report->partial || (cli->snapshot && memoir_snapshot_partial(cli->snapshot));
}

/* The notes of the snapshot and of the report; to be freed by free(). NULL: no memory. */
static const char **collect_notes(const struct cli *cli, const struct report *report,
				  const char *scope, size_t *ret_count)
{
	size_t count = cli->snapshot ? memoir_snapshot_note_count(cli->snapshot) : 0;
	const char **notes = calloc(count + report->note_count + 2, sizeof(*notes));

	if (!notes)
		return NULL;
	for (size_t i = 0; i < count; i++)
		notes[i] = memoir_snapshot_note(cli->snapshot, i);
	for (size_t i = 0; i < report->note_count; i++)
		notes[count++] = report->notes[i];
	if (report->note)
		notes[count++] = report->note;
	if (scope)
		notes[count++] = scope;
	*ret_count = count;
	return notes;
}

#define OWN_FIELDS 2

/* The report's fields, and before them how the snapshot came about. */
static struct json_field *collect_fields(const struct cli *cli, const struct report *report,
					 size_t *ret_count)
{
	struct json_field *fields = calloc(report->field_count + OWN_FIELDS, sizeof(*fields));
	size_t count = 0;

	if (!fields)
		return NULL;
	if (cli->snapshot) {
		fields[count].name = "engine";
		cell_text(&fields[count++].cell,
			  memoir_engine_name(memoir_snapshot_engine(cli->snapshot)));
		fields[count].name = "vanished";
		cell_number(&fields[count++].cell, CELL_COUNT,
			    memoir_snapshot_vanished(cli->snapshot));
	}
	for (size_t i = 0; i < report->field_count; i++)
		fields[count++] = report->fields[i];
	*ret_count = count;
	return fields;
}

static int write_json(const struct cli *cli, const struct report *report, const char *const *notes,
		      size_t note_count)
{
	struct json_section *sections = calloc(report->section_count + 1, sizeof(*sections));
	struct json_document document = {
		.schema = report->schema,
		.taken_ns = taken_ns(cli),
		.partial = is_partial(cli, report),
		.notes = notes,
		.note_count = note_count,
		.sections = sections,
		.section_count = report->section_count,
		.sheet = report->sheet,
	};
	struct json_field *fields = collect_fields(cli, report, &document.field_count);

	if (sections && fields) {
		for (size_t i = 0; i < report->section_count; i++)
			sections[i] = (struct json_section){ report->sections[i].name,
							     report->sections[i].sheet };
		document.fields = fields;
		json_write(&out, &document);
	}
	int ret = sections && fields ? 0 : -ENOMEM;

	free(sections);
	free(fields);
	return ret;
}

static void write_csv(const struct cli *cli, const struct report *report)
{
	struct csv_options options = {
		.no_heading = cli->no_heading,
		.to_terminal = isatty(STDOUT_FILENO),
		.utf8 = cli_terminal_is_utf8(),
	};

	csv_write(&out, report->sheet, &options);
}

static bool may_be_bold(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

/* It may quote names that strangers gave. */
static int write_line(const char *text)
{
	struct buffer buffer = { 0 };
	size_t width;
	int ret = escape_terminal(&buffer, text, strlen(text), cli_terminal_is_utf8(), &width);

	if (ret == 0) {
		out_bytes(&out, buffer.data, buffer.len);
		out_char(&out, '\n');
	}
	buffer_free(&buffer);
	return ret;
}

static int write_summary(const struct cli *cli, const struct report *report)
{
	int ret;

	if (!report->summary || cli->no_heading)
		return 0;
	ret = write_line(report->summary);
	if (ret == 0 && report->legend && report->legend[0])
		ret = write_line(report->legend);
	if (ret == 0)
		out_char(&out, '\n');
	return ret;
}

static int write_tables(const struct cli *cli, const struct report *report)
{
	struct table_options options = {
		.no_heading = cli->no_heading,
		.bold_heading = may_be_bold(),
		.totals = cli->totals,
		.plain_bytes = cli->plain_bytes,
		.utf8 = cli_terminal_is_utf8(),
	};
	int ret = write_summary(cli, report);

	if (ret == 0)
		ret = table_write(&out, report->sheet, &options);

	for (size_t i = 0; i < report->section_count && ret == 0; i++) {
		out_char(&out, '\n');
		out_text(&out, report->sections[i].title);
		out_char(&out, '\n');
		ret = table_write(&out, report->sections[i].sheet, &options);
	}
	return ret;
}

static int write_report(const struct cli *cli, const struct report *report,
			const char *const *notes, size_t note_count)
{
	int ret = 0;

	out_init(&out, STDOUT_FILENO);
	if (cli->json)
		ret = write_json(cli, report, notes, note_count);
	else if (cli->csv)
		write_csv(cli, report);
	else
		ret = write_tables(cli, report);
	if (ret < 0)
		return ret;
	return out_flush(&out);
}

static int exit_code(const struct cli *cli, const struct report *report, int ret)
{
	if (ret == -ENOMEM)
		return cli_no_memory();
	/* Whoever closed the pipe knows that he did. */
	if (ret < 0 && ret != -EPIPE)
		complain("the output could not be written: %s", strerror(-ret));
	if (ret < 0)
		return EXIT_FAILED;
	return is_partial(cli, report) ? EXIT_PARTIAL : EXIT_DONE;
}

int cli_report(const struct cli *cli, const struct report *report)
{
	char scope[SCOPE_NOTE_MAX];
	size_t note_count;
	bool scoped = cli_note_scope(cli, scope);
	const char **notes = collect_notes(cli, report, scoped ? scope : NULL, &note_count);

	if (!notes)
		return cli_no_memory();
	int ret = write_report(cli, report, notes, note_count);

	if (!cli->json)
		for (size_t i = 0; i < note_count; i++)
			complain("%s", notes[i]);
	free(notes);
	return exit_code(cli, report, ret);
}

int cli_print_rows(const struct cli *cli, struct report *report, const void **rows,
		   size_t row_count, const void *ctx)
{
	struct memoir_error error = { 0 };
	struct shape shape = cli->shape;
	struct sheet sheet;

	shape.without_totals = !cli->json && !cli->totals;
	int err = sheet_make(cli->model, &shape, rows, row_count, ctx, &sheet, &error);

	if (err < 0)
		return cli_fail(&error, err);
	report->sheet = &sheet;
	int code = cli_report(cli, report);

	report->sheet = NULL;
	sheet_free(&sheet);
	return code;
}
