// SPDX-License-Identifier: MIT
/*
 * memoir ps: processes and their figures.
 */
#include "cli/cli.h"
#include "cli/rows.h"

static int run(struct cli *cli)
{
	struct report report = { .schema = "memoir.ps/1" };
	struct process_rows rows;
	int code = cli_take_snapshot(cli);

	if (code != EXIT_DONE)
		return code;
	if (process_rows_make(cli, &rows) < 0)
		return cli_no_memory();
	code = cli_print_rows(cli, &report, rows.pointers, rows.count, NULL);
	process_rows_free(&rows);
	return code;
}

const struct command ps_command = {
	.name = "ps",
	.args = "[SELECTOR...]",
	.summary = "processes and their memory",
	.doc = "Print the processes and their memory, one row for each address space."
	       "\vA SELECTOR is KEY:GLOB[,GLOB...] with one of the keys pid comm user cgroup name "
	       "path "
	       "kind object, or a pid, or PID:START-END; several must all match. With a selector "
	       "of "
	       "regions (name path kind object, or a range) the figures are those of the matching "
	       "regions only, and processes without any are left out.",
	.model = &process_model,
	.flags = COMMAND_SNAPSHOT | COMMAND_WITHOUT_SETS | COMMAND_WITHOUT_KINDS |
		 COMMAND_WITHOUT_REGIONS | COMMAND_BUFFER_COLUMNS,
	.run = run,
};
