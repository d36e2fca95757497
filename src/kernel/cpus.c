// SPDX-License-Identifier: MIT
/*
 * Which CPUs are online.
 */
#include "kernel/cpus.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

unsigned int cpus_in_row(const struct kroot *root)
{
	char text[64], *end;

	/* "0-7", "0" or, with some of them offline, "0,2-7". */
	if (kroot_read(root, text, sizeof(text), "sys/devices/system/cpu/online") < 1 ||
	    text[0] != '0')
		return 0;
	if (text[1] != '-')
		return text[1] == '\n' || text[1] == '\0';
	if (text[2] < '0' || text[2] > '9')
		return 0;
	unsigned long last = strtoul(text + 2, &end, 10);

	return (*end == '\n' || *end == '\0') && last < INT_MAX ? (unsigned int)last + 1 : 0;
}
