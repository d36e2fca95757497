/* SPDX-License-Identifier: MIT */
/*
 * Large folios: the kernel gives one back as a whole, when nobody maps any page of it.
 */
#ifndef MEMOIR_SNAPSHOT_FOLIOS_H
#define MEMOIR_SNAPSHOT_FOLIOS_H

#include "snapshot/capture.h"

/* By node of the tally: how many more pages go with the last of its members than its own. */
struct folio_gain {
	uint32_t node;
	int32_t pages;
};

struct folio_gains {
	struct folio_gain *rows;
	size_t count, room;
};

/*
 * For each large anonymous folio whose pages are not all in one set, add a set of all that map any of it
 * to the tally, and let its pages go with that one. Before the tally is summed up. Free gains->rows.
 */
int capture_settle_folios(struct capture *c, struct folio_gains *gains);

#endif
