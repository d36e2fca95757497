// SPDX-License-Identifier: MIT
/*
 * Captures the machine again and again with libmemoir, its programs loaded, and prints how long each
 * capture took, and how long with a row for each region, which are made when they are asked for; it formats none.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include <memoir/snapshot.h>

#include "timing.h"

#define TIMES 12

static int capture(struct memoir *memoir, bool first, struct memoir_error *error)
{
	struct memoir_snapshot *snapshot;
	uint64_t start = now_ns();
	int err = memoir_capture(memoir, NULL, &snapshot, error);
	uint64_t capture_ns = now_ns() - start;

	if (err < 0)
		return err;
	if (memoir_snapshot_region_count(snapshot))
		memoir_snapshot_region(snapshot, 0);
	if (!first)
		printf("lib_capture_ns %" PRIu64 " lib_rows_ns %" PRIu64 " regions %zu\n",
		       capture_ns, now_ns() - start, memoir_snapshot_region_count(snapshot));
	memoir_snapshot_free(snapshot);
	return 0;
}

int main(void)
{
	struct memoir_error error = { 0 };
	struct memoir *memoir;
	int err = memoir_open(NULL, &memoir, &error);

	if (err < 0) {
		fprintf(stderr, "lib-capture: %s\n", error.text);
		return 1;
	}
	for (int i = 0; i < TIMES && !err; i++)
		err = capture(memoir, i == 0, &error);
	memoir_close(memoir);
	if (err)
		fprintf(stderr, "lib-capture: %s\n", error.text);
	return err ? 1 : 0;
}
