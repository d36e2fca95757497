// SPDX-License-Identifier: MIT
/*
 * Finds subjects by pid and thread, follows forks; reads no names.
 */
#include "names/subjects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernel/pidfd.h"
#include "kernel/process.h"

#define FDS_EACH 3   /* of a subject */
#define FDS_OTHER 32 /* of the supervisor */
#define GENERATIONS 16
#define THREADS_LOOKED_AT 256

int subjects_open(struct subjects *subjects)
{
	struct rlimit limit;
	int err = kroot_open(NULL, &subjects->root);

	subjects->room = SUBJECTS_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		if (limit.rlim_cur < FDS_OTHER + SUBJECTS_MAX * FDS_EACH)
			subjects->room = limit.rlim_cur < FDS_OTHER
						 ? 0
						 : (limit.rlim_cur - FDS_OTHER) / FDS_EACH;
	}
	subjects->forks = err ? -1 : process_forks_open(subjects->root);
	return err;
}

/* ---- who is there --------------------------------------------------------------------------- */

static struct subject **bucket_of(struct subjects *subjects, pid_t pid)
{
	return &subjects->buckets[(uint32_t)pid % SUBJECT_BUCKETS];
}

static void drop(struct subjects *subjects, struct subject *subject)
{
	struct subject **at = bucket_of(subjects, subject->pid);

	while (*at && *at != subject)
		at = &(*at)->next;
	if (*at) {
		*at = subject->next;
		subjects->count--;
		subjects->bytes -= several_bytes(&subject->table);
	}
	for (size_t i = 0; i < THREAD_PLACES; i++)
		if (subjects->threads[i].subject == subject)
			subjects->threads[i].subject = NULL;
	subject_free(subject);
}

void subjects_close(struct subjects *subjects)
{
	for (size_t i = 0; i < SUBJECT_BUCKETS; i++)
		while (subjects->buckets[i])
			drop(subjects, subjects->buckets[i]);
	kbuf_free(&subjects->text);
	if (subjects->forks >= 0)
		close(subjects->forks);
	kroot_close(subjects->root);
}

static struct subject *find(struct subjects *subjects, pid_t pid)
{
	struct subject *subject = *bucket_of(subjects, pid);

	while (subject && subject->pid != pid)
		subject = subject->next;
	if (!subject || pidfd_lives(subject->pidfd))
		return subject;
	/* The number is another's now, or nobody's. */
	drop(subjects, subject);
	return NULL;
}

static int add(struct subjects *subjects, pid_t pid, pid_t tid, struct subject *parent,
	       struct subject **ret_subject)
{
	struct subject *subject, **bucket = bucket_of(subjects, pid);
	int err = subjects->count >= subjects->room
			  ? -EMFILE
			  : subject_open(subjects->root, pid, tid, &subject);

	if (err)
		return err;
	err = subjects->watch(subject, subjects->watch_arg);
	if (err) {
		subject_free(subject);
		return err;
	}
	if (parent && !subjects_are_full(subjects)) {
		subject_inherit(subject, parent);
		subjects->bytes += several_bytes(&subject->table);
	}
	subject->next = *bucket;
	*bucket = subject;
	subjects->count++;
	*ret_subject = subject;
	return 0;
}

/* ---- forks ---------------------------------------------------------------------------------- */

struct family {
	struct subjects *subjects;
	struct subject *parent;
};

static int take_up(pid_t pid, void *arg)
{
	const struct family *family = arg;
	struct subject *child;

	if (!find(family->subjects, pid) && !process_same_memory(family->parent->pid, pid))
		add(family->subjects, pid, pid, family->parent, &child);
	return 0;
}

void subjects_before_change(struct subjects *subjects, struct subject *subject, pid_t tid)
{
	size_t place = (uint32_t)tid % THREAD_PLACES;
	struct family family = { subjects, subject };
	pid_t now = process_last_pid(subjects->forks);

	if (now > 0 && subjects->threads[place].tid == tid &&
	    subjects->threads[place].last_pid == now)
		return;
	subjects->threads[place].last_pid = now;
	process_each_child(subjects->root, subject->pid, tid, take_up, &family);
}

/* ---- a thread ------------------------------------------------------------------------------- */

static pid_t parent_of(const struct subjects *subjects, pid_t pid)
{
	struct process_stat stat;

	if (process_stat(subjects->root, pid, &stat) < 0 || stat.ppid <= 1 || stat.ppid == getpid())
		return 0;
	return stat.ppid;
}

