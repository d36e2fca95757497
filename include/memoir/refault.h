/* SPDX-License-Identifier: MIT */
/**
 * What of the memory that is swapped out comes back, and how soon: begin, look now and then, ask.
 *
 * Anonymous memory only: pages of shmem leave no trace in page tables when they are swapped out, nor do
 * files' pages that were dropped; how many of these came back the machine's own counters tell.
 */
#ifndef MEMOIR_REFAULT_H
#define MEMOIR_REFAULT_H

#include <memoir/select.h>
#include <memoir/subject.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Within how long something came back: 1 s, 10 s, 60 s, 10 min. */
#define MEMOIR_REFAULT_SPANS 4
/** The i-th of them. */
uint64_t memoir_refault_span_ns(unsigned int i);

struct memoir_refault_figures {
	uint64_t swapped_bytes; /**< swapped out at the beginning */
	uint64_t back_bytes;    /**< of that, seen in RAM again by now */
	/** Seen in RAM again within each span; see memoir_refaults_span_known(). */
	uint64_t back_within_bytes[MEMOIR_REFAULT_SPANS];
	uint64_t
		gone_bytes; /**< neither in RAM nor in swap: freed, unmapped, moved, or its process ended */
	uint64_t out_bytes; /**< still swapped out */
};

/** Of the whole machine, since the beginning; UINT64_MAX: this kernel does not count it. */
struct memoir_refault_machine {
	uint64_t refault_anon_bytes; /**< workingset_refault_anon (Linux 5.9) */
	uint64_t refault_file_bytes; /**< workingset_refault_file (Linux 5.9) */
	uint64_t swapped_in_bytes;   /**< pswpin: read from swap, by whomever */
};

struct memoir_refaults;

/**
 * @brief See what is swapped out of what a selection means.
 *
 * The snapshot has to live until memoir_refaults_free(): regions and names are its own. 1 to 3 ns a page
 * where page tables can be read, else 30 to 70. Nothing is changed in the processes.
 * @return 0, also where some processes could not be read; -EACCES: none of them could; -ENOMEM
 */
int memoir_refaults_begin(struct memoir *memoir, const struct memoir_snapshot *snapshot,
			  const struct memoir_selection *selection,
			  struct memoir_refaults **ret_refaults, struct memoir_error *error);

/**
 * @brief Look again, and count what has come back since the last look. A page that came back and went out again
 *        in between is not seen. Looking too often slows down processes that map and unmap a lot: leave
 *        50 ms between.
 */
int memoir_refaults_look(struct memoir_refaults *refaults, struct memoir_error *error);

void memoir_refaults_free(struct memoir_refaults *refaults);

/** From the beginning to the last look. */
uint64_t memoir_refaults_watched_ns(const struct memoir_refaults *refaults);
/** Whether it was watched long enough for the i-th span. */
bool memoir_refaults_span_known(const struct memoir_refaults *refaults, unsigned int i);
bool memoir_refaults_partial(const struct memoir_refaults *refaults);
/** Processes that have ended meanwhile, or begun another program by execve(2). */
size_t memoir_refaults_vanished(const struct memoir_refaults *refaults);
size_t memoir_refaults_note_count(const struct memoir_refaults *refaults);
const char *memoir_refaults_note(const struct memoir_refaults *refaults, size_t i);
/** Up to the last look. */
struct memoir_refault_machine memoir_refaults_machine(const struct memoir_refaults *refaults);

struct memoir_refault_row {
	struct memoir_subject subject;
	struct memoir_refault_figures figures;
	uint64_t major_faults; /**< by process only: of it, since the beginning; see faults_known */
	bool faults_known;     /**< not when it has ended */
};

struct memoir_refault_rows {
	size_t count;
	struct memoir_refault_row *rows; /**< by falling back_bytes, then swapped_bytes */
	struct memoir_refault_figures total;
	uint64_t major_faults; /**< of all processes that are still there */
};

/**
 * @brief What was seen so far. Regions of which nothing was swapped out have no row.
 * @return 0; -ENOMEM. Free with memoir_refault_rows_free().
 */
int memoir_refaults_rows(const struct memoir_refaults *refaults, enum memoir_by by,
			 struct memoir_refault_rows *ret_rows);
void memoir_refault_rows_free(struct memoir_refault_rows *rows);

#ifdef __cplusplus
}
#endif

#endif
