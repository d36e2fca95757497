// SPDX-License-Identifier: MIT
/*
 * The command line of every command, by argp; runs nothing.
 */
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/users.h"

#define VIEWS_MAX 4

enum {
	OPTION_JSON = 0x100,
	OPTION_CSV,
	OPTION_BYTES,
	OPTION_FROM,
	OPTION_ENGINE,
	OPTION_ROOT,
	OPTION_BY,
	OPTION_BUFFERS,
	OPTION_VIEW = 0x200, /* and behind it: the views of the command */
};

static const struct argp_option row_options[] = {
	{ "columns", 'o', "COLS", 0, "Columns to print: A,B,... or +A,... for more of them", 1 },
	{ "sort", 's', "COLUMN", 0, "Sort by a column: sizes and counts downwards, else upwards",
	  1 },
	{ "reverse", 'r', NULL, 0, "The other way round", 1 },
	{ "head", 'n', "N", 0, "Print only the first N rows; totals are still those of all", 1 },
	{ "totals", 't', NULL, 0, "A last line with totals (JSON always has them)", 1 },
	{ "no-headings", 'H', NULL, 0, "No line of headings", 1 },
	{ "bytes", OPTION_BYTES, NULL, 0, "Sizes in bytes in tables too", 1 },
	{ "json", OPTION_JSON, NULL, 0, "Print JSON", 2 },
	{ "csv", OPTION_CSV, NULL, 0, "Print CSV (RFC 4180)", 2 },
	{ 0 },
};

static const struct argp_option snapshot_options[] = {
	{ "from", OPTION_FROM, "FILE", 0, "Look at a snapshot saved by memoir capture", 3 },
	{ "engine", OPTION_ENGINE, "NAME", OPTION_HIDDEN, "Read pages by this method", 3 },
	{ 0 },
};

static const struct argp_option save_options[] = {
	{ "output", 'o', "FILE", 0, "The file to write", 1 },
	{ "engine", OPTION_ENGINE, "NAME", OPTION_HIDDEN, "Read pages by this method", 3 },
	{ 0 },
};

static const struct argp_option compare_options[] = {
	{ "by", OPTION_BY, "WHAT", 0, "Only this: process, name or object", 1 },
	{ "engine", OPTION_ENGINE, "NAME", OPTION_HIDDEN, "Read pages by this method", 3 },
	{ 0 },
};

static const struct argp_option buffer_options[] = {
	{ "buffers", OPTION_BUFFERS, NULL, 0, "Also what they have in shared buffers", 1 },
	{ 0 },
};

static const struct argp_option root_options[] = {
	{ "root", OPTION_ROOT, "DIR", 0, "Read /proc and /sys below DIR", 3 },
	{ 0 },
};

static void parse_head(struct argp_state *state, struct cli *cli, const char *arg)
{
	char *end;

	errno = 0;
	unsigned long long head = strtoull(arg, &end, 10);

	if (*arg < '0' || *arg > '9' || *end || errno)
		argp_error(state, "-n takes a number of rows, not '%s'", arg);
	cli->shape.head = (size_t)head;
}