/* A vfork child has its parent's memory, and so its names are its parent's. */
static pid_t owner_of_memory(const struct subjects *subjects, pid_t pid)
{
	for (int i = 0; i < GENERATIONS; i++) {
		pid_t parent = parent_of(subjects, pid);

		if (!parent || !process_same_memory(parent, pid))
			break;
		pid = parent;
	}
	return pid;
}

/*
 * What is new may have been forked, over some that are new too, from what is known. Had the known one
 * named anything since, its children would have been taken up by then.
 */
static int adopt(struct subjects *subjects, pid_t pid, pid_t tid, struct subject **ret_subject)
{
	pid_t line[GENERATIONS] = { pid };
	struct subject *parent = NULL, *subject = NULL;
	int count = 1, err = 0;

	while (count < GENERATIONS) {
		pid_t above = parent_of(subjects, line[count - 1]);

		parent = above ? find(subjects, above) : NULL;
		if (!above || parent)
			break;
		line[count++] = above;
	}
	for (int i = parent ? count - 1 : 0; i >= 0 && !err; i--) {
		err = add(subjects, line[i], i ? line[i] : tid, parent, &subject);
		parent = subject;
	}
	if (!err)
		*ret_subject = subject;
	return err;
}

static int find_or_adopt(struct subjects *subjects, pid_t tid, struct subject **ret_subject)
{
	pid_t pid = process_of_thread(subjects->root, tid), owner;
	struct subject *subject;

	if (pid < 0)
		return pid;
	subject = find(subjects, pid);
	owner = subject ? pid : owner_of_memory(subjects, pid);
	if (owner != pid)
		subject = find(subjects, owner);
	if (!subject)
		return adopt(subjects, owner, owner == pid ? tid : owner, ret_subject);
	*ret_subject = subject;
	return 0;
}

int subjects_of_thread(struct subjects *subjects, pid_t tid, struct subject **ret_subject)
{
	size_t place = (uint32_t)tid % THREAD_PLACES;
	struct subject *subject = subjects->threads[place].subject;
	int err;

	if (subject && subjects->threads[place].tid == tid && pidfd_lives(subject->pidfd) &&
	    process_has_thread(subject->pid, tid)) {
		*ret_subject = subject;
		return 0;
	}
	err = find_or_adopt(subjects, tid, &subject);
	if (err)
		return err;
	subjects->threads[place].tid = tid;
	subjects->threads[place].last_pid = -1;
	subjects->threads[place].subject = subject;
	*ret_subject = subject;
	return 0;
}

/* ---- now and then --------------------------------------------------------------------------- */

void subjects_check_ended(struct subjects *subjects, pid_t pid)
{
	find(subjects, pid);
}

bool subjects_any_names(const struct subjects *subjects)
{
	for (size_t i = 0; i < SUBJECT_BUCKETS; i++)
		for (const struct subject *s = subjects->buckets[i]; s; s = s->next)
			if (several_ranges(&s->table))
				return true;
	return false;
}

struct threads_of {
	struct family family;
	int left;
};

static int children_of_thread(pid_t tid, void *arg)
{
	struct threads_of *threads = arg;
	struct family *family = &threads->family;

	process_each_child(family->subjects->root, family->parent->pid, tid, take_up, family);
	return --threads->left ? 0 : 1;
}

static uint64_t sum_bytes(const struct subjects *subjects)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < SUBJECT_BUCKETS; i++)
		for (const struct subject *s = subjects->buckets[i]; s; s = s->next)
			bytes += several_bytes(&s->table);
	return bytes;
}

static void look_after(struct subjects *subjects, struct subject *subject)
{
	struct threads_of threads = { { subjects, subject }, THREADS_LOOKED_AT };

	if (!subject_is_as_it_was(subject)) {
		subject_renew(subjects->root, subject->pid, subject);
		return;
	}
	if (!several_ranges(&subject->table))
		return;
	process_each_thread(subjects->root, subject->pid, children_of_thread, &threads);
	subject_prune(subjects->root, subject, &subjects->text);
}

/* By pid, as looking after one takes up others and drops what has ended. */
void subjects_look_after(struct subjects *subjects)
{
	static pid_t pids[SUBJECTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < SUBJECT_BUCKETS; i++)
		for (const struct subject *s = subjects->buckets[i]; s; s = s->next)
			pids[count++] = s->pid;
	for (size_t i = 0; i < count; i++) {
		struct subject *subject = find(subjects, pids[i]);

		if (subject)
			look_after(subjects, subject);
	}
	subjects->bytes = sum_bytes(subjects);
}
