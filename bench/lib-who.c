// SPDX-License-Identifier: MIT
/*
 * Asks who maps a page again and again by libmemoir, its program loaded once, and prints how long each
 * answer took; it measures the library alone and formats no rows.
 */
#include <inttypes.h>
#include <stdio.h>

#include <memoir/who.h>

#include "timing.h"

#define ROUNDS 21

static int ask_once(struct memoir *memoir, const struct memoir_target *target, uint64_t *ret_ns,
		    size_t *ret_rows)
{
	struct memoir_error error = { 0 };
	struct memoir_who *who;
	uint64_t start = now_ns();
	int err = memoir_who(memoir, target, &who, &error);

	if (err) {
		fprintf(stderr, "lib-who: %s\n", error.text);
		return err;
	}
	*ret_ns = now_ns() - start;
	*ret_rows = who->row_count;
	memoir_who_free(who);
	return 0;
}

int main(int argc, char **argv)
{
	struct memoir_error error = { 0 };
	struct memoir_target target;
	struct memoir *memoir;
	size_t rows = 0;
	uint64_t ns;
	int err = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: lib-who PID:ADDR|pfn:N\n");
		return 2;
	}
	if (memoir_target_parse(argv[1], &target, &error) < 0 ||
	    memoir_open(NULL, &memoir, &error) < 0) {
		fprintf(stderr, "lib-who: %s\n", error.text);
		return 1;
	}
	/* The first one loads the program. */
	for (int i = 0; i < ROUNDS && !err; i++) {
		err = ask_once(memoir, &target, &ns, &rows);
		if (!err && i)
			printf("lib_who_ns %" PRIu64 "\n", ns);
	}
	printf("rows %zu\n", rows);
	memoir_close(memoir);
	return err ? 1 : 0;
}
