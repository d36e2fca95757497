/* SPDX-License-Identifier: MIT */
/*
 * What every command shares: its description, its options, its snapshot and its report.
 */
#ifndef MEMOIR_CLI_CLI_H
#define MEMOIR_CLI_CLI_H

#include <memoir/analysis.h>

#include "present/json.h"
#include "present/sheet.h"

/* Exit codes. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PARTIAL = 3, /* done, but part of the data could not be read */
};

struct argp;
struct cli;

/* Another way to show what a command finds: an option, and what it prints. */
struct command_view {
	const char *option; /* NULL ends them */
	const char *doc;
	const struct table_model *model;
};

struct command {
	const char *name;
	const char *args;           /* "[SELECTOR...]", or NULL if it takes none */
	const char *const *actions; /* what its first argument may be, NULL ends them; or NULL */
	const char *summary;        /* for the list of commands */
	const char *doc;            /* for --help */
	const struct table_model *model;  /* NULL: it prints no rows */
	const struct command_view *views; /* besides that; or NULL */
	unsigned int flags;
	int (*run)(struct cli *cli); /* returns an exit code */
	const struct argp *options;  /* of its own, or NULL; its input is the struct cli */
	size_t own_bytes;            /* of what they are kept in: cli->own, all zero at first */
};

#define COMMAND_SNAPSHOT 0x1u /* looks at a snapshot: --from, --engine */
#define COMMAND_SAVES 0x2u    /* -o is a file to write, and --from makes no sense */
#define COMMAND_NEEDS_ARG 0x4u
#define COMMAND_FRAMES 0x8u         /* has every frame of memory counted */
#define COMMAND_WITHOUT_SETS 0x20u  /* who shares with whom does not matter to it */
#define COMMAND_TARGETS 0x10u       /* its arguments are no selectors */
#define COMMAND_COMPARES 0x40u      /* its arguments are files: --by, --engine */
#define COMMAND_RUNS 0x100u         /* its arguments are another program's command line */
#define COMMAND_WITHOUT_KINDS 0x80u /* it shows no regions: kinds matter where it selects by them */
#define COMMAND_WITHOUT_HOLDERS 0x200u /* who has what open does not matter to it */
#define COMMAND_WITHOUT_REGIONS \
	0x800u /* and so do names and anything else of single regions, but for buffers */
#define COMMAND_BUFFERS 0x1000u        /* all sorts of shared buffers matter to it */
#define COMMAND_WHOLE 0x2000u          /* it needs all processes, whichever are selected */
#define COMMAND_BUFFER_COLUMNS 0x4000u /* --buffers */
#define COMMAND_ARGUMENTS 0x10000u /* what its arguments are it finds out itself, of this machine */

/* A command being run. */
struct cli {
	const struct command *command;
	const struct table_model *model; /* of the command, or of the view asked for */
	struct shape shape;
	bool json;
	bool csv;
	bool plain_bytes;
	bool no_heading;
	bool totals;
	bool many_names;    /* they are what is to be printed */
	bool without_sets;  /* as COMMAND_WITHOUT_SETS: what is to be printed does not need them */
	bool without_pages; /* only who has what is to be printed: no kinds, no figures */
	bool buffers;       /* --buffers */
	size_t option_groups; /* for options.c */
	const char *from;
	const char *root;
	const char *output;
	const char *by;
	const char *action;
	enum memoir_engine engine;
	char **program;         /* a command line, NULL ends it */
	const char **selectors; /* as given */
	size_t selector_count;
	struct memoir_selection *selection;
	struct memoir_snapshot *snapshot; /* after cli_take_snapshot() */
	void *own;                        /* see struct command */
};

/* main.c: all commands; NULL ends them. */
extern const struct command *const commands[];

extern const struct command overview_command, ps_command, map_command, names_command, check_command,
	capture_command, diff_command, who_command, whatif_command, sharing_command, idle_command,
	refaults_command, run_command, buffers_command, trim_command, tag_command;

/* ---- options.c ------------------------------------------------------------------------------ */

/* Read the command line into cli; on a mistake says so and exits with EXIT_USAGE. */
void cli_parse(struct cli *cli, const struct command *command, int argc, char **argv);

/* ---- common.c ------------------------------------------------------------------------------- */

/* Say one sentence on stderr ("memoir: …"), safe for terminals. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Capture what the selection needs, or load --from, into cli->snapshot. Shows progress on a terminal
 * after a second. Says what is wrong, and that a pid asked for by number is not there.
 * EXIT_DONE or EXIT_FAILED.
 */
int cli_take_snapshot(struct cli *cli);

/* The same in steps, for commands that keep the context: open it; capture, once or again; check the pid. */
int cli_open(const struct cli *cli, struct memoir **ret_memoir);
int cli_capture(struct cli *cli, struct memoir *memoir);
int cli_check_pid(const struct cli *cli);

/*
 * What is to be said of figures from a file that has some processes only, unless one of them was asked for by
 * its number: then they are whole. False: nothing.
 */
#define SCOPE_NOTE_MAX 1024
bool cli_note_scope(const struct cli *cli, char note[SCOPE_NOTE_MAX]);

/* Whether a process was asked for and read: in the scope of the snapshot and of the selection. */
bool cli_wants_process(const struct cli *cli, const struct memoir_process *process);

/* Bytes as people asked for them: "1.50MiB", or with --bytes all digits. buf has room for NUMBER_MAX; returns it. */
const char *cli_size_text(const struct cli *cli, uint64_t bytes, char *buf);

/* Whether what LC_CTYPE stands for is UTF-8; the first call sets it. Only the main thread may ask. */
bool cli_terminal_is_utf8(void);

/* Say what is wrong, or what the negative errno stands for; EXIT_FAILED. */
int cli_fail(const struct memoir_error *error, int err);

/* Where this user keeps what other calls of memoir are to see: root below /run. NULL: there is no such directory. */
const char *cli_runtime_dir(void);

/* Say that memory ran out; EXIT_FAILED. */
int cli_no_memory(void);

/* ---- report.c ------------------------------------------------------------------------------- */

/* Rows beside the main ones: a field of their own in JSON, a table of their own for people. */
struct report_section {
	const char *name;
	const char *title;
	const struct sheet *sheet;
};

struct report {
	const char *schema;
	const struct sheet *sheet;
	const char *note;         /* one more note, or NULL */
	const char *const *notes; /* and more of them */
	size_t note_count;
	bool partial;                    /* part of it could not be read, as for a snapshot */
	const char *summary;             /* a line for people, above the table; NULL: none */
	const char *legend;              /* another below it; NULL or empty: none */
	const struct json_field *fields; /* at the top level of JSON */
	size_t field_count;
	const struct report_section *sections;
	size_t section_count;
};

/* Print a report as the options ask; notes go to stderr where it is no JSON. Returns an exit code. */
int cli_report(const struct cli *cli, const struct report *report);

/* Make a sheet of rows by the options of the command, print and free it. Returns an exit code. */
int cli_print_rows(const struct cli *cli, struct report *report, const void **rows,
		   size_t row_count, const void *ctx);

#endif
