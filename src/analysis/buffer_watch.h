/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of watching buffers: what was seen of one, and the peaks by tag.
 */
#ifndef MEMOIR_ANALYSIS_BUFFER_WATCH_H
#define MEMOIR_ANALYSIS_BUFFER_WATCH_H

#include <memoir/buffers.h>

#include "base/u64map.h"

/* buffers.c: by a process that is meant, and where a range is, by what it maps there. */
bool buffer_holder_matches(const struct memoir_selection *selection,
			   const struct memoir_buffer_holder *holder);

/* ---- what was seen (buffer_seen.c) ---------------------------------------------------------- */

#define COMM_BYTES 16

struct holder_seen {
	uint64_t start_ticks;
	pid_t pid;
	uint32_t fds, ranges, announced;
	char comm[COMM_BYTES];
	bool meant, missing;
};

struct buffer_seen {
	struct memoir_object object; /* what its id is made of; no texts */
	const char *kind;
	char *tag;
	uint64_t resident_bytes, own_bytes;
	struct holder_seen *holders; /* by pid and start time */
	uint32_t holder_count;
	bool resident_known;
	bool named;     /* by itself it is meant */
	bool held;      /* and by one that holds it, or did */
	bool missing;   /* at the last look, for the first time */
	bool in_flight; /* no process shows it, and somebody may receive it */
};

void seen_free(struct buffer_seen *seen);

/* Either may be NULL. */
bool seen_same_text(const char *a, const char *b);

/* 1: segments, 2: DRM clients, 3: announced ones, 0: all else. These have numbers of their own, no inodes. */
unsigned int seen_numbers_of(const struct memoir_object *object);

/* 0 for all that one id, but for its "#2", may stand for. */
int seen_compare_ids(const struct memoir_object *a, const struct memoir_object *b);

/* For qsort(), of struct memoir_buffer: by id, in the order of the kernel; those of no object last. */
int seen_compare_rows(const void *left, const void *right);
/* Of struct holder_seen: by pid and start time. */
int seen_compare_holders(const void *left, const void *right);

/*
 * Of a group with the same id, the one that a row, the at-th with this id, is likeliest to be; it is taken out.
 * `held`: only one that a process which holds the row held. NULL: there is none.
 */
struct buffer_seen *seen_take_likeliest(struct buffer_seen **group, size_t count, size_t at,
					const struct memoir_buffer *row, bool held);

/* The number behind "#" for a new one: as wanted, or one that neither group has; entries may be NULL. */
uint32_t seen_free_alias(struct buffer_seen *const *group, size_t count,
			 struct buffer_seen *const *kept, size_t kept_count, uint32_t wanted);

/* ---- peaks by tag (buffer_peaks.c) ---------------------------------------------------------- */

/* A peak and what it is made from. */
struct peak {
	struct memoir_buffer_peak row; /* owns its tag */
	uint64_t size_bytes;           /* at this look */
	bool known;                    /* at this look: row.bytes */
};

struct peaks {
	struct peak *all;
	size_t count, room;
	struct u64map by_tag; /* hash of kind and tag → index */
	struct memoir_buffer_peak *rows;
	size_t row_room;
	uint64_t dropped;
};

#define PEAKS_MAX 16384u

/* A look: begin, add each buffer that is meant, end. 0 or -ENOMEM. */
void peaks_begin(struct peaks *peaks);
int peaks_add(struct peaks *peaks, const struct memoir_buffer *buffer);
int peaks_end(struct peaks *peaks, uint64_t time_ns);

/* Sorted; NULL where there are none. */
const struct memoir_buffer_peak *peaks_rows(struct peaks *peaks, size_t *ret_count);
void peaks_free(struct peaks *peaks);

#endif
