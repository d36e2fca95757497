// SPDX-License-Identifier: MIT
/*
 * memoir names: memory by name, over all processes; and names as programs give them.
 */
#include "cli/cli.h"

#include <argp.h>
#include <stdbool.h>

#include "cli/rows.h"
#include "cli/watch_names.h"

struct names_options {
	bool watch, tree;
};

enum {
	OPTION_WATCH = 0x300,
	OPTION_TREE,
};

static const struct argp_option options[] = {
	{ "tree", OPTION_TREE, NULL, 0,
	  "Names that begin alike in groups, with subtotals: cut behind ':', the first part "
	  "also behind '-', '/' or a space, paths behind '/'",
	  0 },
	{ "watch", OPTION_WATCH, NULL, 0,
	  "Print names as programs give them, until interrupted, and keep those that the kernel "
	  "refuses for other commands (needs CAP_BPF and CAP_PERFMON)",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct cli *cli = state->input;
	struct names_options *own = cli ? cli->own : NULL;

	(void)arg;
	switch (key) {
	case OPTION_WATCH:
		own->watch = true;
		return 0;
	case OPTION_TREE:
		own->tree = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp own_argp = { .options = options, .parser = parse };

/* What goes with --watch; says so where something does not. */
static bool can_watch(const struct cli *cli)
{
	const struct names_options *own = cli->own;
	const struct shape *shape = &cli->shape;

	if (own->tree || cli->from || cli->root || cli->engine || cli->csv || cli->totals ||
	    shape->columns || shape->sort || shape->reverse || shape->head != SHEET_ALL) {
		complain("--watch goes with --json, --bytes and -H only");
		return false;
	}
	if (memoir_selection_has_region_keys(cli->selection)) {
		complain("--watch takes selectors of processes only: pid comm user cgroup");
		return false;
	}
	return true;
}

static int run(struct cli *cli)
{
	const struct names_options *own = cli->own;
	struct report report = { .schema = "memoir.names/1" };
	struct name_rows rows;
	int code;

	if (own->watch)
		return can_watch(cli) ? watch_names(cli) : EXIT_USAGE;
	code = cli_take_snapshot(cli);
	if (code != EXIT_DONE)
		return code;
	if (name_rows_make(cli, own->tree, &rows) < 0)
		return cli_no_memory();
	code = cli_print_rows(cli, &report, rows.pointers, rows.count, NULL);
	name_rows_free(&rows);
	return code;
}

const struct command names_command = {
	.name = "names",
	.args = "[SELECTOR...]",
	.summary = "memory by name, over all processes",
	.doc = "Print memory by name, summed over processes: names given to memory, paths of "
	       "files, and "
	       "in brackets the kinds of what has neither."
	       "\vA SELECTOR is KEY:GLOB[,GLOB...] with one of the keys pid comm user cgroup name "
	       "path "
	       "kind object, or a pid, or PID:START-END; several must all match.",
	.model = &name_model,
	.flags = COMMAND_SNAPSHOT,
	.options = &own_argp,
	.own_bytes = sizeof(struct names_options),
	.run = run,
};
