// SPDX-License-Identifier: MIT
/*
 * Captures the machine once, or loads a snapshot, asks libmemoir its what-if questions again and again
 * and prints how long each answer took; it measures the library alone and formats no rows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <memoir/analysis.h>

#include "timing.h"

#define TIMES 6

static int take_snapshot(const char *file, struct memoir_snapshot **ret_snapshot,
			 struct memoir_error *error)
{
	struct memoir *memoir;
	int err;

	if (file)
		return memoir_snapshot_load(file, ret_snapshot, error);
	err = memoir_open(NULL, &memoir, error);
	if (err < 0)
		return err;
	err = memoir_capture(memoir, NULL, ret_snapshot, error);
	memoir_close(memoir);
	return err;
}

static int ask_whatif(const struct memoir_snapshot *snapshot, const char *key, const char *selector)
{
	struct memoir_selection *selection;
	struct memoir_whatif whatif;
	int err = memoir_selection_parse(&selector, selector ? 1 : 0, &selection, NULL);

	for (int i = 0; i < TIMES && !err; i++) {
		uint64_t start = now_ns();

		err = memoir_whatif(snapshot, MEMOIR_WHATIF_KILL, selection, &whatif);
		if (err)
			break;
		printf("%s %" PRIu64 "\n", key, now_ns() - start);
		memoir_whatif_free(&whatif);
	}
	memoir_selection_free(selection);
	return err;
}

static int ask_sharing(const struct memoir_snapshot *snapshot)
{
	struct memoir_sharing sharing;
	int err = 0;

	for (int i = 0; i < TIMES && !err; i++) {
		uint64_t start = now_ns();

		err = memoir_sharing(snapshot, NULL, &sharing);
		if (err)
			break;
		printf("lib_sharing_ns %" PRIu64 "\n", now_ns() - start);
		memoir_sharing_free(&sharing);
	}
	return err;
}

static int ask_footprints(const struct memoir_snapshot *snapshot)
{
	struct memoir_footprint *footprints;
	int err = 0;

	for (int i = 0; i < TIMES && !err; i++) {
		uint64_t start = now_ns();

		err = memoir_footprints(snapshot, &footprints);
		if (err)
			break;
		printf("lib_footprints_ns %" PRIu64 "\n", now_ns() - start);
		free(footprints);
	}
	return err;
}

static void say_size(const struct memoir_snapshot *snapshot)
{
	uint64_t mapped_bytes = 0;

	for (size_t i = 0; i < memoir_snapshot_process_count(snapshot); i++)
		mapped_bytes += memoir_snapshot_process(snapshot, i)->figures.bytes[MEMOIR_RSS];
	printf("processes %zu\nregions %zu\nsets %zu\nmapped_pages %" PRIu64 "\n",
	       memoir_snapshot_process_count(snapshot), memoir_snapshot_region_count(snapshot),
	       memoir_snapshot_set_count(snapshot), mapped_bytes / 4096);
}

int main(int argc, char **argv)
{
	struct memoir_error error = { 0 };
	struct memoir_snapshot *snapshot;
	int err = take_snapshot(argc > 1 ? argv[1] : NULL, &snapshot, &error);

	if (err < 0) {
		fprintf(stderr, "lib-whatif: %s\n", error.text);
		return 1;
	}
	say_size(snapshot);
	err = ask_whatif(snapshot, "lib_whatif_all_ns", NULL);
	if (!err)
		err = ask_whatif(snapshot, "lib_whatif_half_ns", "pid:*[02468]");
	if (!err)
		err = ask_sharing(snapshot);
	if (!err)
		err = ask_footprints(snapshot);
	memoir_snapshot_free(snapshot);
	return err ? 1 : 0;
}