static error_t parse_row_option(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	switch (key) {
	case 'o':
		cli->shape.columns = arg;
		return 0;
	case 's':
		cli->shape.sort = arg;
		return 0;
	case 'r':
		cli->shape.reverse = true;
		return 0;
	case 'n':
		parse_head(state, cli, arg);
		return 0;
	case 't':
		cli->totals = true;
		return 0;
	case 'H':
		cli->no_heading = true;
		return 0;
	case OPTION_BYTES:
		cli->plain_bytes = true;
		return 0;
	case OPTION_JSON:
		cli->json = true;
		return 0;
	case OPTION_CSV:
		cli->csv = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void parse_engine(struct argp_state *state, struct cli *cli, const char *arg)
{
	char list[128] = "";
	size_t used = 0;
	const char *name;

	for (int i = 0; (name = memoir_engine_name((enum memoir_engine)i)); i++) {
		if (strcmp(name, arg) == 0) {
			cli->engine = (enum memoir_engine)i;
			return;
		}
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, " %s", name);
	}
	argp_error(state, "there is no engine '%s'; there are%s", arg, list);
}

static error_t parse_source_option(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	switch (key) {
	case 'o':
		cli->output = arg;
		return 0;
	case OPTION_FROM:
		cli->from = arg;
		return 0;
	case OPTION_BY:
		cli->by = arg;
		return 0;
	case OPTION_ENGINE:
		parse_engine(state, cli, arg);
		return 0;
	case OPTION_ROOT:
		cli->root = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What --buffers adds to the columns of a table. */
#define BUFFER_COLUMNS \
	"+buffers,buffer_references,buffer_share_bytes,buffer_extra_bytes,buffer_unique_bytes"

static error_t parse_buffer_option(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	(void)arg;
	if (key != OPTION_BUFFERS)
		return ARGP_ERR_UNKNOWN;
	cli->buffers = true;
	/* -o says it better, before or behind this. */
	if (!cli->shape.columns)
		cli->shape.columns = BUFFER_COLUMNS;
	return 0;
}

static error_t parse_view_option(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	(void)arg;
	if (key < OPTION_VIEW || key >= OPTION_VIEW + VIEWS_MAX)
		return ARGP_ERR_UNKNOWN;
	const struct command_view *view = &cli->command->views[key - OPTION_VIEW];

	if (cli->model != cli->command->model && cli->model != view->model)
		argp_error(state, "--%s shows something else than the option before it",
			   view->option);
	cli->model = view->model;
	return 0;
}

static const struct argp row_argp = { .options = row_options, .parser = parse_row_option };
static const struct argp snapshot_argp = { .options = snapshot_options,
					   .parser = parse_source_option };
static const struct argp save_argp = { .options = save_options, .parser = parse_source_option };
static const struct argp compare_argp = { .options = compare_options,
					  .parser = parse_source_option };
static const struct argp buffer_argp = { .options = buffer_options, .parser = parse_buffer_option };
static const struct argp root_argp = { .options = root_options, .parser = parse_source_option };

/* What no single option can know. */
static void check(struct argp_state *state, struct cli *cli)
{
	struct memoir_error error = { 0 };
	const struct command *command = cli->command;

	if (cli->json && cli->csv)
		argp_error(state, "--json and --csv exclude each other");
	if (cli->from && (cli->root || cli->engine))
		argp_error(state, "--from reads a file: --root and --engine make no sense with it");
	if ((command->flags & COMMAND_SAVES) && !cli->output)
		argp_error(state, "say where to save: memoir capture -o FILE");
	if ((command->flags & COMMAND_TARGETS) && cli->selector_count == 0)
		argp_error(state, "say what it is about: memoir %s %s", command->name,
			   command->args);
	if ((command->flags & COMMAND_NEEDS_ARG) && cli->selector_count == 0)
		argp_error(state, "say which process: memoir %s %s", command->name,
			   command->actions ? command->args : "PID");
	cli->shape.for_eyes = !cli->json && !cli->csv;
	if (command->model && shape_check(&cli->shape, cli->model, &error) < 0)
		argp_error(state, "%s", error.text);
	if ((command->flags & COMMAND_RUNS) && !cli->program)
		argp_error(state, "say what to run: memoir run -- CMD [ARG...]");
	if (command->flags & (COMMAND_TARGETS | COMMAND_RUNS | COMMAND_ARGUMENTS))
		return;
	if (memoir_selection_parse(cli->selectors, cli->selector_count, &cli->selection, &error) <
	    0)
		argp_error(state, "%s", error.text);
	memoir_selection_set_users(cli->selection, user_name, NULL);
}

static const char *find_action(struct argp_state *state, const struct command *command,
			       const char *arg)
{
	for (const char *const *action = command->actions; *action; action++)
		if (strcmp(*action, arg) == 0)
			return *action;
	argp_error(state, "'%s' is no action: memoir %s %s", arg, command->name, command->args);
	return NULL;
}

/* All that follows is the program's, also what looks like options. */
static void take_program(struct argp_state *state, struct cli *cli)
{
	cli->program = &state->argv[state->next - 1];
	state->next = state->argc;
}

static void take_argument(struct argp_state *state, struct cli *cli, const char *arg)
{
	if (cli->command->flags & COMMAND_RUNS) {
		take_program(state, cli);
		return;
	}
	if (!cli->command->args && cli->command == &overview_command)
		argp_error(state,
			   "'%s' is no option; options stand behind the command: memoir %s ...",
			   arg, arg);
	if (!cli->command->args)
		argp_error(state, "it takes no arguments, but there is '%s'", arg);
	if (cli->command->actions && !cli->action)
		cli->action = find_action(state, cli->command, arg);
	else
		cli->selectors[cli->selector_count++] = arg;
}

static error_t parse_command(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (size_t i = 0; i < cli->option_groups; i++)
			state->child_inputs[i] = cli;
		return 0;
	case ARGP_KEY_ARG:
		take_argument(state, cli, arg);
		return 0;
	case ARGP_KEY_END:
		check(state, cli);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

#define ITEM_NAME 20
#define ITEM_TEXT \
	55 /* so that argp, which breaks lines at 79 columns without a margin, has none to break */

static void list_item(FILE *to, const char *name, const char *text)
{
	fprintf(to, "  %-*s ", ITEM_NAME, name);
	while (strlen(text) > ITEM_TEXT) {
		size_t len = ITEM_TEXT;

		while (len && text[len] != ' ')
			len--;
		if (!len)
			break;
		fprintf(to, "%.*s\n%*s", (int)len, text, ITEM_NAME + 3, "");
		text += len + 1;
	}
	fprintf(to, "%s\n", text);
}

static void list_columns(FILE *to, const char *title, const struct table_model *model)
{
	fprintf(to, "%s:\n", title);
	for (size_t i = 0; i < model->column_count; i++)
		list_item(to, model->columns[i].name, model->columns[i].help);
}

/* "Commands:" or "Columns:" behind the options in --help. argp frees the text. */
static char *add_list(int key, const char *text, void *input)
{
	const struct cli *cli = input;
	char *list = NULL;
	size_t len;

	if (key != ARGP_KEY_HELP_POST_DOC || !cli)
		return (char *)text;
	FILE *to = open_memstream(&list, &len);

	if (!to)
		return (char *)text;
	if (text)
		fprintf(to, "%s\n\n", text);
	if (cli->command == &overview_command) {
		fputs("Commands:\n", to);
		for (const struct command *const *c = commands; *c; c++)
			list_item(to, (*c)->name, (*c)->summary);
		fputs("\nmemoir COMMAND --help tells more.\n\n", to);
	}
	if (cli->command->model)
		list_columns(to, "Columns", cli->command->model);
	for (const struct command_view *v = cli->command->views; v && v->option; v++) {
		char title[64];

		snprintf(title, sizeof(title), "\nColumns with --%s", v->option);
		list_columns(to, title, v->model);
	}
	fclose(to);
	return list;
}

static void list_views(const struct command *command, struct argp_option options[VIEWS_MAX + 1])
{
	const struct command_view *view = command->views;
	size_t i = 0;

	for (; i < VIEWS_MAX && view[i].option; i++)
		options[i] = (struct argp_option){
			.name = view[i].option,
			.key = OPTION_VIEW + (int)i,
			.doc = view[i].doc,
			.group = 1,
		};
	options[i] = (struct argp_option){ 0 };
}

void cli_parse(struct cli *cli, const struct command *command, int argc, char **argv)
{
	struct argp_option view_options[VIEWS_MAX + 1];
	const struct argp view_argp = { .options = view_options, .parser = parse_view_option };
	struct argp_child children[7] = { 0 };
	size_t child = 0;

	if (command->options)
		children[child++].argp = command->options;

	if (command->model)
		children[child++].argp = &row_argp;
	if (command->flags & COMMAND_SAVES)
		children[child++].argp = &save_argp;
	else if (command->flags & COMMAND_COMPARES)
		children[child++].argp = &compare_argp;
	else if (command->flags & COMMAND_SNAPSHOT)
		children[child++].argp = &snapshot_argp;
	if (command->flags & COMMAND_BUFFER_COLUMNS)
		children[child++].argp = &buffer_argp;
	if (command->views) {
		list_views(command, view_options);
		children[child++].argp = &view_argp;
	}
	if (!(command->flags & (COMMAND_RUNS | COMMAND_ARGUMENTS)))
		children[child++].argp = &root_argp;

	struct argp argp = {
		.parser = parse_command,
		.args_doc = command->args,
		.doc = command->doc,
		.children = children,
		.help_filter = add_list,
	};

	*cli = (struct cli){ .command = command, .model = command->model, .shape.head = SHEET_ALL };
	cli->selectors = calloc((size_t)argc + 1, sizeof(*cli->selectors));
	cli->own = calloc(1, command->own_bytes + 1);
	if (!cli->selectors || !cli->own)
		exit(cli_no_memory());
	cli->option_groups = child;
	argp_parse(&argp, argc, argv, command->flags & COMMAND_RUNS ? ARGP_IN_ORDER : 0, NULL, cli);
}
