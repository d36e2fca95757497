// SPDX-License-Identifier: MIT
/*
 * memoir names: memory by name, over all processes; and names as programs give them.
 */
#include "cli/cli.h"

#include <argp.h>
#include <stdbool.h>
#include <string.h>

#include "cli/name_registry.h"
#include "cli/rows.h"
#include "cli/watch_names.h"

struct names_options {
	bool watch, tree, registry, gc;
};

enum {
	OPTION_WATCH = 0x300,
	OPTION_TREE,
	OPTION_REGISTRY,
	OPTION_GC,
};

static const struct argp_option options[] = {
	{ "tree", OPTION_TREE, NULL, 0,
	  "Names that begin alike in groups, with subtotals: cut behind ':', the first part "
	  "also behind '-', '/' or a space, paths behind '/'",
	  0 },
	{ "registry", OPTION_REGISTRY, NULL, 0,
	  "Names known here by their ids, from the registry and from memory, and how many "
	  "processes "
	  "use each",
	  0 },
	{ "gc", OPTION_GC, NULL, 0, "Drop the links of names that no process uses", 0 },
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
	if (!own)
		return ARGP_ERR_UNKNOWN;
	own->watch |= key == OPTION_WATCH;
	own->tree |= key == OPTION_TREE;
	own->registry |= key == OPTION_REGISTRY;
	own->gc |= key == OPTION_GC;
	return key >= OPTION_WATCH && key <= OPTION_GC ? 0 : ARGP_ERR_UNKNOWN;
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

/* One thing at a time. */
static bool can_do(const struct cli *cli)
{
	const struct names_options *own = cli->own;

	if (own->watch + own->tree + own->registry + own->gc > 1) {
		complain("--watch, --tree, --registry and --gc exclude each other");
		return false;
	}
	if (own->gc && (cli->from || cli->root || !memoir_selection_empty(cli->selection))) {
		complain("--gc looks at all of the running machine: it takes no selectors, no "
			 "--from "
			 "and no --root");
		return false;
	}
	return !own->watch || can_watch(cli);
}

/* Only they tell what would be freed, and they take time where many processes share much. */
static bool needs_sets(const struct shape *shape)
{
	return !shape->columns || shape->columns[0] == '+' || strstr(shape->columns, "freed") ||
	       (shape->sort && strstr(shape->sort, "freed"));
}

static int print_names(struct cli *cli, bool tree)
{
	struct report report = { .schema = "memoir.names/1" };
	struct link_notes notes = { 0 };
	struct memoir_name_sums sums = { 0 };
	struct name_rows rows = { 0 };
	int code, err;

	cli->without_sets = !needs_sets(&cli->shape);
	cli->many_names = memoir_selection_empty(cli->selection);
	code = cli_take_snapshot(cli);
	if (code != EXIT_DONE)
		return code;
	err = name_rows_make(cli, tree, &rows);
	/* A tree has them, too, but among groups. */
	if (!err && tree)
		err = memoir_names_sum(cli->snapshot, cli->selection, &sums);
	if (!err)
		err = name_links_note(cli, tree ? sums.rows : rows.sums.rows,
				      tree ? sums.count : rows.sums.count, &notes);
	report.notes = (const char *const *)notes.text;
	report.note_count = notes.count;
	code = err ? cli_no_memory()
		   : cli_print_rows(cli, &report, rows.pointers, rows.count, NULL);
	memoir_name_sums_free(&sums);
	name_rows_free(&rows);
	link_notes_free(&notes);
	return code;
}

static int run(struct cli *cli)
{
	const struct names_options *own = cli->own;

	if (!can_do(cli))
		return EXIT_USAGE;
	if (own->watch)
		return watch_names(cli);
	if (own->registry)
		return name_registry_print(cli);
	return own->gc ? name_registry_gc(cli) : print_names(cli, own->tree);
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
