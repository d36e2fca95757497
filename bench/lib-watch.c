// SPDX-License-Identifier: MIT
/*
 * Looks at all shared buffers and their holders again and again, as memoir buffers --watch does, and prints
 * what each look took and what CPU time it cost.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <memoir/buffers.h>

#include "timing.h"

#define LOOKS 12
#define INTERVAL_NS UINT64_C(1000000000) /* the command's own */
#define MILLION 1000000u

static uint64_t cpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int look(struct memoir *memoir, bool first, struct memoir_error *error)
{
	struct memoir_capture_options options = {
		.sz = sizeof(options),
		.without_sets = true,
		.without_kinds = true,
		.without_pages = true,
		.buffers = true,
	};
	uint64_t start = now_ns(), cpu = cpu_now_ns();
	struct memoir_snapshot *snapshot;
	struct memoir_buffers buffers;
	int err = memoir_capture(memoir, &options, &snapshot, error);

	if (err < 0)
		return err;
	err = memoir_buffers(snapshot, NULL, &buffers);
	cpu = cpu_now_ns() - cpu;
	if (!err && !first)
		printf("look_ns %" PRIu64 " cpu_ns %" PRIu64 " watch_ppm %" PRIu64 " buffers %zu\n",
		       now_ns() - start, cpu, cpu * MILLION / INTERVAL_NS, buffers.count);
	memoir_buffers_free(&buffers);
	memoir_snapshot_free(snapshot);
	return err;
}

int main(int argc, char **argv)
{
	struct memoir_options options = {
		.sz = sizeof(options),
		.engine = argc == 2 && strcmp(argv[1], "text") == 0 ? MEMOIR_ENGINE_TEXT
								    : MEMOIR_ENGINE_AUTO,
	};
	struct memoir_error error = { 0 };
	struct memoir *memoir;
	int err = memoir_open(&options, &memoir, &error);

	for (int i = 0; i < LOOKS && !err; i++)
		err = look(memoir, i == 0, &error);
	if (err)
		fprintf(stderr, "lib-watch: %s\n", error.text);
	else
		memoir_close(memoir);
	return err ? 1 : 0;
}
