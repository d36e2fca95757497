// SPDX-License-Identifier: MIT
/*
 * What the first capture of a context takes longer than the second, of one process both: loading the programs that
 * list tasks and VMAs, and finding the direct map. It measures the library alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <memoir/snapshot.h>

#include "timing.h"

#define ROUNDS 20

static bool is_parent(const struct memoir_process *process, void *unused)
{
	(void)unused;
	return process->pid == getppid();
}

static int capture(struct memoir *memoir, uint64_t *ret_ns)
{
	const struct memoir_capture_options options = { .sz = sizeof(options),
							.wants = is_parent,
							.without_holders = true };
	struct memoir_snapshot *snapshot;
	struct memoir_error error = { 0 };
	uint64_t start = now_ns();
	int err = memoir_capture(memoir, &options, &snapshot, &error);

	if (err) {
		fprintf(stderr, "lib-load: %s\n", error.text);
		return err;
	}
	*ret_ns = now_ns() - start;
	memoir_snapshot_free(snapshot);
	return 0;
}

static int load_once(void)
{
	const struct memoir_options options = { .sz = sizeof(options),
						.engine = MEMOIR_ENGINE_TABLES };
	struct memoir_error error = { 0 };
	uint64_t first_ns, second_ns;
	struct memoir *memoir;
	int err = memoir_open(&options, &memoir, &error);

	if (err) {
		fprintf(stderr, "lib-load: %s\n", error.text);
		return err;
	}
	err = capture(memoir, &first_ns);
	if (!err)
		err = capture(memoir, &second_ns);
	/* Where the second one was held up nothing is known. */
	if (!err && first_ns > second_ns)
		printf("load_ns %" PRIu64 "\n", first_ns - second_ns);
	memoir_close(memoir);
	return err;
}

int main(void)
{
	int err = 0;

	for (int i = 0; i < ROUNDS && !err; i++)
		err = load_once();
	return err ? 1 : 0;
}
