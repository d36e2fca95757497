// SPDX-License-Identifier: MIT
/*
 * memoir buffers: memory made to be shared, and every process that holds it; and what becomes of it.
 */
#include "cli/cli.h"

#include <argp.h>
#include <stdlib.h>

#include "analysis/select.h"
#include "cli/buffer_rows.h"
#include "cli/wait.h"
#include "cli/watch_buffers.h"

struct buffers_options {
	bool watch;
	uint64_t interval_ns;
};

enum { OPTION_WATCH = 0x300 };

static const struct argp_option options[] = {
	{ "watch", OPTION_WATCH, "TIME", OPTION_ARG_OPTIONAL,
	  "Print what is created, held, left and freed, until interrupted, then the peak of each "
	  "tag; look every TIME (1s unless said)",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct cli *cli = state->input;
	struct buffers_options *own = cli ? cli->own : NULL;

	if (!own || key != OPTION_WATCH)
		return ARGP_ERR_UNKNOWN;
	own->watch = true;
	own->interval_ns = WATCH_BUFFERS_DEFAULT_NS;
	if (arg && wait_parse(arg, &own->interval_ns) < 0)
		argp_error(state,
			   "--watch takes a time up to a week between looks, such as 0.5s or 10s, "
			   "not '%s'",
			   arg);
	return 0;
}

static const struct argp own_argp = { .options = options, .parser = parse };

/* What goes with --watch; says so where something does not. */
static bool can_watch(const struct cli *cli)
{
	const struct shape *shape = &cli->shape;

	if (cli->model == &buffer_model && !cli->from && !cli->root && !cli->csv && !cli->totals &&
	    !shape->columns && !shape->sort && !shape->reverse && shape->head == SHEET_ALL)
		return true;
	complain("--watch goes with selectors, --json, --bytes and -H only");
	return false;
}

/* What is not there though it may be on the machine; NULL: nothing. */
static const char *lack(const struct cli *cli, bool holders_known)
{
	if (!holders_known && cli->root)
		return "who has what open is not known from a captured tree, so that only mapped "
		       "buffers are there";
	if (!holders_known)
		return "who has what open could not be looked at, so that only mapped buffers are "
		       "there: run memoir as root";
	if (cli->from && !memoir_snapshot_buffers_known(cli->snapshot))
		return "the snapshot was taken without looking for all sorts of buffers: rings of "
		       "io_uring, memory of virtual machines, files in flight and what no process "
		       "has are not there";
	return NULL;
}

static int print(const struct cli *cli, const void **rows, size_t count, bool holders_known)
{
	const char *lacks = lack(cli, holders_known);
	struct report report = {
		.schema = "memoir.buffers/1",
		.note = lacks,
		.partial = lacks,
	};

	return rows ? cli_print_rows(cli, &report, rows, count, NULL) : cli_no_memory();
}

static int print_buffers(const struct cli *cli, const struct memoir_buffers *buffers)
{
	const void **rows = calloc(buffers->count + 1, sizeof(*rows));

	for (size_t i = 0; rows && i < buffers->count; i++)
		rows[i] = &buffers->rows[i];
	int code = print(cli, rows, buffers->count, buffers->known);

	free(rows);
	return code;
}

static int by_tag(const struct cli *cli, const struct memoir_buffers *buffers)
{
	struct memoir_tag_sums sums;

	if (memoir_buffers_by_tag(buffers, &sums) < 0)
		return cli_no_memory();
	const void **rows = calloc(sums.count + 1, sizeof(*rows));

	for (size_t i = 0; rows && i < sums.count; i++)
		rows[i] = &sums.rows[i];
	int code = print(cli, rows, sums.count, buffers->known);

	free(rows);
	memoir_tag_sums_free(&sums);
	return code;
}

/* By process, and of each the one first that costs it most. */
static int compare_held(const void *left, const void *right)
{
	const struct held_row *a = left, *b = right;
	const struct memoir_buffer_holder *x = a->holder, *y = b->holder;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	if (x->share_bytes != y->share_bytes)
		return x->share_bytes > y->share_bytes ? -1 : 1;
	return (a->buffer > b->buffer) - (a->buffer < b->buffer);
}

/* Of processes that are selected, all they hold of what is. */
static size_t list_held(const struct cli *cli, const struct memoir_buffers *buffers,
			struct held_row *held)
{
	size_t count = 0;

	for (size_t i = 0; i < buffers->count; i++)
		for (uint32_t k = 0; k < buffers->rows[i].holder_count; k++) {
			const struct memoir_buffer_holder *holder = &buffers->rows[i].holders[k];

			if (memoir_selection_matches_process(cli->selection, holder->process))
				held[count++] = (struct held_row){ &buffers->rows[i], holder };
		}
	if (count)
		qsort(held, count, sizeof(*held), compare_held);
	return count;
}

static int by_process(const struct cli *cli, const struct memoir_buffers *buffers)
{
	size_t most = 1;

	for (size_t i = 0; i < buffers->count; i++)
		most += buffers->rows[i].holder_count;
	struct held_row *held = calloc(most, sizeof(*held));
	const void **rows = calloc(most, sizeof(*rows));
	int code;

	if (held && rows) {
		size_t count = list_held(cli, buffers, held);

		for (size_t i = 0; i < count; i++)
			rows[i] = &held[i];
		code = print(cli, rows, count, buffers->known);
	} else {
		code = cli_no_memory();
	}
	free(held);
	free(rows);
	return code;
}

static int run(struct cli *cli)
{
	const struct buffers_options *own = cli->own;
	struct memoir_buffers buffers;
	int code;

	if (own->watch)
		return can_watch(cli) ? watch_buffers(cli, own->interval_ns) : EXIT_USAGE;
	code = cli_take_snapshot(cli);
	if (code != EXIT_DONE)
		return code;
	if (memoir_buffers(cli->snapshot, cli->selection, &buffers) < 0)
		return cli_no_memory();
	code = cli->model == &held_model  ? by_process(cli, &buffers)
	       : cli->model == &tag_model ? by_tag(cli, &buffers)
					  : print_buffers(cli, &buffers);
	memoir_buffers_free(&buffers);
	return code;
}

static const struct command_view views[] = {
	{ "by-process", "One row for each process and buffer that it holds", &held_model },
	{ "by-tag", "Buffers that are called the same, summed up", &tag_model },
	{ NULL, NULL, NULL },
};

const struct command buffers_command = {
	.name = "buffers",
	.args = "[SELECTOR...]",
	.summary = "shared buffers, and every process that holds one",
	.doc = "Print memory that is made to be shared (memfds, shared memory, dma-bufs, huge "
	       "pages, DRM clients, what programs announce and more), what of it is in RAM though "
	       "nobody may map it, and "
	       "every process that holds it: by fds, by mappings, or by files in flight."
	       "\vA SELECTOR is KEY:GLOB[,GLOB...]: kind, object, path and name (its tag) speak of "
	       "the buffer, pid, comm, user and cgroup of a process that holds it; a pid alone or "
	       "PID:START-END is one, too. Several must all match.",
	.model = &buffer_model,
	.views = views,
	.flags = COMMAND_SNAPSHOT | COMMAND_WITHOUT_SETS | COMMAND_WITHOUT_KINDS | COMMAND_BUFFERS |
		 COMMAND_WHOLE,
	.run = run,
	.options = &own_argp,
	.own_bytes = sizeof(struct buffers_options),
};
