/* SPDX-License-Identifier: MIT */
/*
 * Which capabilities this process has, so that a refusal can say what is missing.
 */
#ifndef MEMOIR_KERNEL_CAPABILITIES_H
#define MEMOIR_KERNEL_CAPABILITIES_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/root.h"

/*
 * Those of CAP_BPF and CAP_PERFMON that this process lacks, as words for a sentence ("CAP_BPF and
 * CAP_PERFMON"); "" where it has both, or CAP_SYS_ADMIN, or it is not known.
 */
const char *capabilities_missing_for_bpf(const struct kroot *root);

/* Whether this process has one (CAP_SYS_PTRACE …); false where it is not known. */
bool capabilities_include(const struct kroot *root, int capability);

#endif
