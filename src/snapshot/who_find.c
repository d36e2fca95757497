// SPDX-License-Identifier: MIT
/*
 * Candidates for mapping a page: found by the kernel's reverse map, verified by their page tables or in
 * pagemap. What they add up to is for who.c.
 */
#include "snapshot/who_live.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/crew.h"
#include "base/grow.h"
#include "kernel/pagemap.h"
#include "kernel/process.h"

#define NS_PER_TICK 10000000u /* as in capture_walk.c */

struct candidate *who_add_candidate(struct inquiry *q)
{
	struct candidate *list = grow(q->list, &q->room, q->count + 1, sizeof(*list));

	if (!list) {
		q->error = -ENOMEM;
		return NULL;
	}
	q->list = list;
	list[q->count] = (struct candidate){ 0 };
	return &list[q->count++];
}

const char *who_keep(struct inquiry *q, const char *string)
{
	const char *kept = who_string(q->answer, string);

	if (string && !kept)
		q->error = -ENOMEM;
	return kept;
}

/* ---- by BPF --------------------------------------------------------------------------------- */

static void take_record(struct inquiry *q, struct candidate *c, const struct mapper_record *record,
			const char *name)
{
	*c = (struct candidate){
		.mm = record->mm,
		.start = record->start,
		.end = record->end,
		.flags = record->flags,
		.first = record->offset_pages,
		.entry = record->entry,
		.entry_shift = record->entry_shift,
		.start_ticks = record->start_ns / NS_PER_TICK,
		.pid = (pid_t)record->tgid,
		.tid = (pid_t)record->tid,
		.ppid = (pid_t)record->ppid,
		.has_file = record->bits & MAPPER_FILE,
		.comm = who_keep(q, record->comm),
		.name = who_keep(q, name),
	};
	if (record->label[0])
		c->label = who_keep(q, record->label);
	else if (record->bits & MAPPER_HEAP)
		c->label = who_keep(q, "[heap]");
	else if (record->bits & MAPPER_STACK)
		c->label = who_keep(q, "[stack]");
}

static void on_asked(const struct mapper_record *record, const char *name, void *arg)
{
	struct inquiry *q = arg;

	take_record(q, &q->asked, record, name);
}

static void on_mapper(const struct mapper_record *record, const char *name, void *arg)
{
	struct inquiry *q = arg;

	if (record->bits & MAPPER_ASKED)
		return;
	/* An address space that is just ending, or a kernel that does not keep whose it is. */
	if (!record->tgid) {
		q->incomplete = true;
		return;
	}
	struct candidate *c = who_add_candidate(q);

	if (c)
		take_record(q, c, record, name);
}

/* Where the page is in each; a region that changed while it was read may not have it any more. */
static void place_candidates(struct inquiry *q, uint64_t index)
{
	size_t kept = 0;

	for (size_t i = 0; i < q->count; i++) {
		struct candidate *c = &q->list[i];

		if (who_address_of(c->start, c->end, c->first, index, &c->address))
			q->list[kept++] = *c;
	}
	q->incomplete |= kept < q->count;
	q->count = kept;
}

int who_gather(struct inquiry *q, enum mappers_question question)
{
	struct mappers_answer answer;
	int err;

	if (!q->mappers)
		return -EOPNOTSUPP;
	q->count = 0;
	q->incomplete = false;
	if (question == MAPPERS_FRAME)
		err = mappers_of_frame(q->mappers, q->value, on_mapper, q, &answer);
	else
		err = mappers_at(q->mappers, q->pid, q->address, question, on_mapper, q, &answer);
	if (err)
		return err;
	q->incomplete |= answer.torn;
	place_candidates(q, answer.index);
	return q->error;
}

static void ignore(const struct mapper_record *record, const char *name, void *arg)
{
	(void)record;
	(void)name;
	(void)arg;
}

bool who_is_merged(struct inquiry *q)
{
	struct mappers_answer answer;

	if (q->mappers && mappers_calibrate(q->mappers, q->memoir->root) == 0 &&
	    mappers_of_frame(q->mappers, q->value, ignore, NULL, &answer) == 0)
		return answer.merged;
	if (!process_ksm_in_use(q->memoir->root))
		return false;
	q->ksm_unknown = !page_files_tell_ksm(&q->files, q->memoir->root);
	return !q->ksm_unknown;
}

/* ---- the region asked about ----------------------------------------------------------------- */

static int no_process(const struct inquiry *q, struct memoir_error *error)
{
	struct process_stat stat;

	if (process_stat(q->memoir->root, q->pid, &stat) < 0)
		return error_set_about(error, -ESRCH, q->pid, NULL, "there is no process %d",
				       (int)q->pid);
	if (stat.kernel_thread || stat.state == 'Z')
		return error_set_about(
			error, -ESRCH, q->pid, NULL, "process %d has no memory: %s", (int)q->pid,
			stat.kernel_thread ? "it is a kernel thread" : "it has ended");
	return error_set_about(error, -EACCES, q->pid, NULL,
			       "the memory of %d can't be looked at: it is a thread of another "
			       "process, or a security policy hides it",
			       (int)q->pid);
}

