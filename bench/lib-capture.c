// SPDX-License-Identifier: MIT
/*
 * Captures the machine again and again with libmemoir, its programs loaded, and prints how long each
 * capture took; with `rows` until each region has a row, as these are made when one is asked for.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <memoir/snapshot.h>

#include "timing.h"

#define TIMES 12

static int capture(struct memoir *memoir, bool first, bool rows, struct memoir_error *error)
{
	struct memoir_snapshot *snapshot;
	uint64_t start = now_ns();
	int err = memoir_capture(memoir, NULL, &snapshot, error);

	if (err < 0)
		return err;
	if (rows)
		memoir_snapshot_region(snapshot, 0);
	if (!first)
		printf("lib_capture_ns %" PRIu64 " regions %zu\n", now_ns() - start,
		       memoir_snapshot_region_count(snapshot));
	memoir_snapshot_free(snapshot);
	return 0;
}

int main(int argc, char **argv)
{
	bool rows = argc == 2 && strcmp(argv[1], "rows") == 0;
	struct memoir_error error = { 0 };
	struct memoir *memoir;
	int err;

	if (argc > 1 && !rows) {
		fputs("usage: lib-capture [rows]\n", stderr);
		return 2;
	}
	err = memoir_open(NULL, &memoir, &error);
	if (err < 0) {
		fprintf(stderr, "lib-capture: %s\n", error.text);
		return 1;
	}
	for (int i = 0; i < TIMES && !err; i++)
		err = capture(memoir, i == 0, rows, &error);
	memoir_close(memoir);
	if (err)
		fprintf(stderr, "lib-capture: %s\n", error.text);
	return err ? 1 : 0;
}
