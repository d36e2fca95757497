// SPDX-License-Identifier: MIT
/*
 * Has libmemoir count every frame, again and again, and prints how long each took; no process is
 * asked for, so that little else is captured, and no rows are formatted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <memoir/snapshot.h>

#include "timing.h"

#define ROUNDS 2

static bool nobody(const struct memoir_process *process, void *arg)
{
	(void)process, (void)arg;
	return false;
}

static int count_once(struct memoir *memoir, uint64_t *ret_ns)
{
	struct memoir_capture_options options = {
		.sz = sizeof(options),
		.wants = nobody,
		.without_holders = true,
		.frames = true,
	};
	struct memoir_snapshot *snapshot;
	struct memoir_error error = { 0 };
	uint64_t start = now_ns(), bytes;
	int err = memoir_capture(memoir, &options, &snapshot, &error);

	if (err) {
		fprintf(stderr, "lib-ledger: %s\n", error.text);
		return err;
	}
	*ret_ns = now_ns() - start;
	err = memoir_snapshot_meminfo(snapshot, "frames:free", &bytes);
	if (err)
		fprintf(stderr, "lib-ledger: frames were not counted (run as root)\n");
	memoir_snapshot_free(snapshot);
	return err;
}

int main(int argc, char **argv)
{
	struct memoir_options options = { .sz = sizeof(options) };
	struct memoir_error error = { 0 };
	struct memoir *memoir;
	uint64_t ns;
	int err = 0;

	if (argc > 2) {
		fprintf(stderr, "usage: lib-ledger [THREADS]\n");
		return 2;
	}
	options.threads = argc > 1 ? (unsigned int)atoi(argv[1]) : 0;
	if (memoir_open(&options, &memoir, &error) < 0) {
		fprintf(stderr, "lib-ledger: %s\n", error.text);
		return 1;
	}
	/* The first one loads the programs. */
	for (int i = 0; i < 1 + ROUNDS && !err; i++) {
		err = count_once(memoir, &ns);
		if (!err && i)
			printf("lib_ledger_ns %" PRIu64 "\n", ns);
	}
	memoir_close(memoir);
	return err ? 1 : 0;
}