static int not_mapped(const struct inquiry *q, struct memoir_error *error)
{
	return error_set_about(
		error, -EFAULT, q->pid, NULL,
		"pid %d has nothing mapped at %llx; `memoir map %d` lists what it has", (int)q->pid,
		(unsigned long long)q->asked_address, (int)q->pid);
}

static int locate_in_text(struct inquiry *q, struct memoir_error *error)
{
	int err = who_locate_text(q);

	if (err == -ESRCH)
		return no_process(q, error);
	return err == -ENOENT ? not_mapped(q, error) : err;
}

int who_locate(struct inquiry *q, struct memoir_error *error)
{
	struct mappers_answer answer;
	int err = -EOPNOTSUPP;

	if (q->mappers)
		err = mappers_at(q->mappers, q->pid, q->address, MAPPERS_VMA, on_asked, q, &answer);
	if (err == -ESRCH)
		return no_process(q, error);
	if (err == -ENOENT)
		return not_mapped(q, error);
	if (err)
		return locate_in_text(q, error);
	/* Without memory cgroups the kernel does not keep whose an address space is. */
	if (!q->asked.pid)
		return locate_in_text(q, error);
	q->asked.address = q->address;
	return q->error;
}

/* ---- verification --------------------------------------------------------------------------- */

void who_read_word(const struct inquiry *q, struct candidate *candidate)
{
	int fd = pagemap_open_thread(q->memoir->root, candidate->pid, candidate->tid);
	uint64_t word = 0;

	candidate->denied = fd == -EACCES || fd == -EPERM;
	candidate->gone = fd < 0 && !candidate->denied;
	candidate->word = 0;
	if (fd < 0)
		return;
	/* Nothing is read of an address space that has been given up. */
	if (pagemap_read(fd, candidate->address / PAGE_BYTES, &word, 1) == 1)
		candidate->word = word;
	else
		candidate->gone = true;
	close(fd);
}

bool who_has_sought(const struct inquiry *q, uint64_t word)
{
	if (q->sought == SOUGHT_FRAME)
		return pagemap_present(word) && pagemap_frame(word) == q->value;
	if (q->sought == SOUGHT_SWAP)
		return pagemap_swapped(word) && (word & PAGEMAP_VALUE_MASK) == q->value;
	return false;
}

/* Opening pagemap is most of it: a thread takes some time to start, so that each gets enough to do. */
#define CANDIDATES_A_THREAD 64
#define THREADS_MAX 16

struct reading {
	const struct inquiry *q;
	struct candidate *list;
	size_t count;
};

static void *read_words(void *arg)
{
	struct reading *r = arg;

	for (size_t i = 0; i < r->count; i++)
		who_read_word(r->q, &r->list[i]);
	return NULL;
}

void who_read_words(struct inquiry *q)
{
	size_t parts = q->count / CANDIDATES_A_THREAD + 1, done = 0;
	struct reading readings[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	bool started[THREADS_MAX];

	parts = parts < q->memoir->threads ? parts : q->memoir->threads;
	parts = parts < THREADS_MAX ? parts : THREADS_MAX;
	for (size_t i = 0; i < parts; i++) {
		size_t end = q->count * (i + 1) / parts;

		readings[i] = (struct reading){ q, q->list + done, end - done };
		done = end;
		/* The last part is this thread's, and those for which there is no other. */
		started[i] =
			i + 1 < parts && crew_thread(&threads[i], read_words, &readings[i]) == 0;
		if (!started[i])
			read_words(&readings[i]);
	}
	for (size_t i = 0; i < parts; i++)
		if (started[i])
			pthread_join(threads[i], NULL);
}

size_t who_verify(struct inquiry *q)
{
	size_t found = 0;

	who_read_words(q);
	for (size_t i = 0; i < q->count; i++) {
		q->list[i].has_it = who_has_sought(q, q->list[i].word);
		found += q->list[i].has_it;
	}
	return found;
}

/* What pagemap would say, as far as it is about frames. */
static uint64_t word_of_entry(const struct candidate *c)
{
	uint64_t pages = (1ull << c->entry_shift) / PAGE_BYTES;

	if (!pte_present(c->entry))
		return 0;
	return PAGEMAP_BIT_PRESENT |
	       (pte_huge_frame(c->entry, pages) + (c->address / PAGE_BYTES & (pages - 1)));
}

size_t who_verify_entries(struct inquiry *q)
{
	size_t found = 0;

	for (size_t i = 0; i < q->count; i++)
		if (!q->list[i].entry_shift)
			return 0;
	for (size_t i = 0; i < q->count; i++) {
		struct candidate *c = &q->list[i];

		c->word = word_of_entry(c);
		c->has_it = who_has_sought(q, c->word);
		found += c->has_it;
	}
	return found;
}
