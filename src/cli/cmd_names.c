// SPDX-License-Identifier: MIT
/*
 * memoir names: memory by name, over all processes.
 */
#include "cli/cli.h"
#include "cli/rows.h"

static int run(struct cli *cli)
{
	struct report report = { .schema = "memoir.names/1" };
	struct name_rows rows;
	int code = cli_take_snapshot(cli);

	if (code != EXIT_DONE)
		return code;
	if (name_rows_make(cli, &rows) < 0)
		return cli_no_memory();
	code = cli_print_rows(cli, &report, rows.pointers, rows.sums.count, NULL);
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
	.flags = COMMAND_SNAPSHOT | COMMAND_WITHOUT_SETS,
	.run = run,
};
