// SPDX-License-Identifier: MIT
/*
 * Reads the effective capabilities from /proc/self/status; tries nothing.
 */
#include "kernel/capabilities.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_BYTES_MAX 8192

/* 5.8; older headers lack them. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

static bool has(uint64_t effective, int capability)
{
	return effective >> capability & 1;
}

static bool read_effective(const struct kroot *root, uint64_t *ret_effective)
{
	char text[STATUS_BYTES_MAX];
	const char *line;

	if (kroot_read(root, text, sizeof(text), "proc/self/status") < 0)
		return false;
	line = strstr(text, "\nCapEff:");
	if (!line)
		return false;
	*ret_effective = strtoull(line + strlen("\nCapEff:"), NULL, 16);
	return true;
}

bool capabilities_include(const struct kroot *root, int capability)
{
	uint64_t effective;

	return read_effective(root, &effective) && has(effective, capability);
}

const char *capabilities_missing_for_bpf(const struct kroot *root)
{
	uint64_t effective;

	if (!read_effective(root, &effective) || has(effective, CAP_SYS_ADMIN))
		return "";
	if (!has(effective, CAP_BPF))
		return has(effective, CAP_PERFMON) ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
	return has(effective, CAP_PERFMON) ? "" : "CAP_PERFMON";
}
