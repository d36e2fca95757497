/* SPDX-License-Identifier: MIT */
/*
 * From the mappers that were found to the answer: rows, how each came to map it, the page's state.
 */
#ifndef MEMOIR_SNAPSHOT_WHO_ROWS_H
#define MEMOIR_SNAPSHOT_WHO_ROWS_H

#include "snapshot/who_live.h"

/* Each fills q->answer. 0 or -ENOMEM. */

/* Those in the list that have what was sought, a frame or a swap entry. */
int who_rows_found(struct inquiry *q);
/* The same, and the region asked about, which has not got that page of its file. */
int who_rows_cached(struct inquiry *q);
/* Nobody has anything: the list is of those whose page of the file it would be. */
int who_rows_absent(struct inquiry *q);

/* Say that fewer were found than the kernel counts. */
int who_rows_incomplete(struct inquiry *q);

#endif
