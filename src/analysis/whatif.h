/* SPDX-License-Identifier: MIT */
/*
 * The inside of a what-if: what its parts (sets, objects, rows, keepers, notes) share.
 */
#ifndef MEMOIR_ANALYSIS_WHATIF_H
#define MEMOIR_ANALYSIS_WHATIF_H

#include <memoir/analysis.h>

#include "analysis/label.h"
#include "analysis/meant.h"
#include "base/u64map.h"

/* Instead of an index: no member that is meant was seen yet; several with different ones were. */
#define WHOSE_NOBODY (MEMOIR_NONE - 1)
#define WHOSE_SEVERAL (MEMOIR_NONE - 2)

/* To whom memory belongs, of those that are meant: indices, and object MEMOIR_NONE: not known. */
struct whose {
	uint32_t process;
	uint32_t label;
	uint32_t object;
};

struct whatif_set {
	struct whose whose;
	uint32_t others; /* members that are not meant */
	bool any;        /* a member is meant */
	bool all;        /* all of them are, whole */
};

/* What becomes of the pages of an object. */
enum verdict {
	VERDICT_PAGES,   /* each page for itself: it is gone if all that map it are */
	VERDICT_UNKNOWN, /* the same, but what becomes of what is gone is not known */
	VERDICT_FREED,   /* all of it is freed */
	VERDICT_KEPT,    /* all of it stays */
};

struct whatif_object {
	struct whose whose;
	uint8_t verdict;
	bool touched;        /* somebody who is meant maps or holds it */
	bool others;         /* somebody else does, too */
	uint64_t seen_bytes; /* pages accounted for by regions and sets */
	/* Of a family: sets that go, and what goes with them, which large folios may make less. */
	uint64_t gone_bytes, freed_bytes;
	uint64_t hugetlb_bytes; /* the most that a region has */
	pid_t kept_by[MEMOIR_WHATIF_KEEPERS];
	uint32_t kept_by_count;
	bool kept_by_more;
};

struct whatif_run {
	const struct memoir_snapshot *s;
	const struct memoir_selection *selection;
	struct memoir_whatif *out;
	bool kill;
	uint8_t *processes;            /* enum meant; of a trim, those with regions meant */
	uint8_t *regions;              /* enum meant */
	uint64_t *rest;                /* sets_rest_of_regions() */
	uint32_t *region_labels;       /* of regions meant */
	struct whatif_set *sets;       /* of each set */
	struct whatif_object *objects; /* and after the last: of no known family; of several */
	struct labels labels;
	/* By process, label, object; behind the last: several; of objects also: not known. */
	struct memoir_whatif_bytes *by_process, *by_label, *by_object;
	size_t row_room, keeper_room, note_room, pid_room;
	/* For the notes. */
	size_t meant, unreadable, tables_unknown, threads_unknown, holders_unknown,
		residency_unknown;
};

/* ---- whatif.c ------------------------------------------------------------------------------- */

/* Where an object's slot in run->objects and run->by_object is. */
uint32_t whatif_object_slot(const struct whatif_run *run, uint32_t object);

/* Put what one member has to what others have. */
void whose_add(struct whose *whose, const struct whose *one);

/* ---- whatif_objects.c ----------------------------------------------------------------------- */

/* Who has which object, and what becomes of them. 0; -ENOMEM */
int whatif_judge_objects(struct whatif_run *run);

/* Pages of an object that `gone` says nobody would map any more: into the right one of the bytes. */
void whatif_settle_pages(const struct whatif_run *run, uint32_t object, bool gone, uint64_t bytes,
			 struct memoir_whatif_bytes *ret_bytes);

/* Pages that nobody maps, and swapped ones. */
void whatif_add_rest_of_objects(struct whatif_run *run);

/* ---- whatif_rows.c -------------------------------------------------------------------------- */

int whatif_make_rows(struct whatif_run *run); /* room for them: 0; -ENOMEM */

/* Count bytes in the whole and by process, label and object. */
void whatif_add(struct whatif_run *run, const struct whose *whose,
		const struct memoir_whatif_bytes *bytes);

/* The row of a set. 0; -ENOMEM */
int whatif_add_set_row(struct whatif_run *run, uint32_t set,
		       const struct memoir_whatif_bytes *bytes);

/* All other rows, and put them in order. 0; -ENOMEM */
int whatif_finish_rows(struct whatif_run *run);

/* ---- whatif_keepers.c ----------------------------------------------------------------------- */

/* The pid by which a process keeps memory: its own, or that of the peer which is not meant. */
pid_t whatif_keeper_pid(const struct whatif_run *run, uint32_t process);

/* Whether it keeps what it shares with those that are meant. */
bool whatif_keeps(const struct whatif_run *run, uint32_t process);

/* Who keeps what stays, and of objects the first of them. 0; -ENOMEM */
int whatif_find_keepers(struct whatif_run *run);

/* ---- whatif_notes.c ------------------------------------------------------------------------- */

/* What the figures lack, and what a person should know about them. 0; -ENOMEM */
int whatif_write_notes(struct whatif_run *run);

#endif
