// SPDX-License-Identifier: MIT
/*
 * memoir idle: which memory was not touched for a while. Moves none of it.
 */
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/idle_rows.h"
#include "cli/idle_watch.h"
#include "cli/subject_columns.h"
#include "cli/wait.h"
#include "present/number.h"

#define SECONDS_DEFAULT_NS UINT64_C(10000000000)
#define NS_PER_MS 1000000u

enum { OPTION_MEANS = 0x200, OPTION_BY };

struct idle_options {
	enum memoir_idle_means means;
	enum memoir_by by;
	uint64_t interval_ns; /* 0: the default */
};

static const struct argp_option options[] = {
	{ "time", 't', "TIME", 0, "How long: 60, 90s, 500ms, 10m, 2h; 10 s unless said", 0 },
	{ "means", OPTION_MEANS, "MEANS", 0,
	  "How to tell: accessed, referenced, written, damon, passive; see below", 0 },
	{ "by", OPTION_BY, "WHAT", 0, "Rows by region, name or process", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct cli *cli = state->input;
	struct idle_options *own = cli ? cli->own : NULL;
	int found;

	/* While --help is printed. */
	if (!own)
		return ARGP_ERR_UNKNOWN;
	switch (key) {
	case 't':
		if (wait_parse(arg, &own->interval_ns) < 0)
			argp_error(state,
				   "-t takes a time up to a week, such as 60 or 10m, not '%s'",
				   arg);
		return 0;
	case OPTION_MEANS:
		found = idle_means_by_name(arg);
		if (found < 0)
			argp_error(state, "there is no means '%s'; there are " IDLE_MEANS, arg);
		own->means = (enum memoir_idle_means)found;
		return 0;
	case OPTION_BY:
		found = subject_by_name(arg);
		if (found < 0)
			argp_error(state, "--by takes region, name or process, not '%s'", arg);
		own->by = (enum memoir_by)found;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp own_argp = { .options = options, .parser = parse };

/* ---- printing ------------------------------------------------------------------------------- */

#define FIELDS 6

static void make_fields(const struct memoir_idle *idle, const struct idle_options *own,
			struct json_field fields[FIELDS])
{
	enum memoir_idle_means means = memoir_idle_means(idle);
	size_t i = 0;

	fields[i].name = "means";
	cell_text(&fields[i++].cell, memoir_idle_means_name(means));
	fields[i].name = "cannot_tell";
	cell_text(&fields[i++].cell, memoir_idle_means_blind(means));
	fields[i].name = "by";
	cell_text(&fields[i++].cell, memoir_by_name(own->by));
	fields[i].name = "interval_ms";
	cell_number(&fields[i++].cell, CELL_NUMBER, memoir_idle_interval_ns(idle) / NS_PER_MS);
	fields[i].name = "stall_us";
	cell_number(&fields[i++].cell, CELL_NUMBER, memoir_idle_stall_ns(idle) / 1000);
	fields[i].name = "ended";
	cell_number(&fields[i++].cell, CELL_COUNT, memoir_idle_vanished(idle));
}

static void summarize(const struct cli *cli, const struct memoir_idle *idle,
		      const struct memoir_idle_rows *rows, char *buf, size_t room)
{
	enum memoir_idle_means means = memoir_idle_means(idle);
	char idle_text[NUMBER_MAX], rss_text[NUMBER_MAX], percent[NUMBER_MAX], ended[64] = "";
	size_t vanished = memoir_idle_vanished(idle);

	if (vanished)
		snprintf(ended, sizeof(ended), "%zu ended, or began another program; ", vanished);
	cli_size_text(cli, rows->total.idle_bytes, idle_text);
	cli_size_text(cli, rows->total.rss_bytes, rss_text);
	number_percent(rows->total.idle_bytes, rows->total.rss_bytes, percent);
	snprintf(buf, room, "idle for %.1f s: %s of %s (%s); %smeans %s, which can't tell %s",
		 wait_seconds(memoir_idle_interval_ns(idle)), idle_text, rss_text, percent, ended,
		 memoir_idle_means_name(means), memoir_idle_means_blind(means));
}

static int print(struct cli *cli, const struct memoir_idle *idle,
		 const struct memoir_idle_rows *rows)
{
	const struct idle_options *own = cli->own;
	size_t note_count = memoir_idle_note_count(idle);
	const char **notes = calloc(note_count + 2, sizeof(*notes));
	const void **pointers = calloc(rows->count + 1, sizeof(*pointers));
	struct json_field fields[FIELDS];
	char summary[512], shown[SUBJECT_COLUMNS_MAX];
	struct report report = {
		.schema = "memoir.idle/1",
		.fields = fields,
		.field_count = FIELDS,
		.notes = notes,
		.partial = memoir_idle_partial(idle) || wait_interrupted(),
		.summary = summary,
	};
	int code = EXIT_FAILED;

	if (notes && pointers) {
		make_fields(idle, own, fields);
		summarize(cli, idle, rows, summary, sizeof(summary));
		for (size_t i = 0; i < note_count; i++)
			notes[report.note_count++] = memoir_idle_note(idle, i);
		if (wait_interrupted())
			notes[report.note_count++] = WAIT_INTERRUPTED;
		if (!cli->shape.columns && cli->shape.for_eyes)
			cli->shape.columns = subject_columns(own->by, IDLE_FIGURES, shown);
		for (size_t i = 0; i < rows->count; i++)
			pointers[i] = &rows->rows[i];
		code = cli_print_rows(cli, &report, pointers, rows->count, NULL);
	} else {
		cli_no_memory();
	}
	free(notes);
	free(pointers);
	return code;
}

/* ---- the run -------------------------------------------------------------------------------- */

static int run_with(struct cli *cli, struct memoir *memoir)
{
	const struct idle_options *own = cli->own;
	struct memoir_idle *idle = NULL;
	struct memoir_idle_rows rows = { 0 };
	int code = cli_capture(cli, memoir);

	if (code == EXIT_DONE)
		code = cli_check_pid(cli);
	if (code == EXIT_DONE)
		code = idle_watch(cli, memoir, own->means, own->interval_ns, &idle);
	if (code == EXIT_DONE &&
	    memoir_idle_rows(idle, cli->snapshot, cli->selection, own->by, &rows) < 0)
		code = cli_no_memory();
	else if (code == EXIT_DONE)
		code = print(cli, idle, &rows);
	memoir_idle_rows_free(&rows);
	memoir_idle_free(idle);
	return code;
}

static int run(struct cli *cli)
{
	struct idle_options *own = cli->own;
	struct memoir *memoir;
	int code = cli_open(cli, &memoir);

	if (code != EXIT_DONE)
		return code;
	if (!own->interval_ns)
		own->interval_ns = SECONDS_DEFAULT_NS;
	wait_catch_signals();
	code = run_with(cli, memoir);
	memoir_close(memoir);
	return code;
}

const struct command idle_command = {
	.name = "idle",
	.args = "SELECTOR...",
	.summary = "memory that was not touched for a while",
	.doc = "Print how much of each region was not touched for some time, which is waited for."
	       "\vMeans, and what each does to the processes that are watched:\n"
	       "  accessed    clears the accessed bits of their page tables once (7 ms a GiB, "
	       "during "
	       "which a process can't fault, map or unmap), and reads them at the end. Reclaim "
	       "loses "
	       "what it knew of these pages until they are touched again. The default, where page "
	       "tables can be read.\n"
	       "  referenced  clears the same, and reads smaps: whole regions. The default "
	       "elsewhere.\n"
	       "  written     soft-dirty bits: only writes count, and the first to each page "
	       "faults.\n"
	       "  damon       regions sampled by DAMON: an estimate, cheap for very large "
	       "processes.\n"
	       "  passive     clears nothing; tells only of pages whose bits the kernel itself had "
	       "cleared.\n"
	       "A SELECTOR is KEY:GLOB[,GLOB...] with one of the keys pid comm user cgroup name "
	       "path "
	       "kind object, or a pid, or PID:START-END; several must all match.",
	.model = &idle_model,
	.flags = COMMAND_WITHOUT_SETS | COMMAND_NEEDS_ARG,
	.run = run,
	.options = &own_argp,
	.own_bytes = sizeof(struct idle_options),
};
