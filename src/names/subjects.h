/* SPDX-License-Identifier: MIT */
/*
 * All subjects of a supervisor: which thread is of which, and what they inherit from each other. It learns of
 * forks and execs only by looking: when a program names memory, and now and then.
 */
#ifndef MEMOIR_NAMES_SUBJECTS_H
#define MEMOIR_NAMES_SUBJECTS_H

#include "names/subject.h"

/* So many at most, and no more than fds allow; others' names are not kept. */
#define SUBJECTS_MAX 4096u

/* All their tables together; then no more names are taken. */
#define SUBJECTS_BYTES_MAX (256ull << 20)

#define SUBJECT_BUCKETS 1024u
#define THREAD_PLACES 1024u

struct subjects {
	struct kroot *root;
	struct subject *buckets[SUBJECT_BUCKETS]; /* by pid */
	size_t count, room;
	uint64_t bytes; /* of all tables */
	struct {
		pid_t tid;
		pid_t last_pid; /* the machine's, when its children were looked for */
		struct subject *subject;
	} threads[THREAD_PLACES]; /* seen last; each is asked for again */
	int forks;                /* says the machine's last pid */
	struct kbuf text;
	/* Told of each that comes: its pidfd is to be looked at. 0 or negative errno. */
	int (*watch)(const struct subject *subject, void *arg);
	void *watch_arg;
};

/* 0 or negative errno; then subjects_close() all the same. */
int subjects_open(struct subjects *subjects);
void subjects_close(struct subjects *subjects);

/*
 * The subject that a thread belongs to, taken up if need be with what it inherits. A vfork child, which has its
 * parent's memory, belongs to the parent. 0, or as subject_open(), -EMFILE also if there are too many.
 */
int subjects_of_thread(struct subjects *subjects, pid_t tid, struct subject **ret_subject);

/* The children that a thread has made since this was last called get the names as they are now. */
void subjects_before_change(struct subjects *subjects, struct subject *subject, pid_t tid);

/* All at once: exec drops names, what is unmapped too, children are taken up. */
void subjects_look_after(struct subjects *subjects);

/* Whether there is no room for more names. */
static inline bool subjects_are_full(const struct subjects *subjects)
{
	return subjects->bytes > SUBJECTS_BYTES_MAX;
}

/* Whether any of them has names: else there is nothing to look after. */
bool subjects_any_names(const struct subjects *subjects);

/* What is kept of it goes if it has ended. */
void subjects_check_ended(struct subjects *subjects, pid_t pid);

#endif
