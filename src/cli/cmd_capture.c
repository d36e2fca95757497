// SPDX-License-Identifier: MIT
/*
 * memoir capture: a snapshot into a file.
 */
#include "cli/cli.h"

static bool has_processes(const struct memoir_snapshot *snapshot)
{
	for (size_t i = 0; i < memoir_snapshot_process_count(snapshot); i++)
		if (memoir_snapshot_process(snapshot, i)->in_scope)
			return true;
	return false;
}

static int run(struct cli *cli)
{
	struct memoir_error error = { 0 };

	if (memoir_selection_has_region_keys(cli->selection)) {
		complain("processes are captured as a whole: select them by pid, comm, user or "
			 "cgroup");
		return EXIT_USAGE;
	}
	int code = cli_take_snapshot(cli);

	if (code != EXIT_DONE)
		return code;
	if (!memoir_selection_empty(cli->selection) && !has_processes(cli->snapshot)) {
		complain("no process matches: nothing is saved");
		return EXIT_FAILED;
	}
	int ret = memoir_snapshot_save(cli->snapshot, cli->output, &error);

	if (ret < 0)
		return cli_fail(&error, ret);
	size_t count = memoir_snapshot_note_count(cli->snapshot);

	for (size_t i = 0; i < count; i++)
		complain("%s", memoir_snapshot_note(cli->snapshot, i));
	return memoir_snapshot_partial(cli->snapshot) ? EXIT_PARTIAL : EXIT_DONE;
}

const struct command capture_command = {
	.name = "capture",
	.args = "[SELECTOR...]",
	.summary = "save a snapshot, to be looked at by --from",
	.doc = "Save a snapshot of all processes, or of those that match, as an SQLite file."
	       "\vA SELECTOR is KEY:GLOB[,GLOB...] with one of the keys pid comm user cgroup, or a "
	       "pid; "
	       "several must all match.",
	.flags = COMMAND_SNAPSHOT | COMMAND_SAVES | COMMAND_FRAMES | COMMAND_BUFFERS,
	.run = run,
};
