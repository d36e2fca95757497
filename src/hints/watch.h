/* SPDX-License-Identifier: MIT */
/*
 * Address spaces being watched, and what is read of their pages, time and again.
 */
#ifndef MEMOIR_HINTS_WATCH_H
#define MEMOIR_HINTS_WATCH_H

#include <memoir/select.h>

#include "hints/page_bits.h"
#include "snapshot/capture.h"

/* A mapping by smaps, where pages can't be told apart. */
struct watch_span {
	uint64_t start, end;
	uint64_t rss_bytes, idle_bytes;
};

enum watch_state { WATCH_GOES_ON, WATCH_READ, WATCH_DENIED, WATCH_VANISHED };

/* One address space, under its first process. */
struct watch_space {
	pid_t pid;
	uint64_t start_ticks, stack_start;
	enum watch_state state;
	uint64_t mm;             /* while the walk reads it */
	uint64_t last_end;       /* of the walk's last mapping: threads may be listed again */
	uint64_t begun_ns;       /* monotonic */
	size_t kdamond;          /* of memoir idle by DAMON */
	struct page_bits before; /* the look before, where there are two */
	struct page_bits pages;
	struct watch_span *spans;
	size_t span_count, span_room;
};

struct watch {
	struct memoir *memoir;
	struct watch_space *spaces;
	size_t count;
	char **notes;
	size_t note_count, note_room;
	bool partial;
};

/* What marks a page that is there. */
enum watch_mark {
	WATCH_NOT_ACCESSED, /* present, accessed bit clear: tables only */
	WATCH_NOT_WRITTEN,  /* present, soft-dirty bit clear: words only */
	WATCH_SWAPPED,      /* there: present or swapped out */
};

/* Take in the processes that a selection means. 0 or -ENOMEM. */
int watch_list(struct watch *watch, const struct memoir_snapshot *snapshot,
	       const struct memoir_selection *selection);
void watch_free(struct watch *watch);

/* The space of a process that was read; NULL: none, or gone. */
const struct watch_space *watch_find(const struct watch *watch, pid_t pid);

/* A note; partial says that something asked for is missing. 0 or -ENOMEM. */
int watch_note(struct watch *watch, bool partial, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Say how many could not be read, if any, and what would help. 0 or -ENOMEM. */
int watch_note_denied(struct watch *watch);

/* Monotonic. */
uint64_t watch_now_ns(void);

/* Whether page tables can be read here. */
bool watch_tables_work(struct memoir *memoir);

/*
 * Read all spaces that go on being watched into their pages; those are then WATCH_READ, or say why not.
 * 0 or negative errno: -EOPNOTSUPP: tables don't work here.
 */
int watch_read_tables(struct watch *watch, enum watch_mark mark);
/* The same from pagemap. */
int watch_read_words(struct watch *watch, enum watch_mark mark);
/* By either. */
int watch_read_pages(struct watch *watch, enum watch_mark mark);
/* Mappings from smaps, idle: not Referenced. */
int watch_read_smaps(struct watch *watch);

/* Go on watching what was read: the last look becomes the one before. */
void watch_go_on(struct watch *watch);

#endif
