// SPDX-License-Identifier: MIT
/*
 * Makes, lists and drops the links of the registry by what a snapshot has.
 */
#include "cli/name_registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/label.h"
#include "base/grow.h"
#include "base/strpool.h"
#include "cli/rows.h"

#define SCHEMA "memoir.names-registry/1"
#define COLUMNS "processes,linked,id,name"
#define COLUMNS_FOR_PROGRAMS "name,id,name_source,processes,regions,linked"

/* ---- making links --------------------------------------------------------------------------- */

void link_notes_free(struct link_notes *notes)
{
	while (notes->count)
		free(notes->text[--notes->count]);
	notes->more = 0;
}

static int add_note(struct link_notes *notes, const struct links *registry,
		    const struct memoir_name_sum *sum)
{
	char there[LINKS_TEXT_MAX];

	if (notes->count == LINK_NOTES_MAX) {
		notes->more++;
		return 0;
	}
	if (registry_read(registry, sum->id, there) < 0)
		snprintf(there, sizeof(there), "nothing that can be read");
	if (asprintf(&notes->text[notes->count],
		     "the link %016llx of the registry says '%s', but it is the id of '%s' too",
		     (unsigned long long)sum->id, there, sum->name) < 0)
		return -ENOMEM;
	notes->count++;
	return 0;
}

static bool was_given(enum memoir_name_source source)
{
	return source != MEMOIR_NAME_NONE && source != MEMOIR_NAME_PATH;
}

int name_links_make(struct links *registry, const struct memoir_name_sum *sums, size_t count,
		    struct link_notes *notes)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		int ret = was_given(sums[i].source)
				  ? registry_add(registry, sums[i].id, sums[i].name)
				  : 0;

		if (ret == -EEXIST)
			err = add_note(notes, registry, &sums[i]);
		else if (ret == -ENOSPC)
			err = ret;
	}
	if (!err && notes->more) {
		if (asprintf(&notes->text[notes->count], "the same is so of %zu more links",
			     notes->more) < 0)
			return -ENOMEM;
		notes->count++;
	}
	return err;
}

static bool any_given(const struct memoir_name_sum *sums, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (was_given(sums[i].source))
			return true;
	return false;
}

/* ---- what is known -------------------------------------------------------------------------- */

/* Names of the snapshot, once whatever their kind, and of links. */
struct known_names {
	struct labels labels;
	struct known_name {
		struct memoir_name_sum sum; /* its figures are not known */
		uint32_t last_process;
		bool linked, drop;
	} * names;
	struct strpool *texts; /* of links; labels know names by their address */
	size_t count, room;
	size_t used;  /* those that a process uses come first */
	size_t wrong; /* links that are not of the id of their name */
	uint64_t taken_ns;
	int err;
};

/* NULL: no memory. */
static struct known_name *find(struct known_names *known, const char *name,
			       enum memoir_name_source source)
{
	struct label label = { name, MEMOIR_KIND_ANON, source };
	uint32_t at = labels_index(&known->labels, &label);
	struct known_name *names;

	if (at == U64MAP_NONE)
		return NULL;
	if (at < known->count)
		return &known->names[at];
	names = grow(known->names, &known->room, known->count + 1, sizeof(*names));
	if (!names)
		return NULL;
	known->names = names;
	names[known->count] = (struct known_name){
		.sum = { .name = name, .id = known->labels.entries[at].id, .source = source },
		.last_process = MEMOIR_NONE,
	};
	return &names[known->count++];
}

static int take_region(struct known_names *known, const struct memoir_region *region)
{
	struct known_name *name;

	if (!region->name || !was_given(region->name_source))
		return 0;
	name = find(known, region->name, region->name_source);
	if (!name)
		return -ENOMEM;
	name->sum.regions++;
	name->sum.processes += name->last_process != region->process;
	name->last_process = region->process;
	return 0;
}

static int take_snapshot(struct known_names *known, const struct cli *cli)
{
	size_t count = memoir_snapshot_region_count(cli->snapshot);
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		const struct memoir_region *region = memoir_snapshot_region(cli->snapshot, i);

		if (memoir_snapshot_process(cli->snapshot, region->process)->in_scope &&
		    memoir_selection_matches_region(cli->selection, cli->snapshot, region))
			err = take_region(known, region);
	}
	known->used = known->count;
	known->taken_ns = memoir_snapshot_taken_ns(cli->snapshot);
	return err;
}

/* Somebody else may have made it since, of a name that came since; the clock of links lags behind. */
#define CLOCK_LAG_NS 20000000u

static bool take_link(uint64_t id, const char *name, uint64_t made_ns, void *arg)
{
	struct known_names *known = arg;
	struct known_name *found;
	const char *own;

	if (memoir_name_id(name) != id) {
		known->wrong++;
		return true;
	}
	if (!known->texts)
		known->texts = strpool_new();
	own = known->texts ? strpool_add(known->texts, name, strlen(name)) : NULL;
	found = own ? find(known, own, MEMOIR_NAME_NONE) : NULL;
	if (!found) {
		known->err = -ENOMEM;
		return false;
	}
	found->linked = true;
	found->drop =
		found >= known->names + known->used && made_ns + CLOCK_LAG_NS < known->taken_ns;
	return found->drop;
}

static bool list_link(uint64_t id, const char *name, uint64_t made_ns, void *arg)
{
	take_link(id, name, made_ns, arg);
	return false;
}

