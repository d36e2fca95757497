/* SPDX-License-Identifier: MIT */
/*
 * A snapshot as tables: every row of it, written and read.
 */
#ifndef MEMOIR_STORE_TABLES_H
#define MEMOIR_STORE_TABLES_H

#include "snapshot/model.h"
#include "store/reader.h"
#include "store/writer.h"

/* Write all tables into an empty file, in one transaction. SQLITE_OK or what w->err tells. */
int tables_put(struct writer *w, const struct memoir_snapshot *s);

/* Read all tables into an empty snapshot, and check them. 0 or r->err. */
int tables_load(struct reader *r, struct memoir_snapshot *s);

/* The parts of it about who shares and holds what; processes, objects and regions must be there. */
int tables_put_sharing(struct writer *w, const struct memoir_snapshot *s);
int tables_load_sharing(struct reader *r, struct memoir_snapshot *s);

/* Write NULL for MEMOIR_NONE. */
static inline void writer_index(struct writer *w, uint32_t index)
{
	writer_known(w, index != MEMOIR_NONE, index);
}

#endif
