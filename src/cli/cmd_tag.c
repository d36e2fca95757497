// SPDX-License-Identifier: MIT
/*
 * memoir tag: what shared buffers are to be called. Where tags are kept is the library's business.
 */
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <memoir/buffers.h>
#include <memoir/tag.h>

#include "cli/tag_rows.h"
#include "cli/users.h"

#define SCHEMA "memoir.tag/1"

struct tag_options {
	bool clear, all, list, gc;
};

enum {
	OPTION_CLEAR = 0x300,
	OPTION_ALL,
	OPTION_LIST,
	OPTION_GC,
};

static const struct argp_option options[] = {
	{ "clear", OPTION_CLEAR, NULL, 0, "Take the tag away that memoir gave", 0 },
	{ "all", OPTION_ALL, NULL, 0, "Several buffers, if OBJECT means several", 0 },
	{ "list", OPTION_LIST, NULL, 0, "The tags that are kept in directories", 0 },
	{ "gc", OPTION_GC, NULL, 0, "Drop those of your own whose buffer is gone", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct cli *cli = state->input;
	struct tag_options *own = cli ? cli->own : NULL;

	(void)arg;
	if (!own)
		return ARGP_ERR_UNKNOWN;
	own->clear |= key == OPTION_CLEAR;
	own->all |= key == OPTION_ALL;
	own->list |= key == OPTION_LIST;
	own->gc |= key == OPTION_GC;
	return key >= OPTION_CLEAR && key <= OPTION_GC ? 0 : ARGP_ERR_UNKNOWN;
}

static const struct argp own_argp = { .options = options, .parser = parse };

/* ---- which buffers -------------------------------------------------------------------------- */

/* Whether a word begins as an id does: by a kind, which no key of a selector is. */
static bool is_id(const char *word)
{
	size_t len = strcspn(word, ":");
	const char *kind;

	for (int i = 0; word[len] && (kind = memoir_kind_name((enum memoir_kind)i)); i++)
		if (strlen(kind) == len && strncmp(kind, word, len) == 0)
			return true;
	return false;
}

/* The first `count` arguments into cli->selection, ids as object:ID. */
static int select_buffers(struct cli *cli, size_t count)
{
	struct memoir_error error = { 0 };
	const char **words = calloc(count + 1, sizeof(*words));
	char **made = calloc(count + 1, sizeof(*made));
	int err = words && made ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !err; i++) {
		words[i] = cli->selectors[i];
		if (!is_id(words[i]))
			continue;
		if (asprintf(&made[i], "object:%s", words[i]) < 0) {
			made[i] = NULL;
			err = -ENOMEM;
		}
		words[i] = made[i];
	}
	if (!err)
		err = memoir_selection_parse(words, count, &cli->selection, &error);
	if (!err)
		memoir_selection_set_users(cli->selection, user_name, NULL);
	for (size_t i = 0; made && i < count; i++)
		free(made[i]);
	free(made);
	free(words);
	if (err == -ENOMEM)
		return cli_no_memory();
	if (err)
		complain("%s", error.text);
	return err ? EXIT_USAGE : EXIT_DONE;
}

/* What is hidden has no object. */
static size_t count_objects(const struct memoir_buffers *buffers)
{
	size_t count = 0;

	for (size_t i = 0; i < buffers->count; i++)
		count += buffers->rows[i].object != NULL;
	return count;
}

static int check_count(const struct cli *cli, const struct memoir_buffers *buffers, size_t count)
{
	const struct tag_options *own = cli->own;
	char id[MEMOIR_OBJECT_ID_MAX];

	if (count == 0) {
		complain("no shared buffer is meant by %s%s: memoir buffers -o +object lists them",
			 cli->selectors[0],
			 cli->selector_count > (own->clear ? 1 : 2) ? " and the rest" : "");
		return EXIT_FAILED;
	}
	if (count == 1 || own->all)
		return EXIT_DONE;
	for (size_t i = 0; i < buffers->count; i++)
		if (buffers->rows[i].object) {
			memoir_object_id(buffers->rows[i].object, id);
			break;
		}
	complain("%zu buffers are meant, among them %s: give the id of one (memoir buffers -o "
		 "+object), or tag them all by --all",
		 count, id);
	return EXIT_FAILED;
}