static void free_known(struct known_names *known)
{
	strpool_free(known->texts);
	free(known->names);
	labels_free(&known->labels);
}

/* ---- links of names that are seen ----------------------------------------------------------- */

/* A program that makes up names all the time must not keep others' from getting links. */
static int make_room(const struct cli *cli, struct links *registry)
{
	struct known_names known = { 0 };
	size_t strange;
	int err = take_snapshot(&known, cli);

	if (!err)
		err = registry_each(registry, take_link, &known, &strange);
	free_known(&known);
	return err;
}

int name_links_note(const struct cli *cli, const struct memoir_name_sum *sums, size_t count,
		    struct link_notes *notes)
{
	struct links *registry;
	int err;

	if (cli->from || cli->root || !cli_runtime_dir() || !any_given(sums, count) ||
	    registry_open(cli_runtime_dir(), true, &registry) < 0)
		return 0;
	err = name_links_make(registry, sums, count, notes);
	/* Only all of the machine tells which names nobody uses. */
	if (err == -ENOSPC && memoir_selection_empty(cli->selection) &&
	    make_room(cli, registry) == 0) {
		link_notes_free(notes);
		err = name_links_make(registry, sums, count, notes);
	}
	links_close(registry);
	return err == -ENOMEM ? err : 0;
}

/* ---- printing ------------------------------------------------------------------------------- */

static int print(struct cli *cli, const struct known_names *known, bool dropped_only,
		 struct report *report)
{
	struct name_row *rows = calloc(known->count + 1, sizeof(*rows));
	const void **pointers = calloc(known->count + 1, sizeof(*pointers));
	size_t count = 0;
	int code = EXIT_FAILED;

	for (size_t i = 0; rows && pointers && i < known->count; i++) {
		const struct known_name *name = &known->names[i];

		if (dropped_only && !name->drop)
			continue;
		rows[count] = (struct name_row){
			.sum = &name->sum,
			.path = name->sum.name,
			.text = name->sum.name,
			.linked_known = true,
			.linked = name->linked && !name->drop,
			.source_known = true,
		};
		pointers[count] = &rows[count];
		count++;
	}
	if (!cli->shape.columns)
		cli->shape.columns = cli->shape.for_eyes ? COLUMNS : COLUMNS_FOR_PROGRAMS;
	if (!cli->shape.sort)
		cli->shape.sort = "processes";
	if (rows && pointers)
		code = cli_print_rows(cli, report, pointers, count, NULL);
	else
		cli_no_memory();
	free(rows);
	free((void *)pointers);
	return code;
}

/* 0: it is there; -ENOENT: it is not, which is no failure; or it was said what is wrong. */
static int open_registry(struct links **ret_registry)
{
	const char *base = cli_runtime_dir();
	int err = base ? registry_open(base, false, ret_registry) : -ENOENT;

	if (err && err != -ENOENT)
		complain("the registry %s/memoir/names can't be used: %s", base,
			 err == -EPERM ? "others may write to it, or it is somebody else's"
				       : strerror(-err));
	return err;
}

static int report_links(struct cli *cli, struct links *registry, bool gc)
{
	struct known_names known = { 0 };
	char summary[512] = "there is no registry: no link was made yet", strange_note[128] = "";
	struct report report = { .schema = SCHEMA, .summary = summary };
	size_t strange = 0, links = 0, dropped = 0;
	int err = take_snapshot(&known, cli), code;

	if (!err && registry)
		err = registry_each(registry, gc ? take_link : list_link, &known, &strange);
	if (!err)
		err = known.err;
	for (size_t i = 0; i < known.count; i++) {
		known.names[i].drop &= gc;
		links += known.names[i].linked;
		dropped += known.names[i].drop;
	}
	links += gc ? known.wrong : 0;
	dropped += gc ? known.wrong : 0;
	if (registry && gc)
		snprintf(summary, sizeof(summary), "%zu of %zu link%s in %s/memoir/names dropped",
			 dropped, links, links == 1 ? "" : "s", cli_runtime_dir());
	else if (registry)
		snprintf(summary, sizeof(summary), "%zu link%s in %s/memoir/names", links,
			 links == 1 ? "" : "s", cli_runtime_dir());
	strange += gc ? 0 : known.wrong;
	if (strange) {
		snprintf(strange_note, sizeof(strange_note),
			 "the registry has %zu entr%s that memoir did not make", strange,
			 strange == 1 ? "y" : "ies");
		report.note = strange_note;
	}
	if (err == -ENOMEM) {
		code = cli_no_memory();
	} else if (err) {
		complain("the registry can't be read: %s", strerror(-err));
		code = EXIT_FAILED;
	} else {
		code = print(cli, &known, gc, &report);
	}
	free_known(&known);
	return code;
}

static int run(struct cli *cli, bool gc)
{
	struct links *registry = NULL;
	int err = cli->from || cli->root ? -ENOENT : open_registry(&registry), code;

	if (err && err != -ENOENT)
		return EXIT_FAILED;
	cli->without_sets = true;
	code = cli_take_snapshot(cli);
	if (code == EXIT_DONE)
		code = report_links(cli, registry, gc);
	links_close(registry);
	return code;
}

int name_registry_print(struct cli *cli)
{
	return run(cli, false);
}

int name_registry_gc(struct cli *cli)
{
	return run(cli, true);
}
