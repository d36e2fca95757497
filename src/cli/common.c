// SPDX-License-Identifier: MIT
/*
 * What commands do before they print: complaints, the snapshot, progress. Prints no results.
 */
#include "cli/cli.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "present/escape.h"
#include "present/number.h"
#include "present/out.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define PROGRESS_AFTER_NS NS_PER_SECOND
#define PROGRESS_EVERY_NS (NS_PER_SECOND / 10)

bool cli_terminal_is_utf8(void)
{
	static bool is_set;

	/* Not at the start: its files are a twentieth of that, and JSON does without. */
	if (!is_set)
		setlocale(LC_CTYPE, "");
	is_set = true;
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void complain(const char *format, ...)
{
	struct buffer buffer = { 0 };
	char text[1024];
	va_list args;
	size_t width;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Sentences quote paths and names. */
	if (escape_terminal(&buffer, text, strlen(text), cli_terminal_is_utf8(), &width) == 0)
		fprintf(stderr, "memoir: %.*s\n", (int)buffer.len, buffer.data);
	buffer_free(&buffer);
}

const char *cli_size_text(const struct cli *cli, uint64_t bytes, char *buf)
{
	if (cli->plain_bytes)
		number_decimal(bytes, buf);
	else
		number_bytes(bytes, buf);
	return buf;
}

const char *cli_runtime_dir(void)
{
	const char *dir = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");

	return dir && dir[0] == '/' ? dir : NULL;
}

int cli_no_memory(void)
{
	complain("out of memory");
	return EXIT_FAILED;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

struct progress {
	uint64_t next_ns; /* when to say something */
	bool said;
};

static void show_progress(size_t done, size_t total, void *arg)
{
	struct progress *progress = arg;
	uint64_t now = now_ns();

	if (now < progress->next_ns)
		return;
	fprintf(stderr, "\rmemoir: %zu of %zu processes", done, total);
	progress->next_ns = now + PROGRESS_EVERY_NS;
	progress->said = true;
}

static bool wants(const struct memoir_process *process, void *arg)
{
	return memoir_selection_matches_process(arg, process);
}

/* As given, with blanks between them; NULL: no memory, or there are none. To be freed. */
static char *join_selectors(const struct cli *cli)
{
	size_t room = 1;
	char *joined, *to;

	for (size_t i = 0; i < cli->selector_count; i++)
		room += strlen(cli->selectors[i]) + 1;
	joined = to = cli->selector_count ? malloc(room) : NULL;
	for (size_t i = 0; joined && i < cli->selector_count; i++) {
		if (i > 0)
			*to++ = ' ';
		to = stpcpy(to, cli->selectors[i]);
	}
	return joined;
}

static int capture(struct cli *cli, struct memoir *memoir, struct memoir_error *error)
{
	struct progress progress = { .next_ns = now_ns() + PROGRESS_AFTER_NS };
	char *scope = join_selectors(cli);
	/* Nothing is selected by what its regions are. */
	bool whole = !memoir_selection_has_region_keys(cli->selection);
	struct memoir_capture_options options = {
		.sz = sizeof(options),
		.many_names = cli->many_names,
		.without_sets = cli->without_sets || cli->command->flags & COMMAND_WITHOUT_SETS,
		.without_holders = cli->command->flags & COMMAND_WITHOUT_HOLDERS,
		.without_kinds = cli->without_pages ||
				 (whole && cli->command->flags & COMMAND_WITHOUT_KINDS),
		.without_regions =
			whole && cli->command->flags & COMMAND_WITHOUT_REGIONS && !cli->buffers,
		.without_pages = cli->without_pages,
		.frames = cli->command->flags & COMMAND_FRAMES,
		.buffers = cli->buffers || cli->command->flags & COMMAND_BUFFERS,
	};

	if (!memoir_selection_empty(cli->selection) && !(cli->command->flags & COMMAND_WHOLE)) {
		options.wants = wants;
		options.wants_arg = cli->selection;
		options.scope = scope;
	}
	if (isatty(STDERR_FILENO)) {
		options.progress = show_progress;
		options.progress_arg = &progress;
	}
	int ret = memoir_capture(memoir, &options, &cli->snapshot, error);

	if (progress.said)
		fputs("\r\033[K", stderr);
	free(scope);
	return ret;
}

int cli_fail(const struct memoir_error *error, int err)
{
	complain("%s", error->text[0] ? error->text : strerror(-err));
	return EXIT_FAILED;
}

int cli_open(const struct cli *cli, struct memoir **ret_memoir)
{
	struct memoir_options options = {
		.sz = sizeof(options),
		.root = cli->root,
		.engine = cli->engine,
		.runtime_dir = cli_runtime_dir(),
	};
	struct memoir_error error = { 0 };
	int ret = memoir_open(&options, ret_memoir, &error);

	return ret < 0 ? cli_fail(&error, ret) : EXIT_DONE;
}

bool cli_wants_process(const struct cli *cli, const struct memoir_process *process)
{
	return process->in_scope && memoir_selection_matches_process(cli->selection, process);
}

bool cli_note_scope(const struct cli *cli, char note[SCOPE_NOTE_MAX])
{
	const char *scope = NULL;

	/* A comparison has two files to speak of, and does it itself. */
	if (cli->from && cli->snapshot && !(cli->command->flags & COMMAND_COMPARES) &&
	    !memoir_selection_single_pid(cli->selection))
		scope = memoir_snapshot_scope(cli->snapshot);
	if (scope)
		snprintf(note, SCOPE_NOTE_MAX,
			 "%s was captured of %s only: what other processes have is not in it",
			 cli->from, *scope ? scope : "some processes");
	return scope;
}

/* A pid that was asked for by number has to be there. */
int cli_check_pid(const struct cli *cli)
{
	pid_t pid = memoir_selection_single_pid(cli->selection);
	const struct memoir_process *process;

	if (!pid)
		return EXIT_DONE;
	process = memoir_snapshot_find_pid(cli->snapshot, pid);
	if (process && process->in_scope)
		return EXIT_DONE;
	if (cli->from && memoir_snapshot_scope(cli->snapshot))
		complain("the snapshot has no process %d: it was captured of %s only", (int)pid,
			 memoir_snapshot_scope(cli->snapshot)[0]
				 ? memoir_snapshot_scope(cli->snapshot)
				 : "some processes");
	else if (cli->from)
		complain("the snapshot has no process %d", (int)pid);
	else
		complain("there is no process %d with memory of its own (it has ended, or it is a "
			 "kernel thread or a thread of another process)",
			 (int)pid);
	return EXIT_FAILED;
}

int cli_capture(struct cli *cli, struct memoir *memoir)
{
	struct memoir_error error = { 0 };

	memoir_snapshot_free(cli->snapshot);
	cli->snapshot = NULL;
	int ret = capture(cli, memoir, &error);

	return ret < 0 ? cli_fail(&error, ret) : EXIT_DONE;
}

int cli_take_snapshot(struct cli *cli)
{
	struct memoir_error error = { 0 };
	struct memoir *memoir;

	if (cli->from) {
		int ret = memoir_snapshot_load(cli->from, &cli->snapshot, &error);

		return ret < 0 ? cli_fail(&error, ret) : cli_check_pid(cli);
	}
	int code = cli_open(cli, &memoir);

	if (code != EXIT_DONE)
		return code;
	code = cli_capture(cli, memoir);
	memoir_close(memoir);
	return code == EXIT_DONE ? cli_check_pid(cli) : code;
}
