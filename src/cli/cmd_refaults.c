// SPDX-License-Identifier: MIT
/*
 * memoir refaults: what of the memory that is swapped out comes back, and how soon. Sends none of it out.
 */
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/refault_rows.h"
#include "cli/subject_columns.h"
#include "cli/wait.h"
#include "present/number.h"

#define WATCH_DEFAULT_NS UINT64_C(10000000000)
#define NS_PER_MS 1000000u

enum { OPTION_WATCH = 0x200, OPTION_BY };

struct refault_options {
	uint64_t watch_ns; /* 0: the default */
	enum memoir_by by;
	bool by_given;
};

static const struct argp_option options[] = {
	{ "watch", OPTION_WATCH, "TIME", 0, "How long: 60, 90s, 10m, 2h; 10 s unless said", 0 },
	{ "by", OPTION_BY, "WHAT", 0, "Rows by name (unless said), region or process", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct cli *cli = state->input;
	struct refault_options *own = cli ? cli->own : NULL;
	int found;

	/* While --help is printed. */
	if (!own)
		return ARGP_ERR_UNKNOWN;
	switch (key) {
	case OPTION_WATCH:
		if (wait_parse(arg, &own->watch_ns) < 0)
			argp_error(state,
				   "--watch takes a time up to a week, such as 60 or 10m, not "
				   "'%s'",
				   arg);
		return 0;
	case OPTION_BY:
		found = subject_by_name(arg);
		if (found < 0)
			argp_error(state, "--by takes name, region or process, not '%s'", arg);
		own->by = (enum memoir_by)found;
		own->by_given = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp own_argp = { .options = options, .parser = parse };

/* ---- printing ------------------------------------------------------------------------------- */

#define FIELDS 7

static void bytes_if_known(struct json_field *field, const char *name, uint64_t bytes)
{
	field->name = name;
	if (bytes == UINT64_MAX)
		cell_null(&field->cell);
	else
		cell_number(&field->cell, CELL_BYTES, bytes);
}

static void make_fields(const struct memoir_refaults *refaults,
			const struct memoir_refault_rows *rows, enum memoir_by by,
			struct json_field fields[FIELDS])
{
	struct memoir_refault_machine machine = memoir_refaults_machine(refaults);

	fields[0].name = "by";
	cell_text(&fields[0].cell, memoir_by_name(by));
	fields[1].name = "watched_ms";
	cell_number(&fields[1].cell, CELL_NUMBER, memoir_refaults_watched_ns(refaults) / NS_PER_MS);
	fields[2].name = "ended";
	cell_number(&fields[2].cell, CELL_COUNT, memoir_refaults_vanished(refaults));
	fields[3].name = "major_faults";
	cell_number(&fields[3].cell, CELL_COUNT, rows->major_faults);
	bytes_if_known(&fields[4], "machine_refault_anon_bytes", machine.refault_anon_bytes);
	bytes_if_known(&fields[5], "machine_refault_file_bytes", machine.refault_file_bytes);
	bytes_if_known(&fields[6], "machine_swapped_in_bytes", machine.swapped_in_bytes);
}

static const char *size_text(const struct cli *cli, uint64_t bytes, char buf[NUMBER_MAX])
{
	if (bytes == UINT64_MAX)
		return "an unknown amount";
	return cli_size_text(cli, bytes, buf);
}

static void summarize(const struct cli *cli, const struct memoir_refaults *refaults,
		      const struct memoir_refault_rows *rows, char *buf, size_t room)
{
	struct memoir_refault_machine machine = memoir_refaults_machine(refaults);
	char back[NUMBER_MAX], swapped[NUMBER_MAX], percent[NUMBER_MAX], all[NUMBER_MAX];

	if (!rows->total.swapped_bytes) {
		snprintf(buf, room,
			 "none of it was swapped out in the beginning, so that nothing could come "
			 "back");
		return;
	}
	number_percent(rows->total.back_bytes, rows->total.swapped_bytes, percent);
	snprintf(buf, room,
		 "within %.1f s came back %s of %s swapped out (%s), in %llu major faults; on the "
		 "whole machine %s were read from swap",
		 wait_seconds(memoir_refaults_watched_ns(refaults)),
		 size_text(cli, rows->total.back_bytes, back),
		 size_text(cli, rows->total.swapped_bytes, swapped), percent,
		 (unsigned long long)rows->major_faults,
		 size_text(cli, machine.swapped_in_bytes, all));
}

static int print(struct cli *cli, const struct memoir_refaults *refaults,
		 const struct memoir_refault_rows *rows)
{
	const struct refault_options *own = cli->own;
	size_t note_count = memoir_refaults_note_count(refaults);
	const char **notes = calloc(note_count + 2, sizeof(*notes));
	const void **pointers = calloc(rows->count + 1, sizeof(*pointers));
	struct json_field fields[FIELDS];
	char summary[512], shown[SUBJECT_COLUMNS_MAX];
	struct report report = {
		.schema = "memoir.refaults/1",
		.fields = fields,
		.field_count = FIELDS,
		.notes = notes,
		.partial = memoir_refaults_partial(refaults) || wait_interrupted(),
		.summary = summary,
	};
	int code = EXIT_FAILED;

	if (notes && pointers) {
		make_fields(refaults, rows, own->by, fields);
		summarize(cli, refaults, rows, summary, sizeof(summary));
		for (size_t i = 0; i < note_count; i++)
			notes[report.note_count++] = memoir_refaults_note(refaults, i);
		if (wait_interrupted())
			notes[report.note_count++] = WAIT_INTERRUPTED;
		if (!cli->shape.columns && cli->shape.for_eyes)
			cli->shape.columns = subject_columns(own->by, REFAULT_FIGURES, shown);
		for (size_t i = 0; i < rows->count; i++)
			pointers[i] = &rows->rows[i];
		code = cli_print_rows(cli, &report, pointers, rows->count, refaults);
	} else {
		cli_no_memory();
	}
	free(notes);
	free(pointers);
	return code;
}

/* ---- the run -------------------------------------------------------------------------------- */

static int watch(struct cli *cli, struct memoir *memoir, struct memoir_refaults **ret_refaults)
{
	const struct refault_options *own = cli->own;
	struct memoir_error error = { 0 };
	int err =
		memoir_refaults_begin(memoir, cli->snapshot, cli->selection, ret_refaults, &error);

	if (!err)
		err = refault_watch(*ret_refaults, own->watch_ns, "watching what comes back",
				    &error);
	if (err)
		complain("%s", error.text);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct cli *cli)
{
	struct refault_options *own = cli->own;
	struct memoir_refaults *refaults = NULL;
	struct memoir_refault_rows rows = { 0 };
	struct memoir *memoir;
	int code = cli_open(cli, &memoir);

	if (code != EXIT_DONE)
		return code;
	own->watch_ns = own->watch_ns ? own->watch_ns : WATCH_DEFAULT_NS;
	own->by = own->by_given ? own->by : MEMOIR_BY_NAME;
	wait_catch_signals();
	code = cli_capture(cli, memoir);
	if (code == EXIT_DONE)
		code = cli_check_pid(cli);
	if (code == EXIT_DONE)
		code = watch(cli, memoir, &refaults);
	if (code == EXIT_DONE && memoir_refaults_rows(refaults, own->by, &rows) < 0)
		code = cli_no_memory();
	else if (code == EXIT_DONE)
		code = print(cli, refaults, &rows);
	memoir_refault_rows_free(&rows);
	memoir_refaults_free(refaults);
	memoir_close(memoir);
	return code;
}

const struct command refaults_command = {
	.name = "refaults",
	.args = "SELECTOR...",
	.summary = "what is swapped out and comes back, and how soon",
	.doc = "Watch memory that is swapped out, and print what of it comes back, and how soon."
	       "\vIt looks four times a second at first, once a second up to a minute, then every "
	       "5 "
	       "seconds; a page that came back and went out again in between is not seen. "
	       "Anonymous "
	       "memory only: swapped shmem and dropped pages of files leave no trace in page "
	       "tables. "
	       "machine_refault_anon_bytes and the like are the kernel's own counts, for the whole "
	       "machine.\n"
	       "A SELECTOR is KEY:GLOB[,GLOB...] with one of the keys pid comm user cgroup name "
	       "path "
	       "kind object, or a pid, or PID:START-END; several must all match.",
	.model = &refault_model,
	.flags = COMMAND_WITHOUT_SETS | COMMAND_NEEDS_ARG,
	.run = run,
	.options = &own_argp,
	.own_bytes = sizeof(struct refault_options),
};
