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

const char *capabilities_missing_for_bpf(const struct kroot *root)
{
	char text[STATUS_BYTES_MAX];
	const char *line;
	uint64_t effective;

	if (kroot_read(root, text, sizeof(text), "proc/self/status") < 0)
		return "";
	line = strstr(text, "\nCapEff:");
	if (!line)
		return "";
	effective = strtoull(line + strlen("\nCapEff:"), NULL, 16);
	if (has(effective, CAP_SYS_ADMIN))
		return "";
	if (!has(effective, CAP_BPF))
		return has(effective, CAP_PERFMON) ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
	return has(effective, CAP_PERFMON) ? "" : "CAP_PERFMON";
}
