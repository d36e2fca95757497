/* SPDX-License-Identifier: MIT */
/*
 * A program that a supervisor keeps names of: what it has to be known by, and its name table, which is
 * about it. One thread only.
 */
#ifndef MEMOIR_NAMES_SUBJECT_H
#define MEMOIR_NAMES_SUBJECT_H

#include "kernel/root.h"
#include "names/areas.h"
#include "names/several.h"

/* A table takes at most 16 MiB: about half a million ranges. */
#define SUBJECT_SEGMENTS 9u

struct subject {
	struct subject *next; /* for who keeps it */
	pid_t pid;
	uint64_t start_ticks;
	int pidfd;
	int memory, maps;   /* of what it executes now */
	uint64_t random_at; /* see process_random_at(); 0: not known */
	uint8_t random[16];
	struct table_aside table;
};

/*
 * Take up a process by one of its threads, without names. 0; -ESRCH: it is gone; -EACCES, -EPERM: its memory
 * may not be read; -EMFILE, -ENOMEM.
 */
int subject_open(const struct kroot *root, pid_t pid, pid_t tid, struct subject **ret_subject);
void subject_free(struct subject *subject);

/* Whether it executes what it did: else what is kept of it is of no more use but for subject_renew(). */
bool subject_is_as_it_was(const struct subject *subject);

/* It called exec: drop all names. 0, or as subject_open(). */
int subject_renew(const struct kroot *root, pid_t tid, struct subject *subject);

/* It was forked from the other: it has the names that the other has. -EXDEV: it has called exec since. */
int subject_inherit(struct subject *subject, struct subject *parent);

/*
 * What PR_SET_VMA_ANON_NAME does with these arguments. name is an address there, or 0. Returns what it
 * returns, or -ESRCH: it called exec or ended.
 */
struct naming_call {
	pid_t tid;
	uint64_t start, bytes, name;
};
int subject_name(const struct kroot *root, struct subject *subject, const struct naming_call *call,
		 struct kbuf *text);

/* Names of what is no longer private anonymous memory go. 0, or -ESRCH, -ENOMEM … */
int subject_prune(const struct kroot *root, struct subject *subject, struct kbuf *text);

#endif
