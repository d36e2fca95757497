/* SPDX-License-Identifier: MIT */
/*
 * Names a buffer, and says how much is named.
 *
 *     cc name.c $(pkg-config --cflags --libs memoir-name) && ./a.out
 */
#include <stdio.h>
#include <stdlib.h>

#include <memoir/name.h>

#define BUFFER_BYTES (1u << 20)

int main(void)
{
	struct memoir_name_counts counts = { sizeof(counts), 0, 0, 0, 0 };
	void *buffer = NULL;

	if (memoir_map(BUFFER_BYTES, "example: a buffer", &buffer) < 0)
		return 1;
	if (memoir_name_counts(&counts) < 0)
		return 1;
	puts(counts.ranges == 1 && counts.names == 1 ? "named" : "not named");
	return memoir_unmap(buffer, BUFFER_BYTES) < 0;
}
