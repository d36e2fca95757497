/* SPDX-License-Identifier: MIT */
/*
 * memoir names and the links that say what ids of names stand for.
 */
#ifndef MEMOIR_CLI_NAME_REGISTRY_H
#define MEMOIR_CLI_NAME_REGISTRY_H

#include "cli/cli.h"
#include "names/registry.h"

/* Sentences about links that say something else than they should: the first few of them. */
#define LINK_NOTES_MAX 8
struct link_notes {
	char *text[LINK_NOTES_MAX + 1];
	size_t count, more;
};
void link_notes_free(struct link_notes *notes);

/*
 * Make links for those of the names that were given to memory (not paths, not kinds); what can't be made is let
 * go, but for a link that has another name. Those with most memory come first. 0; -ENOSPC: there are too many; -ENOMEM.
 */
int name_links_make(struct links *registry, const struct memoir_name_sum *sums, size_t count,
		    struct link_notes *notes);

/* The same in the directory of this user, if there is one, where names are those of the running machine. */
int name_links_note(const struct cli *cli, const struct memoir_name_sum *sums, size_t count,
		    struct link_notes *notes);

/* memoir names --registry, --gc: print what is known, or drop and print what no process uses. An exit code. */
int name_registry_print(struct cli *cli);
int name_registry_gc(struct cli *cli);

#endif
