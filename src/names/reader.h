/* SPDX-License-Identifier: MIT */
/*
 * Reads the name table of another process (docs/NAME-TABLE.md). Nothing in it is believed: what does not
 * fit together makes the table unreadable, and what reading takes is bounded.
 */
#ifndef MEMOIR_NAMES_READER_H
#define MEMOIR_NAMES_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct named_range {
	uint64_t start, end;
	uint32_t number;  /* of its name, among the table's */
	const char *name; /* valid by the rules of PR_SET_VMA_ANON_NAME, NUL-terminated */
};

struct names_table {
	struct named_range *ranges; /* in order, none over another, neighbours of one name joined */
	size_t count;
	struct named_range
		*announced; /* those behind them, beyond all memory (names/announced.h) */
	size_t announced_count;
	const char **names; /* each once */
	size_t name_count;
	size_t refused; /* ranges whose names are not valid */
	pid_t subject;  /* the process it says to be about, 0: the one it was read from */
	uint64_t subject_start_ticks;
	bool tried; /* about another: names that it was refused, not such as it was given */
	uint64_t generation;
	char *text; /* holds the names, unless they are a reader's */
	size_t text_bytes;
};

/* Where the table is. */
struct names_source {
	/* All of it, or a negative errno. */
	int (*read)(void *arg, uint64_t addr, void *buffer, size_t bytes);
	/* Whether all of this is private anonymous memory; NULL: not looked at. */
	bool (*is_private)(void *arg, uint64_t addr, uint64_t bytes);
	/*
	 * Whether it is to be read, once it is known whom it is about (and nothing else of it): 1, 0 or a negative
	 * errno. May be asked again, where reading is begun anew. NULL: it is.
	 */
	int (*is_wanted)(void *arg, const struct names_table *table);
	void *arg;
};

/*
 * Read the table whose anchor page is at `anchor` as it was at one moment.
 * 0; -ENODATA: there is none (yet); -EBADMSG: not as it should be; -EPROTONOSUPPORT: of a newer version;
 * -EFBIG: too large; -EAGAIN: it changed faster than it could be read; -ENOMEM; -ECANCELED: it is not
 * wanted; or what `read` or `is_wanted` said.
 */
int names_read(const struct names_source *source, uint64_t anchor, struct names_table *ret_table);

void names_table_free(struct names_table *table);

/* Its names into memory of its own: they are few bytes of the space they were read from. 0 or -ENOMEM. */
int names_table_keep(struct names_table *table);
/* A copy that is the caller's, to be freed. 0 or -ENOMEM. */
int names_table_copy(const struct names_table *table, struct names_table *ret_copy);

/*
 * The same with memory that is kept from table to table: what reading many small ones would mostly spend its time on.
 * The table is the reader's, and good until it reads the next one or is freed.
 */
struct names_reader;
struct names_reader *names_reader_new(void);
void names_reader_free(struct names_reader *reader);
int names_reader_read(struct names_reader *reader, const struct names_source *source,
		      uint64_t anchor, struct names_table *ret_table);

#endif
