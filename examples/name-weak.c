/* SPDX-License-Identifier: MIT */
/*
 * Names a buffer where libmemoir-name is there, and goes on without where it is not; it does not link it.
 *
 *     cc name-weak.c && ./a.out && LD_PRELOAD=libmemoir-name.so.0 ./a.out
 */
#include <stdio.h>
#include <stdlib.h>

#include <memoir/name-weak.h>

#define BUFFER_BYTES (1u << 20)

int main(void)
{
	void *buffer = malloc(BUFFER_BYTES);

	if (!buffer)
		return 1;
	if (memoir_name_weak(buffer, BUFFER_BYTES, "example: a buffer") < 0)
		return 1;
	puts(memoir_name ? "named" : "not named");
	memoir_name_weak(buffer, BUFFER_BYTES, NULL);
	free(buffer);
	return 0;
}