/* ---- giving --------------------------------------------------------------------------------- */

struct giving {
	struct memoir *memoir;
	const char *tag; /* NULL: take it away */
	struct tag_row *rows;
	size_t count, failed, unchanged;
	int code; /* of the last that failed */
};

static void give(struct cli *cli, struct giving *g, const struct memoir_object *object)
{
	struct tag_row *row = &g->rows[g->count];
	struct memoir_error error = { 0 };
	int ret = memoir_tag(g->memoir, cli->snapshot, object, g->tag, &row->kept_in, &error);

	if (ret < 0) {
		g->failed++;
		g->code = cli_fail(&error, ret);
		if (ret == -EINVAL)
			g->code = EXIT_USAGE;
		return;
	}
	g->unchanged += ret == 1;
	row->object = object;
	row->former = object->tag;
	row->tag = g->tag;
	memoir_object_id(object, row->id);
	g->count++;
}

static int print_given(struct cli *cli, const struct giving *g)
{
	struct memoir_snapshot *snapshot = cli->snapshot;
	const void **pointers = calloc(g->count + 1, sizeof(*pointers));
	char summary[128];
	struct report report = { .schema = SCHEMA, .summary = summary, .partial = g->failed };
	int code;

	if (!pointers)
		return cli_no_memory();
	for (size_t i = 0; i < g->count; i++)
		pointers[i] = &g->rows[i];
	snprintf(summary, sizeof(summary), g->tag ? "%zu tag%s given" : "%zu tag%s taken away",
		 g->count - g->unchanged, g->count - g->unchanged == 1 ? "" : "s");
	if (g->unchanged)
		report.note = g->tag ? "some of them were called so already"
				     : "some of them had no tag that memoir gave";
	/* What could not be read of others makes no difference to what was done. */
	cli->snapshot = NULL;
	code = cli_print_rows(cli, &report, pointers, g->count, NULL);
	cli->snapshot = snapshot;
	free(pointers);
	return code;
}

static int give_all(struct cli *cli, struct giving *g)
{
	struct memoir_buffers buffers;
	int code;

	if (memoir_buffers(cli->snapshot, cli->selection, &buffers) < 0)
		return cli_no_memory();
	size_t count = count_objects(&buffers);

	code = check_count(cli, &buffers, count);
	if (code == EXIT_DONE)
		g->rows = calloc(count + 1, sizeof(*g->rows));
	if (code == EXIT_DONE && !g->rows)
		code = cli_no_memory();
	for (size_t i = 0; i < buffers.count && g->rows; i++)
		if (buffers.rows[i].object)
			give(cli, g, buffers.rows[i].object);
	if (code == EXIT_DONE)
		code = g->count ? print_given(cli, g) : g->code;
	free(g->rows);
	memoir_buffers_free(&buffers);
	return code;
}

static int run_give(struct cli *cli, struct memoir *memoir)
{
	const struct tag_options *own = cli->own;
	size_t words = cli->selector_count - (own->clear ? 0 : 1);
	struct giving g = { .memoir = memoir, .tag = own->clear ? NULL : cli->selectors[words] };
	int code = cli_check_pid(cli);

	return code == EXIT_DONE ? give_all(cli, &g) : code;
}

/* ---- listing and dropping ------------------------------------------------------------------- */

static size_t make_rows(const struct memoir_given_tags *tags, bool dropped_only,
			struct tag_row *rows, const void **pointers)
{
	size_t count = 0;

	for (size_t i = 0; i < tags->count; i++) {
		const struct memoir_given_tag *tag = &tags->rows[i];

		if (dropped_only && !tag->dropped)
			continue;
		rows[count] = (struct tag_row){
			.object = tag->object,
			.tag = tag->tag,
			.kept_in = tag->directory,
			.unsure = tag->unsure && !tag->object,
		};
		snprintf(rows[count].id, sizeof(rows[count].id), "%s", tag->id);
		pointers[count] = &rows[count];
		count++;
	}
	return count;
}

