/* SPDX-License-Identifier: MIT */
/*
 * Programs that were seen naming memory and were refused: their names are kept in tables about them, as long
 * as the memory has them. Prints nothing, waits for nothing; one thread.
 */
#ifndef MEMOIR_NAMES_WATCHED_H
#define MEMOIR_NAMES_WATCHED_H

#include "kernel/watch.h"

/* What is kept at most: names beyond it are counted. */
#define WATCHED_PROCESSES_MAX 4096u
#define WATCHED_RANGES_MAX (512u * 1024)
/* Of one process: a table of 4 MiB, some hundred thousand ranges. */
#define WATCHED_SEGMENTS 7u

struct watched;

enum watched_what {
	WATCHED_KEPT,      /* the name is in a table */
	WATCHED_CLEARED,   /* a name was taken away */
	WATCHED_BY_KERNEL, /* the kernel took it */
	WATCHED_INVALID,   /* no kernel would take it */
	WATCHED_FAILED, /* it is about memory that is not there or not anonymous, says the kernel */
	WATCHED_TOO_MANY,   /* there are too many of them */
	WATCHED_UNREADABLE, /* the program was gone before the name could be read */
};

/* A call that names memory, as it came. */
struct watched_name {
	const struct watch_record *record;
	uint64_t start_ticks;
	uint64_t end;     /* rounded up to whole pages, as the kernel does; or start */
	const char *name; /* NULL: none; "" may be a name */
	enum watched_what what;
};

struct watched_counts {
	uint64_t names;     /* seen */
	uint64_t by_kernel; /* those that the kernel took */
	uint64_t kept, unreadable, too_many;
	uint64_t programs; /* that were refused one that is kept */
};

/* Told of each name, when it is dealt with. */
typedef void (*watched_fn)(const struct watched_name *name, void *arg);

/* 0; or as watch_open(). */
int watched_open(watched_fn each, void *arg, struct watched **ret_watched,
		 struct memoir_error *error);
/* All tables are gone. */
void watched_close(struct watched *watched);

/* What there is to wait for with poll(2). */
int watched_fd(const struct watched *watched);
bool watched_is_light(const struct watched *watched);

/* Deal with what has happened, `most` events at most. Returns how many there were. */
size_t watched_work(struct watched *watched, size_t most);

struct watched_counts watched_counts(const struct watched *watched);
struct watch_lost watched_lost(const struct watched *watched);

#endif
