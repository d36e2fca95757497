/* SPDX-License-Identifier: MIT */
/*
 * The texts /proc/PID/maps and /proc/PID/smaps, parsed line by line.
 */
#ifndef MEMOIR_KERNEL_MAPS_H
#define MEMOIR_KERNEL_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maps_line {
	uint64_t start, end;
	char perms[5];
	uint64_t offset_bytes;
	uint32_t dev_major, dev_minor;
	uint64_t inode;
	const char
		*path; /* "" for none, the kernel's \012 undone; inside the text that was parsed */
	const char *name; /* of [anon:NAME] and [anon_shmem:NAME], else NULL */
	bool escaped;     /* the path had a \012 in it: an escape, or just these characters */
};

/* Figures of smaps, in bytes. */
struct smaps_figures {
	uint64_t rss, pss, private_, shared, swap, swap_pss, anonymous, huge, hugetlb;
	uint64_t referenced; /* see clear_refs.h */
	bool locked;         /* VmFlags has lo */
};

/*
 * Parse the line at *text (which is written to) and move *text behind it.
 * 1: a line; 0: the end; -EBADMSG: not a line of maps.
 */
int maps_next(char **text, struct maps_line *ret_line);

/* The same for smaps: a line of maps and the figures below it. */
int smaps_next(char **text, struct maps_line *ret_line, struct smaps_figures *ret_figures);

/* [vsyscall] is listed in every process, though it is part of none. */
bool maps_is_gate(const struct maps_line *line);

#endif
