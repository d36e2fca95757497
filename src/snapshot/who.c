// SPDX-License-Identifier: MIT
/*
 * Who maps one page of the running machine: what the kernel says of the page decides where its mappers are
 * looked for, and how often it counts the page as mapped whether all were found.
 */
#include "snapshot/who_live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/kpage.h"
#include "kernel/pagemap.h"
#include "kernel/process.h"
#include "snapshot/who_rows.h"

#define TRIES 3
#define MOVING_TRIES 50
#define MOVING_PAUSE_NS 1000000

/* ---- the page ------------------------------------------------------------------------------- */

static void seek(struct inquiry *q, uint64_t word)
{
	q->sought = SOUGHT_NOTHING;
	q->facts = (struct page_facts){ 0 };
	if (pagemap_present(word)) {
		q->sought = SOUGHT_FRAME;
		q->value = pagemap_frame(word);
	} else if (pagemap_swapped(word)) {
		q->sought = SOUGHT_SWAP;
		q->value = word & PAGEMAP_VALUE_MASK;
	}
}

/* What the region asked about has there now; a page on its way elsewhere is waited for. */
static void look(struct inquiry *q)
{
	const struct timespec pause = { .tv_nsec = MOVING_PAUSE_NS };

	who_read_word(q, &q->asked);
	for (int i = 0; i < MOVING_TRIES && pagemap_migrating(q->asked.word); i++) {
		nanosleep(&pause, NULL);
		who_read_word(q, &q->asked);
	}
	seek(q, q->asked.word);
}

static int read_facts(struct inquiry *q)
{
	int err = q->sought == SOUGHT_FRAME ? page_facts_read(&q->files, q->value, &q->facts) : 0;

	if (!err && q->facts.flags & KPAGE_KSM && !who_is_merged(q))
		q->facts.flags &= ~KPAGE_KSM;
	return err;
}

static bool is_large(const struct inquiry *q)
{
	return q->facts.flags & (KPAGE_HEAD | KPAGE_TAIL | KPAGE_THP | KPAGE_HUGE);
}

/* ---- its mappers ---------------------------------------------------------------------------- */

/*
 * The kernel counts one mapping, and the region has had the page before and after that: no other can.
 * Of large folios the count may be an average.
 */
static bool is_alone(struct inquiry *q)
{
	struct candidate again = q->asked;

	if (q->sought != SOUGHT_FRAME || q->facts.count != 1 || is_large(q))
		return false;
	who_read_word(q, &again);
	if (!who_has_sought(q, again.word))
		return false;
	q->count = 0;
	struct candidate *only = who_add_candidate(q);

	if (!only)
		return false;
	*only = again;
	only->has_it = true;
	return true;
}

/* Where the reverse map leads: -EOPNOTSUPP where it doesn't, or can't be read. */
static int gather(struct inquiry *q)
{
	bool anon = q->sought == SOUGHT_SWAP || q->facts.flags & KPAGE_ANON;
	int err = -EOPNOTSUPP;

	/* Merged pages belong to no family. */
	if (q->sought == SOUGHT_FRAME ? q->facts.flags & KPAGE_KSM
				      : anon && q->asked.flags & VM_MERGEABLE)
		return -EOPNOTSUPP;
	if (q->mappers && q->sought == SOUGHT_FRAME &&
	    mappers_calibrate(q->mappers, q->memoir->root) == 0)
		return who_gather(q, MAPPERS_FRAME);
	if (!inquiry_is_page(q))
		return -EOPNOTSUPP;
	if (q->mappers)
		err = who_gather(q, anon ? MAPPERS_FAMILY : MAPPERS_OBJECT);
	if (err && err != -ENOMEM && !anon && q->asked.has_file)
		err = who_gather_text(q);
	return err;
}

static size_t count_denied(const struct inquiry *q)
{
	size_t denied = 0;

	for (size_t i = 0; i < q->count; i++)
		denied += q->list[i].denied;
	return denied;
}