static int print_listed(struct cli *cli, const struct memoir_given_tags *tags, bool gc)
{
	struct tag_row *rows = calloc(tags->count + 1, sizeof(*rows));
	const void **pointers = calloc(tags->count + 1, sizeof(*pointers));
	char summary[128], strange[128];
	struct report report = { .schema = SCHEMA, .summary = summary };
	int code = EXIT_FAILED;

	if (rows && pointers) {
		size_t count = make_rows(tags, gc, rows, pointers);

		snprintf(summary, sizeof(summary), gc ? "%zu tag%s dropped" : "%zu tag%s", count,
			 count == 1 ? "" : "s");
		snprintf(strange, sizeof(strange),
			 "the directory of tags has %zu entr%s that memoir did not make",
			 tags->strange, tags->strange == 1 ? "y" : "ies");
		report.note = tags->strange ? strange : NULL;
		if (!cli->shape.columns && cli->shape.for_eyes)
			cli->shape.columns = TAG_COLUMNS_LISTED;
		code = cli_print_rows(cli, &report, pointers, count, NULL);
	} else {
		cli_no_memory();
	}
	free(rows);
	free(pointers);
	return code;
}

static int run_list(struct cli *cli, struct memoir *memoir)
{
	const struct tag_options *own = cli->own;
	struct memoir_given_tags tags;
	struct memoir_error error = { 0 };
	int code;

	/* What a user can't see now, he sees no tag of either. */
	if (own->gc && geteuid() == 0 && !memoir_snapshot_holders_known(cli->snapshot)) {
		complain("nothing is dropped: who has what open could not be looked at, so that it "
			 "is not known which buffers are gone");
		return EXIT_FAILED;
	}
	int err = memoir_given_tags(memoir, cli->snapshot, own->gc, &tags, &error);

	if (err < 0)
		return cli_fail(&error, err);
	code = print_listed(cli, &tags, own->gc);
	memoir_given_tags_free(&tags);
	return code;
}

/* ---- the command ---------------------------------------------------------------------------- */

static bool can_do(const struct cli *cli)
{
	const struct tag_options *own = cli->own;
	size_t needed = own->list || own->gc ? 0 : own->clear ? 1 : 2;

	if (own->list + own->gc + own->clear > 1) {
		complain("--clear, --list and --gc exclude each other");
		return false;
	}
	if (!needed && (cli->selector_count || own->all)) {
		complain("--list and --gc are of all tags: they take no OBJECT");
		return false;
	}
	if (cli->selector_count < needed) {
		complain(
			"say which buffer, and what it is to be called: memoir tag OBJECT NAME, or "
			"memoir tag OBJECT --clear (memoir buffers -o +object lists buffers)");
		return false;
	}
	return true;
}

static int run(struct cli *cli)
{
	const struct tag_options *own = cli->own;
	bool lists = own->list || own->gc;
	struct memoir *memoir;
	int code;

	if (!can_do(cli))
		return EXIT_USAGE;
	code = select_buffers(cli, cli->selector_count - (own->clear || lists ? 0 : 1));
	if (code != EXIT_DONE)
		return code;
	code = cli_open(cli, &memoir);
	if (code != EXIT_DONE)
		return code;
	code = cli_capture(cli, memoir);
	if (code == EXIT_DONE)
		code = lists ? run_list(cli, memoir) : run_give(cli, memoir);
	memoir_close(memoir);
	return code;
}

const struct command tag_command = {
	.name = "tag",
	.args = "OBJECT... NAME\nOBJECT... --clear\n--list|--gc",
	.summary = "give a shared buffer a tag, which memoir then shows",
	.doc = "Give a shared buffer a tag: what memoir buffers and the other commands call it "
	       "from then "
	       "on, until it is gone. A dma-buf's is kept by the kernel, and everybody sees it; "
	       "all "
	       "others are kept below /run if root gives them, for everybody, and in your own "
	       "runtime "
	       "directory if you do, for yourself."
	       "\vOBJECT is the id of a buffer (memfd:00:01:131: memoir buffers -o +object), or "
	       "selectors as memoir buffers takes them, which have to mean one buffer only, but "
	       "with "
	       "--all.",
	.model = &given_tag_model,
	.flags = COMMAND_ARGUMENTS | COMMAND_WITHOUT_SETS | COMMAND_WITHOUT_KINDS |
		 COMMAND_BUFFERS | COMMAND_WHOLE,
	.options = &own_argp,
	.own_bytes = sizeof(struct tag_options),
	.run = run,
};
