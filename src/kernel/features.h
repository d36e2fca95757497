/* SPDX-License-Identifier: MIT */
/*
 * Which of the kernel's interfaces are there, what each is used for and what is done without it.
 * Probing changes nothing outside this process. On a captured tree only its texts are looked at.
 */
#ifndef MEMOIR_KERNEL_FEATURES_H
#define MEMOIR_KERNEL_FEATURES_H

#include <stddef.h>

#include "kernel/root.h"

struct kfeature {
	const char *feature;
	int available; /* 1 yes, 0 no, -ENODATA: not known; another negative errno: not usable, and why */
	const char *used_for;  /* a sentence without its full stop, as are the next two */
	const char *otherwise; /* what is done where it is not there */
	const char *detail;    /* what was found, or NULL */
};

/*
 * Try everything once, in the order of the table in docs/KERNEL-SUPPORT.md. 20 to 50 ms, most of it
 * loading BPF programs. 0 or -ENOMEM. Free with kfeatures_free().
 */
int kfeatures_probe(const struct kroot *root, struct kfeature **ret_list, size_t *ret_count);
void kfeatures_free(struct kfeature *list, size_t count);

#endif
