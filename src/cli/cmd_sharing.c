// SPDX-License-Identifier: MIT
/*
 * memoir sharing: who shares how much with whom, and what is left in common after forks.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/sharing_matrix.h"
#include "cli/sharing_rows.h"

#define TOP_ROWS 24

/* All that is printed. */
struct answer {
	struct memoir_sharing sharing;
	const void **pairs;
	const void **forks;
	struct matrix matrix;
	struct sheet pair_sheet, fork_sheet, matrix_sheet;
	char summary[160], fork_title[96];
};

static void free_answer(struct answer *a)
{
	sheet_free(&a->pair_sheet);
	sheet_free(&a->fork_sheet);
	sheet_free(&a->matrix_sheet);
	free(a->pairs);
	free(a->forks);
	memoir_sharing_free(&a->sharing);
}

/* For people, of some processes, and if they did not ask for columns, which a matrix has not. */
static bool is_matrix(const struct cli *cli, const struct answer *a)
{
	size_t count = a->sharing.process_count;

	return a->sharing.known && cli->shape.for_eyes && !cli->shape.columns && !cli->shape.sort &&
	       cli->shape.head == SHEET_ALL && count > 1 && count <= MATRIX_MAX;
}

static int point_at_rows(struct answer *a)
{
	const struct memoir_sharing *s = &a->sharing;

	a->pairs = sheet_rows(s->pairs, s->pair_count, sizeof(*s->pairs));
	a->forks = sheet_rows(s->forks, s->fork_count, sizeof(*s->forks));
	return a->pairs && a->forks ? 0 : -ENOMEM;
}

static int make_sheets(const struct cli *cli, struct answer *a, struct memoir_error *error)
{
	struct shape pairs = cli->shape, forks = { .for_eyes = cli->shape.for_eyes };
	const struct shape matrix = { .for_eyes = true, .head = SHEET_ALL };
	int ret = point_at_rows(a);

	if (pairs.for_eyes && pairs.head == SHEET_ALL)
		pairs.head = TOP_ROWS;
	forks.head = pairs.head;
	if (ret == 0)
		ret = sheet_make(&pair_model, &pairs, a->pairs, a->sharing.pair_count, NULL,
				 &a->pair_sheet, error);
	if (ret == 0)
		ret = sheet_make(&fork_model, &forks, a->forks, a->sharing.fork_count, NULL,
				 &a->fork_sheet, error);
	if (ret < 0 || !is_matrix(cli, a))
		return ret;
	matrix_make(&a->matrix, &a->sharing);
	return sheet_make(&a->matrix.model, &matrix, a->matrix.rows, a->matrix.count, &a->matrix,
			  &a->matrix_sheet, error);
}

static void make_texts(const struct cli *cli, struct answer *a)
{
	size_t count = a->sharing.process_count;

	if (is_matrix(cli, a))
		snprintf(a->summary, sizeof(a->summary),
			 "RAM that each two of %zu processes have in common", count);
	else
		snprintf(a->summary, sizeof(a->summary),
			 "Pairs with RAM in common, of %zu process%s with any, %zu of %zu", count,
			 count == 1 ? "" : "es", a->pair_sheet.row_count, a->sharing.pair_count);
	snprintf(
		a->fork_title, sizeof(a->fork_title),
		"Forks: what is still in common with the parent, and what is their own, %zu of %zu",
		a->fork_sheet.row_count, a->sharing.fork_count);
}

static int print_answer(const struct cli *cli, struct answer *a)
{
	static const char *const note =
		"who shares which pages is not known: smaps does not tell; run memoir as root, or "
		"with CAP_SYS_ADMIN, CAP_BPF and CAP_PERFMON";
	const struct report_section tree = { "tree", a->fork_title, &a->fork_sheet };
	struct report report = {
		.schema = "memoir.sharing/1",
		.sheet = is_matrix(cli, a) ? &a->matrix_sheet : &a->pair_sheet,
		.note = a->sharing.known ? NULL : note,
		.partial = !a->sharing.known,
		.summary = a->summary,
		.sections = &tree,
		.section_count = cli->json || a->fork_sheet.row_count,
	};

	return cli_report(cli, &report);
}

static int ask(const struct cli *cli, struct answer *a)
{
	struct memoir_error error = { 0 };

	if (memoir_sharing(cli->snapshot, cli->selection, &a->sharing) < 0)
		return cli_no_memory();
	int err = make_sheets(cli, a, &error);

	if (err < 0)
		return cli_fail(&error, err);
	make_texts(cli, a);
	return print_answer(cli, a);
}

static int run(struct cli *cli)
{
	struct answer answer = { 0 };
	int code = cli_take_snapshot(cli);

	if (code != EXIT_DONE)
		return code;
	code = ask(cli, &answer);
	free_answer(&answer);
	return code;
}

const struct command sharing_command = {
	.name = "sharing",
	.args = "[SELECTOR...]",
	.summary = "who shares how much with whom, and what forks have left in common",
	.doc = "Print how much RAM the selected processes have in common with each other and with "
	       "others, and what each of them still shares with its parent. Up to 24 processes are "
	       "shown as a matrix of each other; else, and with -o, -s or -n, as pairs."
	       "\vA SELECTOR is KEY:GLOB[,GLOB...] with one of the keys pid comm user cgroup name "
	       "path kind object, or a pid, or PID:START-END; several must all match. Of regions "
	       "it "
	       "means the processes that have one.",
	.model = &pair_model,
	.flags = COMMAND_SNAPSHOT,
	.run = run,
};
