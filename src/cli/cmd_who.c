// SPDX-License-Identifier: MIT
/*
 * memoir who: who maps a page, a file, a name or an object.
 */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/who_names.h"
#include "cli/who_rows.h"

/* ---- asking --------------------------------------------------------------------------------- */

static int fail(int ret, const struct memoir_error *error)
{
	complain("%s", error->text[0] ? error->text : strerror(-ret));
	return EXIT_FAILED;
}

/* One page of the machine as it is: nothing is captured. */
static int ask_machine(const struct cli *cli, const struct memoir_target *target,
		       struct memoir_who **ret_who)
{
	struct memoir_options options = {
		.sz = sizeof(options),
		.root = cli->root,
		.engine = cli->engine,
	};
	struct memoir_error error = { 0 };
	struct memoir *memoir;
	int ret = memoir_open(&options, &memoir, &error);

	if (ret < 0)
		return fail(ret, &error);
	ret = memoir_who(memoir, target, ret_who, &error);
	memoir_close(memoir);
	return ret < 0 ? fail(ret, &error) : EXIT_DONE;
}

static int ask_snapshot(const struct cli *cli, const struct memoir_target *target,
			struct memoir_who **ret_who)
{
	struct memoir_error error = { 0 };
	int ret = memoir_snapshot_who(cli->snapshot, target, ret_who, &error);

	return ret < 0 ? fail(ret, &error) : EXIT_DONE;
}

/* A path that no region has as it stands may be relative, or lead over links. */
static int ask_path(const struct cli *cli, const struct memoir_target *target,
		    struct memoir_who **ret_who)
{
	struct memoir_target resolved = *target;
	char path[PATH_MAX];
	int code = ask_snapshot(cli, target, ret_who);

	if (code != EXIT_DONE || (*ret_who)->row_count || !realpath(target->text, path) ||
	    strcmp(path, target->text) == 0)
		return code;
	resolved.text = path;
	memoir_who_free(*ret_who);
	*ret_who = NULL;
	return ask_snapshot(cli, &resolved, ret_who);
}

static int ask(struct cli *cli, const struct memoir_target *target, struct memoir_who **ret_who)
{
	int code;

	if (memoir_target_is_page(target) && !cli->from)
		return ask_machine(cli, target, ret_who);
	if (target->kind == MEMOIR_TARGET_FRAME) {
		complain(
			"a snapshot has no frames: pfn: asks the machine as it is, without --from");
		return EXIT_USAGE;
	}
	if (target->kind == MEMOIR_TARGET_OBJECT && !cli->from &&
	    strncmp(target->text, "family:", strlen("family:")) == 0) {
		complain("families are numbered anew each time: save a snapshot by memoir capture, "
			 "and ask it by --from");
		return EXIT_USAGE;
	}
	code = cli_take_snapshot(cli);
	if (code != EXIT_DONE)
		return code;
	return target->kind == MEMOIR_TARGET_PATH ? ask_path(cli, target, ret_who)
						  : ask_snapshot(cli, target, ret_who);
}

/* ---- printing ------------------------------------------------------------------------------- */

static int print_rows(const struct cli *cli, const struct memoir_who *who, struct report *report)
{
	struct who_names names = { 0 };
	const void **rows = sheet_rows(who->rows, who->row_count, sizeof(*who->rows));

	if (!rows)
		return cli_no_memory();
	if (!cli->snapshot)
		who_names_find(cli, who, &names);
	if (names.too_many && !report->note)
		report->note = "names of name tables were not looked for in so many processes: "
			       "memoir map PID shows them";
	int code = cli_print_rows(cli, report, rows, who->row_count, &names);

	who_names_free(&names);
	free(rows);
	return code;
}

/* The sets stand below the rows, where there are any. */
static int print_with_sets(const struct cli *cli, const struct memoir_who *who,
			   const struct report *rest)
{
	struct shape all = { .head = SHEET_ALL, .for_eyes = !cli->json && !cli->csv };
	const void **rows = sheet_rows(who->sets, who->set_count, sizeof(*who->sets));
	struct memoir_error error = { 0 };
	struct sheet sheet;
	struct report_section section = { "sets", "Sharing sets of its region", &sheet };
	struct report report = *rest;
	int code;

	if (!rows ||
	    sheet_make(&who_set_model, &all, rows, who->set_count, NULL, &sheet, &error) < 0) {
		free(rows);
		return cli_no_memory();
	}
	report.sections = &section;
	report.section_count = 1;
	code = print_rows(cli, who, &report);
	sheet_free(&sheet);
	free(rows);
	return code;
}

static int print(struct cli *cli, const struct memoir_target *target, const struct memoir_who *who)
{
	struct json_field fields[WHO_FIELDS];
	char sentence[WHO_SENTENCE_MAX], nobody[PATH_MAX + 64];
	struct report report = {
		.schema = "memoir.who/1",
		.notes = who->notes,
		.note_count = who->note_count,
		.partial = who->partial,
		.fields = fields,
		.field_count = WHO_FIELDS,
	};

	who_fields(who, fields);
	who_sentence(&who->page, sentence);
	if (sentence[0])
		report.summary = sentence;
	if (who->row_count == 0) {
		snprintf(nobody, sizeof(nobody), "no process maps %s", cli->selectors[0]);
		report.note = nobody;
	}
	if (!memoir_target_is_page(target) && !cli->shape.columns && cli->shape.for_eyes)
		cli->shape.columns = WHO_REGION_COLUMNS;
	return who->set_count ? print_with_sets(cli, who, &report) : print_rows(cli, who, &report);
}

static int run(struct cli *cli)
{
	struct memoir_target target;
	struct memoir_error error = { 0 };
	struct memoir_who *who = NULL;

	if (cli->selector_count > 1) {
		complain("who answers about one thing at a time, and there are %zu: %s and %s",
			 cli->selector_count, cli->selectors[0], cli->selectors[1]);
		return EXIT_USAGE;
	}
	if (memoir_target_parse(cli->selectors[0], &target, &error) < 0) {
		complain("%s", error.text);
		return EXIT_USAGE;
	}
	int code = ask(cli, &target, &who);

	if (code == EXIT_DONE)
		code = print(cli, &target, who);
	memoir_who_free(who);
	return code;
}

const struct command who_command = {
	.name = "who",
	.args = "PID:ADDR|pfn:N|PATH|name:GLOB|object:ID",
	.summary = "who maps a page, a file, a name or an object",
	.doc = "Print every region that maps a page, a file, a name or an object, by process, and "
	       "how "
	       "it comes to map it."
	       "\vPID:ADDR is the page of a process at an address in hexadecimal, and pfn:N the "
	       "page in "
	       "a frame of RAM: these are answered without looking at the whole machine. PATH is a "
	       "path with a slash in it, ID the id of an object as memoir map has it.",
	.model = &who_model,
	.flags = COMMAND_SNAPSHOT | COMMAND_TARGETS | COMMAND_WITHOUT_SETS,
	.run = run,
};
