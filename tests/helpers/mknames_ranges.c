// SPDX-License-Identifier: MIT
/*
 * Rules of mknames about ranges and arguments: what splits and merges, and what is refused.
 */
#include "mknames.h"

#include <string.h>
#include <sys/mman.h>

/* ---- splitting and merging ------------------------------------------------------------------ */

static void split(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	name_pages(g, 2, 4, "b");
}

static void merge(struct ground *g)
{
	name_pages(g, 0, 3, "a");
	name_pages(g, 3, 6, "a");
}

static void again(struct ground *g)
{
	for (int i = 0; i < 3; i++)
		name_pages(g, 1, 5, "a");
}

static void over_several(struct ground *g)
{
	name_pages(g, 0, 2, "a");
	name_pages(g, 2, 4, "b");
	name_pages(g, 4, 6, "c");
	name_pages(g, 1, 5, "d");
}

static void clear_part(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	name_pages(g, 2, 4, NULL);
}

static void clear_all(struct ground *g)
{
	name_pages(g, 1, 3, "a");
	name_pages(g, 4, 5, "b");
	name_pages(g, 0, 6, NULL);
}

static void clear_unnamed(struct ground *g)
{
	name_pages(g, 0, 6, NULL);
}

/* Not the same string, and the caller's is gone when it is shown. */
static void copied(struct ground *g)
{
	char name[] = "copied a";

	note(g, give(g->base, 3 * PAGE, name));
	memset(name, 'x', sizeof(name) - 1);
	name_pages(g, 3, 6, "a");
}

static void permissions(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	check(mprotect(g->base + 2 * PAGE, 2 * PAGE, PROT_READ) == 0, "mprotect");
	check(mprotect(g->base + 4 * PAGE, 2 * PAGE, PROT_NONE) == 0, "mprotect");
	name_pages(g, 3, 5, "b");
}

static void dontneed(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	memset(g->base, 1, 6 * PAGE);
	check(madvise(g->base, 6 * PAGE, MADV_DONTNEED) == 0, "madvise");
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void characters(struct ground *g)
{
	static const char bad[] = { '\\', '`', '$', '[', ']', 0x1f, '\n', 0x7f, (char)0x80 };
	char name[] = "bad ?";

	for (size_t i = 0; i < sizeof(bad); i++) {
		name[4] = bad[i];
		note(g, give(g->base, 6 * PAGE, name));
	}
	note(g, give(g->base, 3 * PAGE, "characters ~!\"#%&'()*+,-./:;<=>?@^_{|}"));
}

static void length_of_name(struct ground *g)
{
	char name[NAME_ROOM] = "";

	memset(name, 'n', 79);
	note(g, give(g->base, 3 * PAGE, name));
	name[79] = 'n';
	note(g, give(g->base + 3 * PAGE, 3 * PAGE, name));
}

static void empty_name(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	note(g, give(g->base + 2 * PAGE, 2 * PAGE, ""));
}

static void misaligned_start(struct ground *g)
{
	name_bytes(g, 2048 - 1000, 2 * PAGE, "a");
}

static void misaligned_length(struct ground *g)
{
	name_bytes(g, 0, PAGE + 100, "a");
}

static void no_length(struct ground *g)
{
	name_bytes(g, 0, 0, "a");
}

static void wrap_around(struct ground *g)
{
	name_bytes(g, 0, SIZE_MAX, "a");
	name_bytes(g, 0, SIZE_MAX - PAGE, "a");
	name_bytes(g, 0, (size_t) - (uintptr_t)g->base + PAGE, "a");
}

const struct rule range_rules[] = {
	{ "split", split },
	{ "merge", merge },
	{ "again", again },
	{ "over-several", over_several },
	{ "clear-part", clear_part },
	{ "clear-all", clear_all },
	{ "clear-unnamed", clear_unnamed },
	{ "copied", copied },
	{ "permissions", permissions },
	{ "dontneed", dontneed },
	{ "characters", characters },
	{ "length-of-name", length_of_name },
	{ "empty-name", empty_name },
	{ "misaligned-start", misaligned_start },
	{ "misaligned-length", misaligned_length },
	{ "no-length", no_length },
	{ "wrap-around", wrap_around },
	{ 0 },
};
