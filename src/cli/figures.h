/* SPDX-License-Identifier: MIT */
/*
 * The columns of the figures, the same in every command that has them.
 */
#ifndef MEMOIR_CLI_FIGURES_H
#define MEMOIR_CLI_FIGURES_H

#include <memoir/snapshot.h>

#include "present/column.h"

/* The cell of one figure: null where it is not known. */
static inline void figure_cell(const struct memoir_figures *figures, unsigned int figure,
			       struct cell *ret_cell)
{
	ret_cell->type = figures->known & (1u << figure) ? CELL_BYTES : CELL_NULL;
	ret_cell->number = figures->bytes[figure];
}

#define FIGURE_COLUMN(name, head, figure, get, help)                     \
	{                                                                \
		name, head, CELL_BYTES, COLUMN_SUMMED, figure, get, help \
	}

/* `get` finds the figures of a row and calls figure_cell() with column->which. */
#define FIGURE_COLUMNS(get)                                                                        \
	FIGURE_COLUMN("rss_bytes", "RSS", MEMOIR_RSS, get, "resident: pages in RAM that it maps"), \
		FIGURE_COLUMN("pss_bytes", "PSS", MEMOIR_PSS, get,                                 \
			      "proportional: each page divided by its mappings"),                  \
		FIGURE_COLUMN("uss_bytes", "USS", MEMOIR_USS, get,                                 \
			      "private: pages with one mapping"),                                  \
		FIGURE_COLUMN("shared_bytes", "SHARED", MEMOIR_SHARED, get,                        \
			      "pages with several mappings"),                                      \
		FIGURE_COLUMN("swap_bytes", "SWAP", MEMOIR_SWAP, get, "pages swapped out"),        \
		FIGURE_COLUMN("swap_pss_bytes", "SWAP-PSS", MEMOIR_SWAP_PSS, get,                  \
			      "swapped out, each page divided by its users"),                      \
		FIGURE_COLUMN("anon_bytes", "ANON", MEMOIR_ANON, get, "resident anonymous pages"), \
		FIGURE_COLUMN("file_bytes", "FILE", MEMOIR_FILE, get, "resident pages of files"),  \
		FIGURE_COLUMN("shmem_bytes", "SHMEM", MEMOIR_SHMEM, get,                           \
			      "resident pages of shmem"),                                          \
		FIGURE_COLUMN("thp_bytes", "THP", MEMOIR_THP, get,                                 \
			      "mapped as transparent huge pages"),                                 \
		FIGURE_COLUMN("hugetlb_bytes", "HUGETLB", MEMOIR_HUGETLB, get,                     \
			      "pages of hugetlb, not part of rss_bytes")

/* Those in tables without -o. */
#define FIGURES_SHOWN "rss_bytes,pss_bytes,uss_bytes,swap_bytes"

#endif
