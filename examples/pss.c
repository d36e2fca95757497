// SPDX-License-Identifier: MIT
/*
 * Prints pid and proportional set size of every process: the shortest whole program that uses
 * libmemoir. It must not need more than the installed headers:
 *     cc pss.c $(pkg-config --cflags --libs memoir) -o pss
 */
#include <inttypes.h>
#include <stdio.h>

#include <memoir/memoir.h>
#include <memoir/snapshot.h>

static void print_processes(const struct memoir_snapshot *snapshot)
{
	for (size_t i = 0; i < memoir_snapshot_process_count(snapshot); i++) {
		const struct memoir_process *process = memoir_snapshot_process(snapshot, i);

		/* A figure that is not known is not 0. */
		if (process->figures.known & (1u << MEMOIR_PSS))
			printf("%8d %12" PRIu64 "\n", (int)process->pid,
			       process->figures.bytes[MEMOIR_PSS]);
		else
			printf("%8d %12s\n", (int)process->pid, "-");
	}
	for (size_t i = 0; i < memoir_snapshot_note_count(snapshot); i++)
		fprintf(stderr, "note: %s\n", memoir_snapshot_note(snapshot, i));
}

int main(void)
{
	struct memoir_error error = { 0 };
	struct memoir_snapshot *snapshot = NULL;
	struct memoir *memoir = NULL;
	int ret;

	ret = memoir_open(NULL, &memoir, &error);
	if (ret == 0)
		ret = memoir_capture(memoir, NULL, &snapshot, &error);
	if (ret == 0)
		print_processes(snapshot);
	else
		fprintf(stderr, "pss: %s\n", error.text);
	memoir_snapshot_free(snapshot);
	memoir_close(memoir);
	return ret == 0 ? 0 : 1;
}
