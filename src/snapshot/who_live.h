/* SPDX-License-Identifier: MIT */
/*
 * The inside of memoir_who(): regions that may map a page are gathered, asked what their page table
 * says, and counted against what the kernel counts.
 */
#ifndef MEMOIR_SNAPSHOT_WHO_LIVE_H
#define MEMOIR_SNAPSHOT_WHO_LIVE_H

#include "kernel/mappers.h"
#include "kernel/page_facts.h"
#include "snapshot/capture.h"
#include "snapshot/who_answer.h"

/* A region that may map the page. */
struct candidate {
	uint64_t mm; /* 0: not known */
	uint64_t start, end, flags;
	uint64_t first;   /* which page of its object or family it begins with */
	uint64_t address; /* where the page would be */
	uint64_t start_ticks;
	uint64_t entry;           /* of the page table, as BPF read it */
	unsigned int entry_shift; /* how much it maps; 0: it was not read */
	uint64_t word;            /* of pagemap, after who_verify() */
	pid_t pid, tid, ppid;
	bool has_file;
	bool denied; /* its pagemap may not be read */
	bool gone;   /* the process has ended */
	bool has_it;
	const char *comm;  /* strings are the answer's */
	const char *label; /* "[heap]", or the path where it was read with the region; or NULL */
	const char *name;
};

/* What a page table has to have to map the page that is looked for. */
enum sought { SOUGHT_NOTHING, SOUGHT_FRAME, SOUGHT_SWAP };

struct inquiry {
	struct memoir *memoir;
	struct who_answer *answer;
	struct mappers *mappers; /* NULL: no BPF */
	struct page_files files;
	pid_t pid; /* as it was asked; 0: a frame */
	uint64_t asked_address;
	uint64_t address; /* where its page begins */
	struct candidate asked;
	enum sought sought;
	uint64_t value;          /* frame, or swap entry as pagemap has it */
	struct page_facts facts; /* of the frame */
	struct candidate *list;
	size_t count, room;
	bool incomplete;  /* some candidates may be missing */
	bool ksm_unknown; /* whether it was merged can't be told here */
	int error;        /* -ENOMEM */
};

static inline bool inquiry_is_page(const struct inquiry *q)
{
	return q->pid != 0;
}

/* ---- who_find.c ----------------------------------------------------------------------------- */

/* The region at the address asked about, into q->asked. Says what is wrong. */
int who_locate(struct inquiry *q, struct memoir_error *error);

/*
 * Gather those that map the same page of the region's object or family, or, by the frame, what the
 * kernel itself knows of it. Needs BPF: else -EOPNOTSUPP.
 */
int who_gather(struct inquiry *q, enum mappers_question question);

/* Whether the frame sought was merged by KSM, which kpageflags says it was. */
bool who_is_merged(struct inquiry *q);

/* The word of pagemap for one candidate, into it. Absent where the process has ended. */
void who_read_word(const struct inquiry *q, struct candidate *candidate);
/* The same for all in the list. */
void who_read_words(struct inquiry *q);
/* And which of them have what is sought. Returns how many. */
size_t who_verify(struct inquiry *q);

/*
 * Which of them have the frame that is sought by the entries that came along: no file has to be opened for
 * that. Returns how many; 0 also where some were not read.
 */
size_t who_verify_entries(struct inquiry *q);

/* Whether a word of pagemap has what is sought. */
bool who_has_sought(const struct inquiry *q, uint64_t word);

/* Append; NULL when out of memory (and q->error is set). */
struct candidate *who_add_candidate(struct inquiry *q);
/* The answer's copy of a string, or NULL for NULL. */
const char *who_keep(struct inquiry *q, const char *string);

/* ---- who_text.c ----------------------------------------------------------------------------- */

/* 0; -ESRCH: no such process, or one without memory; -ENOENT: nothing is mapped there. */
int who_locate_text(struct inquiry *q);
/* Regions of all processes that map the same part of the file that q->asked maps. -ENOENT: no file. */
int who_gather_text(struct inquiry *q);
/* Search the pages of all processes for what is sought. */
int who_scan_text(struct inquiry *q);

/* ---- who_scan.c ----------------------------------------------------------------------------- */

/* The same by page tables where BPF can copy them: afresh, into the list. */
int who_scan(struct inquiry *q);

#endif
