// SPDX-License-Identifier: MIT
/*
 * memoir capture: a snapshot into a file.
 */
#include "cli/cli.h"

#include <string.h>

static int run(struct cli *cli)
{
	struct memoir_error error = { 0 };
	int code = cli_take_snapshot(cli);

	if (code != EXIT_DONE)
		return code;
	int ret = memoir_snapshot_save(cli->snapshot, cli->output, &error);

	if (ret < 0) {
		complain("%s", error.text[0] ? error.text : strerror(-ret));
		return EXIT_FAILED;
	}
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