static bool has_asked(const struct inquiry *q)
{
	for (size_t i = 0; i < q->count; i++)
		if (q->list[i].has_it && q->list[i].pid == q->asked.pid &&
		    q->list[i].address == q->asked.address)
			return true;
	return false;
}

/* Whether those whose page tables have the frame are just as many as the kernel counts. */
static bool entries_suffice(struct inquiry *q, bool follow)
{
	size_t found = q->sought == SOUGHT_FRAME ? who_verify_entries(q) : 0;

	return found && (!follow || has_asked(q)) && read_facts(q) == 0 && found == q->facts.count;
}

/* Ask all candidates. Whether those that have the page are all there are. */
static bool is_complete(struct inquiry *q, bool follow)
{
	size_t found;

	if (entries_suffice(q, follow))
		return true;
	found = who_verify(q);
	if (follow && !has_asked(q))
		return false;
	if (q->sought == SOUGHT_SWAP)
		return !q->incomplete;
	if (read_facts(q) < 0)
		return false;
	return found <= q->facts.count && found + count_denied(q) >= q->facts.count;
}

/*
 * Fill the list with all that map what is sought. follow: what that is the region asked about says, which
 * may get another page while others are asked.
 */
static int find_mappers(struct inquiry *q, bool follow)
{
	int err = 0;

	for (int i = 0; i < TRIES; i++) {
		if (follow)
			look(q);
		err = read_facts(q);
		if (err || q->sought == SOUGHT_NOTHING || q->facts.flags & KPAGE_ZERO ||
		    (follow && is_alone(q)))
			return err;
		err = gather(q);
		if (err)
			break;
		if (is_complete(q, follow))
			return 0;
	}
	if (err == -ENOMEM)
		return err;
	for (int i = 0; i < TRIES; i++) {
		if (follow && i > 0)
			look(q);
		err = read_facts(q);
		if (!err && q->sought != SOUGHT_NOTHING)
			err = who_scan(q);
		if (err || q->sought == SOUGHT_NOTHING || is_complete(q, follow))
			return err;
	}
	return who_rows_incomplete(q);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* A page of a file that others have: then it is that page, and only not mapped here yet. */
static bool seek_with_others(struct inquiry *q)
{
	who_read_words(q);
	for (size_t i = 0; i < q->count; i++) {
		uint64_t word = q->list[i].word;

		if (pagemap_present(word) && word & PAGEMAP_BIT_FILE) {
			seek(q, word);
			return true;
		}
	}
	return false;
}

/* Nothing is there: it is the next page of the family's first touch, or a page of the file. */
static int answer_absent(struct inquiry *q)
{
	int err = -EOPNOTSUPP;

	q->count = 0;
	if (!q->asked.has_file)
		return who_rows_absent(q);
	if (q->mappers)
		err = who_gather(q, MAPPERS_OBJECT);
	if (err && err != -ENOMEM)
		err = who_gather_text(q);
	if (err)
		return err;
	if (!seek_with_others(q))
		return who_rows_absent(q);
	err = find_mappers(q, false);
	return err ? err : who_rows_cached(q);
}

static int answer_page(struct inquiry *q, struct memoir_error *error)
{
	int err = who_locate(q, error);

	if (err)
		return err;
	err = find_mappers(q, true);
	if (q->asked.denied)
		return error_set_about(error, -EACCES, q->pid, NULL,
				       "the pages of process %d may not be looked at", (int)q->pid);
	if (q->asked.gone)
		return error_set_about(error, -ESRCH, q->pid, NULL,
				       "process %d has ended meanwhile", (int)q->pid);
	if (err)
		return error_set_about(error, err, q->pid, NULL,
				       "the page at %llx of process %d can't be looked at: %s",
				       (unsigned long long)q->address, (int)q->pid, strerror(-err));
	if (q->sought == SOUGHT_NOTHING)
		return answer_absent(q);
	return who_rows_found(q);
}

static int answer_frame(struct inquiry *q, struct memoir_error *error)
{
	int err = read_facts(q);

	if (err)
		return error_set(error, err,
				 "there is no frame %llu: it lies beyond the end of this machine's "
				 "memory",
				 (unsigned long long)q->value);
	if (q->facts.flags & KPAGE_NOPAGE)
		return error_set(error, -ENXIO,
				 "there is no memory at frame %llu: it lies in a hole, or belongs "
				 "to a device",
				 (unsigned long long)q->value);
	if (q->facts.count && !(q->facts.flags & KPAGE_ZERO)) {
		err = find_mappers(q, false);
		if (err)
			return error_set(error, err, "frame %llu can't be looked at: %s",
					 (unsigned long long)q->value, strerror(-err));
	}
	return who_rows_found(q);
}

/* ---- the call ------------------------------------------------------------------------------- */

static struct mappers *mappers_of(struct memoir *memoir)
{
	bool wanted = memoir->engine == MEMOIR_ENGINE_AUTO ||
		      memoir->engine == MEMOIR_ENGINE_TABLES ||
		      memoir->engine == MEMOIR_ENGINE_SCAN;

	if (wanted && !memoir->mappers_tried) {
		memoir->mappers_tried = true;
		mappers_open(memoir->root, &memoir->mappers, NULL);
	}
	return memoir->mappers;
}

static int check(const struct memoir *memoir, const struct memoir_target *target,
		 struct memoir_error *error)
{
	if (target->kind != MEMOIR_TARGET_PAGE && target->kind != MEMOIR_TARGET_FRAME)
		return error_set(error, -EINVAL,
				 "paths, names and objects are asked of a snapshot, not of a page");
	if (!kroot_is_live(memoir->root))
		return error_set(error, -EOPNOTSUPP,
				 "pages can only be looked at on the running machine");
	if (target->kind == MEMOIR_TARGET_PAGE && target->pid == memoir->self)
		return error_set_about(error, -ESRCH, target->pid, NULL,
				       "process %d is memoir itself, which is left out",
				       (int)target->pid);
	if (!pagemap_shows_frames(memoir->root))
		return error_set(error, -EPERM,
				 "which page it is is hidden from this user: `memoir who` needs "
				 "CAP_SYS_ADMIN in the initial user namespace; try it as root");
	return 0;
}

static int open_page_files(struct inquiry *q, struct memoir_error *error)
{
	int err = page_files_open(q->memoir->root, &q->files);

	if (err == -ENOENT)
		return error_set(
			error, -EOPNOTSUPP,
			"the kernel has no /proc/kpagecount: CONFIG_PROC_PAGE_MONITOR is off");
	if (err)
		return error_set(error, err,
				 "/proc/kpageflags and /proc/kpagecount can't be read: %s; try it "
				 "as root",
				 strerror(-err));
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int answer(struct inquiry *q, const struct memoir_target *target, struct memoir_error *error)
{
	int err = open_page_files(q, error);

	if (err)
		return err;
	q->mappers = mappers_of(q->memoir);
	if (target->kind == MEMOIR_TARGET_PAGE) {
		q->pid = target->pid;
		q->asked_address = target->address;
		q->address = target->address & ~(PAGE_BYTES - 1);
		err = answer_page(q, error);
	} else {
		q->sought = SOUGHT_FRAME;
		q->value = target->frame;
		err = answer_frame(q, error);
	}
	page_files_close(&q->files);
	free(q->list);
	return err ? err : q->error;
}

int memoir_who(struct memoir *memoir, const struct memoir_target *target,
	       struct memoir_who **ret_who, struct memoir_error *error)
{
	struct inquiry q = { .memoir = memoir };
	int err = check(memoir, target, error);

	if (err)
		return err;
	q.answer = who_answer_new();
	if (!q.answer)
		return error_set(error, -ENOMEM, "out of memory");
	q.answer->pub.taken_ns = now_ns();
	err = answer(&q, target, error);
	if (err) {
		memoir_who_free(&q.answer->pub);
		return error && error->code == err ? err
						   : error_set(error, err, "%s", strerror(-err));
	}
	who_answer_finish(q.answer);
	*ret_who = &q.answer->pub;
	return 0;
}
