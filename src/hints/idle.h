/* SPDX-License-Identifier: MIT */
/*
 * The inside of struct memoir_idle: processes being watched, and how each means reads them.
 */
#ifndef MEMOIR_HINTS_IDLE_H
#define MEMOIR_HINTS_IDLE_H

#include "hints/idle_pages.h"
#include "kernel/damon.h"
#include "snapshot/capture.h"

/* A mapping by smaps, where pages can't be told apart. */
struct idle_span {
	uint64_t start, end;
	uint64_t rss_bytes, idle_bytes;
};

enum idle_state { IDLE_WATCHED, IDLE_READ, IDLE_DENIED, IDLE_VANISHED };

/* One address space, under its first process. */
struct idle_space {
	pid_t pid;
	uint64_t start_ticks;
	enum idle_state state;
	uint64_t mm;              /* while the walk reads it */
	uint64_t last_end;        /* of the walk's last mapping: threads may be listed again */
	uint64_t begun_ns;        /* monotonic */
	size_t kdamond;           /* MEMOIR_IDLE_DAMON */
	struct idle_pages before; /* MEMOIR_IDLE_PASSIVE */
	struct idle_pages pages;
	struct idle_span *spans; /* MEMOIR_IDLE_REFERENCED */
	size_t span_count, span_room;
};

struct memoir_idle {
	struct memoir *memoir;
	enum memoir_idle_means means;
	struct idle_space *spaces;
	size_t space_count;
	uint64_t interval_ns, stall_ns, asked_ns;
	bool partial, read;
	size_t vanished;
	struct damon damon; /* count 0: not in use */
	char **notes;
	size_t note_count, note_room;
};

/* A note; partial says that something asked for is missing. -ENOMEM. */
int idle_note(struct memoir_idle *idle, bool partial, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

uint64_t idle_now_ns(void);

/* ---- idle_read.c: what is resident, of all spaces that are being watched; 0 or negative errno ------ */

/* From page tables by the walk; idle: the accessed bit is not set. */
int idle_read_tables(struct memoir_idle *idle);
/* From pagemap; idle: the soft-dirty bit is not set. */
int idle_read_words(struct memoir_idle *idle);
/* From smaps, by mappings; idle: not Referenced. */
int idle_read_smaps(struct memoir_idle *idle);

/* Whether tables can be read here. */
bool idle_tables_work(struct memoir *memoir);

#endif
