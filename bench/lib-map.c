// SPDX-License-Identifier: MIT
/*
 * Maps one process again and again by libmemoir, its programs loaded once, and prints how long each
 * capture took; it measures the library alone and formats no rows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <memoir/snapshot.h>

#include "timing.h"

static bool is_meant(const struct memoir_process *process, void *pid)
{
	return process->pid == *(pid_t *)pid;
}

static int map_once(struct memoir *memoir, pid_t pid, uint64_t *ret_ns)
{
	struct memoir_capture_options options = { .sz = sizeof(options),
						  .wants = is_meant,
						  .wants_arg = &pid };
	struct memoir_snapshot *snapshot;
	struct memoir_error error = { 0 };
	uint64_t start = now_ns();
	int err = memoir_capture(memoir, &options, &snapshot, &error);

	if (err) {
		fprintf(stderr, "lib-map: %s\n", error.text);
		return err;
	}
	*ret_ns = now_ns() - start;
	if (!memoir_snapshot_find_pid(snapshot, pid)) {
		fprintf(stderr, "lib-map: there is no process %d\n", pid);
		err = -1;
	}
	memoir_snapshot_free(snapshot);
	return err;
}

int main(int argc, char **argv)
{
	struct memoir_error error = { 0 };
	struct memoir *memoir;
	uint64_t ns;
	int err = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: lib-map PID\n");
		return 2;
	}
	if (memoir_open(NULL, &memoir, &error) < 0) {
		fprintf(stderr, "lib-map: %s\n", error.text);
		return 1;
	}
	/* The first one loads the programs. */
	for (int i = 0; i < 6 && !err; i++) {
		err = map_once(memoir, (pid_t)atoi(argv[1]), &ns);
		if (!err && i)
			printf("lib_map_ns %" PRIu64 "\n", ns);
	}
	memoir_close(memoir);
	return err ? 1 : 0;
}
