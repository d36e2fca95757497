// SPDX-License-Identifier: MIT
/*
 * The program memoir: finds the command and runs it; knows nothing of what commands do.
 */
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *argp_program_version =
	"memoir " TEXT(MEMOIR_VERSION_MAJOR) "." TEXT(MEMOIR_VERSION_MINOR);

const struct command *const commands[] = {
	&overview_command,
	&ps_command,
	&map_command,
	&names_command,
	&who_command,
	&sharing_command,
	&whatif_command,
	&check_command,
	&capture_command,
	&diff_command,
	&idle_command,
	&refaults_command,
	&run_command,
	&buffers_command,
	&trim_command,
	&tag_command,
	NULL,
};

static const struct command *find_command(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

#define WORD_MAX 32

/* How many letters have to be put in, left out, changed, or swapped with the next, to make one of the other. */
static size_t distance(const char *a, const char *b)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1] = { 0 };
	size_t m = strlen(a), n = strlen(b);

	if (m > WORD_MAX || n > WORD_MAX)
		return SIZE_MAX;
	for (size_t i = 0; i <= m; i++)
		for (size_t j = 0; j <= n; j++) {
			size_t least = i && j ? d[i - 1][j - 1] + (a[i - 1] != b[j - 1]) : i + j;

			if (i && d[i - 1][j] + 1 < least)
				least = d[i - 1][j] + 1;
			if (j && d[i][j - 1] + 1 < least)
				least = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < least)
				least = d[i - 2][j - 2] + 1;
			d[i][j] = least;
		}
	return d[m][n];
}

static int unknown_command(const char *name)
{
	const struct command *nearest = &overview_command;
	size_t least = SIZE_MAX;

	for (const struct command *const *c = commands; *c; c++) {
		bool begins = *name && strncmp((*c)->name, name, strlen(name)) == 0;
		size_t d = begins ? 0 : distance(name, (*c)->name);

		if (d < least) {
			least = d;
			nearest = *c;
		}
	}
	complain("there is no command '%s'; the nearest is '%s', and memoir --help lists them all",
		 name, nearest->name);
	return EXIT_USAGE;
}

static int parse_and_run(const struct command *command, int argc, char **argv)
{
	struct cli cli;

	/* Seen as EPIPE; another program gets it as it was. */
	if (!(command->flags & COMMAND_RUNS))
		signal(SIGPIPE, SIG_IGN);
	cli_parse(&cli, command, argc, argv);
	int code = command->run(&cli);

	memoir_snapshot_free(cli.snapshot);
	memoir_selection_free(cli.selection);
	free(cli.selectors);
	free(cli.own);
	return code;
}

/* `argv` begins with the command's word. */
static int run_named(char **argv, int argc)
{
	const struct command *command = find_command(argv[0]);
	char title[64];

	if (!command)
		return unknown_command(argv[0]);
	snprintf(title, sizeof(title), "memoir %s", command->name);
	argv[0] = title;
	return parse_and_run(command, argc, argv);
}

static int run_help(char **argv, int argc)
{
	char title[] = "memoir", option[] = "--help";
	char *help[] = { argc > 1 ? argv[1] : title, option, NULL };

	return argc > 1 ? run_named(help, 2) : parse_and_run(&overview_command, 2, help);
}

/* What argp prints may meet a full disk too. */
static void check_stdout(void)
{
	if (fflush(stdout) == 0)
		return;
	if (errno != EPIPE)
		complain("the output could not be written: %s", strerror(errno));
	_exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	char title[] = "memoir";

	argp_err_exit_status = EXIT_USAGE;
	atexit(check_stdout);
	if (argc > 1 && strcmp(argv[1], "help") == 0)
		return run_help(argv + 1, argc - 1);
	if (argc > 1 && argv[1][0] != '-')
		return run_named(argv + 1, argc - 1);
	if (argc > 0)
		argv[0] = title;
	return parse_and_run(&overview_command, argc, argv);
}
