/* SPDX-License-Identifier: MIT */
/*
 * The inside of naming regions: names.c puts names on them, name_tables.c reads the tables of processes, sent_names.c
 * takes those that came with the walk, and names_later.c has those done beside other things that were kept.
 */
#ifndef MEMOIR_SNAPSHOT_NAMING_H
#define MEMOIR_SNAPSHOT_NAMING_H

#include "names/reader.h"
#include "snapshot/capture.h"

/* The snapshot's strings for a table's names. */
struct name_list {
	const char **names;
	size_t count, room;
};

/* A process on which names are to be put. */
struct naming_job {
	uint32_t process;
	uint8_t source;
	const struct named_range *ranges; /* kept until then */
	size_t count;
	const char *const *names;
};

struct naming {
	uint8_t *named;         /* by process: has names by a table already */
	struct name_list names; /* of one table after the other */
	size_t unsplit;         /* regions that should have been, and could not */
	struct names_reader *reader;
	/* The table of the process that is being walked. */
	const struct walk_names *sent;
	uint32_t sent_by; /* the region that it was found by; MEMOIR_NONE: there is none */
	uint64_t sent_room[WALK_NAMES_BYTES / 8];
	/* What is done later. */
	struct naming_job *jobs;
	size_t job_count, job_room;
	struct name_list *lists; /* of jobs; the last is that of the table with `list` */
	size_t list_count, list_room;
	uint32_t list;
	pthread_t thread;
	bool is_threaded;
	int error;
};

/* What is kept from table to table, made at the first call. NULL: out of memory. */
struct naming *naming_of(struct capture *c);

/* Whether all of this is private anonymous memory of the process: all else can be no part of its table. */
bool naming_is_private(const struct capture *c, uint32_t process, uint64_t addr, uint64_t bytes);

/* Put a table's names on a process's regions, unless it has some by a table already. 0 or -ENOMEM. */
int naming_process(struct capture *c, uint32_t process, const struct names_table *table);
/* The same when all regions are there, of a table that is kept until then. */
int naming_later(struct capture *c, uint32_t process, const struct kept_table *kept);

/* For the two: whether it is to be done, which is asked once; the strings; and the doing. */
bool naming_claims(struct capture *c, uint32_t process, const struct names_table *table);
int naming_intern(struct capture *c, const struct names_table *table, struct name_list *list);
int naming_regions(struct capture *c, const struct naming_job *job);

/* Begin with what is to be done later, on a thread of its own; nothing else may touch parts until it is ended. */
int naming_begin(struct capture *c);
/* To be called in any case. */
int naming_end(struct capture *c);

#endif
