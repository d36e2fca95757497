// SPDX-License-Identifier: MIT
/*
 * Prints what names/watched.c sees, a line for each name, and a summary at the end.
 */
#include "cli/watch_names.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/lines.h"
#include "cli/wait.h"
#include "kernel/own_process.h"
#include "kernel/process.h"
#include "names/watched.h"
#include "present/number.h"

#define SCHEMA "memoir.names-watch/1"
#define NS_PER_SECOND UINT64_C(1000000000)
#define EVENTS_AT_ONCE 4096
#define LOOK_EVERY_MS 500 /* whether it was interrupted just before it began to wait */

struct watching {
	const struct cli *cli;
	struct kroot *root;
	struct {
		uint64_t start_ticks;
		uint32_t tgid;
		char comm[WATCH_COMM_BYTES];
		bool meant;
	} last; /* whose name was printed, or not: mostly the same again */
	struct out out;
};

static const char *const states[] = {
	[WATCHED_KEPT] = "kept",
	[WATCHED_CLEARED] = "cleared",
	[WATCHED_BY_KERNEL] = "by-kernel",
	[WATCHED_INVALID] = "invalid",
	[WATCHED_FAILED] = "failed",
	[WATCHED_TOO_MANY] = "too-many",
	[WATCHED_UNREADABLE] = "unreadable",
};

/* CLOCK_MONOTONIC to the time of day. */
static uint64_t time_of_day(uint64_t monotonic_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec - wait_now_ns() +
	       monotonic_ns;
}

static size_t comm_length(const struct watched_name *seen)
{
	return strnlen(seen->record->comm, sizeof(seen->record->comm));
}

/* ---- selection ------------------------------------------------------------------------------ */

static bool matches(const struct watching *w, const struct watched_name *seen)
{
	char comm[WATCH_COMM_BYTES + 1] = "", cgroup[1024];
	struct memoir_process process = {
		.pid = (pid_t)seen->record->tgid,
		.start_ticks = seen->start_ticks,
		.comm = comm,
		.uid = (uid_t)-1,
	};
	struct process_status status;

	memcpy(comm, seen->record->comm, comm_length(seen));
	if (process_status(w->root, process.pid, process.pid, &status) == 0)
		process.uid = status.uid;
	if (process_cgroup(w->root, process.pid, cgroup, sizeof(cgroup)) == 0)
		process.cgroup = cgroup;
	return memoir_selection_matches_process(w->cli->selection, &process);
}

static bool is_meant(struct watching *w, const struct watched_name *seen)
{
	const struct watch_record *record = seen->record;

	if (memoir_selection_empty(w->cli->selection))
		return true;
	if (w->last.tgid != record->tgid || w->last.start_ticks != seen->start_ticks ||
	    memcmp(w->last.comm, record->comm, sizeof(w->last.comm)) != 0) {
		w->last.tgid = record->tgid;
		w->last.start_ticks = seen->start_ticks;
		memcpy(w->last.comm, record->comm, sizeof(w->last.comm));
		w->last.meant = matches(w, seen);
	}
	return w->last.meant;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* "EINVAL"; NULL where it was no error. */
static const char *error_name(int answer)
{
	return answer < 0 ? strerrorname_np(-answer) : NULL;
}

static void write_json_line(struct watching *w, const struct watched_name *seen, const char *when)
{
	const struct watch_record *record = seen->record;
	struct json_field fields[11];
	size_t i = 0;

	line_text(&fields[i++], "time", when);
	line_number(&fields[i++], "pid", record->tgid);
	line_number(&fields[i++], "tid", record->tid);
	line_number(&fields[i++], "start_ticks", seen->start_ticks);
	fields[i] = (struct json_field){ "comm", { .type = CELL_TEXT, .text = record->comm } };
	fields[i++].cell.len = comm_length(seen);
	fields[i].name = "start";
	cell_number(&fields[i++].cell, CELL_ADDRESS, record->start);
	fields[i].name = "end";
	cell_number(&fields[i++].cell, CELL_ADDRESS, seen->end);
	line_text(&fields[i++], "name", seen->name);
	line_number(&fields[i++], "answer", (uint64_t)(record->answer < 0 ? -record->answer : 0));
	line_text(&fields[i++], "error", error_name(record->answer));
	line_text(&fields[i++], "state", states[seen->what]);
	json_write_line(&w->out, fields, i);
}

static void write_text_line(struct watching *w, const struct watched_name *seen, uint64_t time_ns)
{
	const struct watch_record *record = seen->record;
	char line[192], size[NUMBER_MAX];
	const char *error = error_name(record->answer);
	uint64_t bytes = seen->end > record->start ? seen->end - record->start : 0;

	if (w->cli->plain_bytes)
		number_decimal(bytes, size);
	else
		number_bytes(bytes, size);
	line_time(&w->out, time_ns);
	snprintf(line, sizeof(line), "  %7" PRIu32 "  ", record->tgid);
	out_text(&w->out, line);
	line_escaped(&w->out, record->comm, comm_length(seen), WATCH_COMM_BYTES - 1);
	snprintf(line, sizeof(line), "  %012" PRIx64 "-%012" PRIx64 "  %8s  %-6s  %-10s  ",
		 record->start, seen->end, size, error ? error : "ok", states[seen->what]);
	out_text(&w->out, line);
	line_escaped(&w->out, seen->name ? seen->name : "-", strlen(seen->name ? seen->name : "-"),
		     0);
	out_char(&w->out, '\n');
}

static void on_name(const struct watched_name *seen, void *arg)
{
	struct watching *w = arg;
	uint64_t time_ns = time_of_day(seen->record->time_ns);
	char when[NUMBER_MAX];

	if (!is_meant(w, seen))
		return;
	number_time(time_ns, when);
	if (w->cli->json)
		write_json_line(w, seen, when);
	else
		write_text_line(w, seen, time_ns);
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void write_beginning(struct watching *w, const struct watched *watched)
{
	struct json_field fields[3];
	char now[NUMBER_MAX];

	if (w->cli->json) {
		number_time(time_of_day(wait_now_ns()), now);
		line_text(&fields[0], "schema", SCHEMA);
		line_text(&fields[1], "began", now);
		line_bool(&fields[2], "light", watched_is_light(watched));
		json_write_line(&w->out, fields, 3);
	} else if (!w->cli->no_heading) {
		char line[192];

		snprintf(line, sizeof(line), "%-12s  %7s  %-15s  %-25s  %8s  %-6s  %-10s  %s\n",
			 "TIME (UTC)", "PID", "COMM", "RANGE", "SIZE", "ANSWER", "STATE", "NAME");
		out_text(&w->out, line);
	}
	out_flush(&w->out);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "memoir: watching for names that programs give their memory; "
				"Ctrl-C ends it\n");
	if (geteuid() != 0)
		complain("only root's account of other users' programs is believed: other commands "
			 "show the names of your own");
}

static bool lost_any(const struct watched_counts *counts, const struct watch_lost *lost)
{
	return lost->names || lost->changes || lost->processes || counts->too_many;
}

static void write_json_end(struct watching *w, const struct watched_counts *counts,
			   const struct watch_lost *lost)
{
	struct json_field fields[11];
	size_t i = 0;

	line_text(&fields[i++], "schema", SCHEMA);
	line_bool(&fields[i++], "partial", lost_any(counts, lost));
	line_number(&fields[i++], "names", counts->names);
	line_number(&fields[i++], "kept", counts->kept);
	line_number(&fields[i++], "programs", counts->programs);
	line_number(&fields[i++], "by_kernel", counts->by_kernel);
	line_number(&fields[i++], "unreadable", counts->unreadable);
	line_number(&fields[i++], "too_many", counts->too_many);
	line_number(&fields[i++], "lost_names", lost->names);
	line_number(&fields[i++], "lost_changes", lost->changes);
	line_number(&fields[i++], "lost_programs", lost->processes);
	json_write_line(&w->out, fields, i);
}

static void say_end(const struct watched_counts *counts, const struct watch_lost *lost)
{
	complain("%" PRIu64 " name%s seen, %" PRIu64 " kept of %" PRIu64 " program%s, %" PRIu64
		 " taken by the kernel",
		 counts->names, counts->names == 1 ? "" : "s", counts->kept, counts->programs,
		 counts->programs == 1 ? "" : "s", counts->by_kernel);
	if (counts->unreadable)
		complain("%" PRIu64 " could not be read before the program had ended",
			 counts->unreadable);
	if (lost->names)
		complain("%" PRIu64
			 " more came faster than they could be dealt with, and were lost",
			 lost->names);
	if (lost->changes)
		complain("%" PRIu64 " changes of mappings were lost: a name may have been shown on "
			 "memory that was something else by then",
			 lost->changes);
	if (lost->processes || counts->too_many)
		complain("%" PRIu64 " were too many to be kept",
			 lost->processes + counts->too_many);
}

static int end(struct watching *w, const struct watched *watched)
{
	struct watched_counts counts = watched_counts(watched);
	struct watch_lost lost = watched_lost(watched);
	int err;

	if (w->cli->json)
		write_json_end(w, &counts, &lost);
	err = out_flush(&w->out);
	if (err && err != -EPIPE)
		complain("the output could not be written: %s", strerror(-err));
	if (err)
		return EXIT_FAILED;
	if (!w->cli->json)
		say_end(&counts, &lost);
	return lost_any(&counts, &lost) ? EXIT_PARTIAL : EXIT_DONE;
}

static void run(struct watching *w, struct watched *watched)
{
	struct pollfd fd = { .fd = watched_fd(watched), .events = POLLIN };

	while (!wait_interrupted() && !w->out.error) {
		size_t count = watched_work(watched, EVENTS_AT_ONCE);

		out_flush(&w->out);
		if (count < EVENTS_AT_ONCE)
			poll(&fd, 1, LOOK_EVERY_MS);
	}
	/* What had happened by then: what the ring holds, whatever comes on top. */
	for (size_t left = WATCH_RING_BYTES / sizeof(struct watch_record); left;) {
		size_t count = watched_work(watched, EVENTS_AT_ONCE);

		left = count < EVENTS_AT_ONCE || count > left ? 0 : left - count;
	}
}

int watch_names(struct cli *cli)
{
	struct watching *w = calloc(1, sizeof(*w));
	struct memoir_error error = { 0 };
	struct watched *watched = NULL;
	int code = EXIT_FAILED;

	if (!w)
		return cli_no_memory();
	w->cli = cli;
	out_init(&w->out, STDOUT_FILENO);
	own_process_name("memoir-watch"); /* by which its tables are found */
	wait_catch_signals();
	if (kroot_open(NULL, &w->root) < 0 || watched_open(on_name, w, &watched, &error) < 0) {
		complain("%s", error.text);
	} else {
		write_beginning(w, watched);
		run(w, watched);
		code = end(w, watched);
	}
	watched_close(watched);
	kroot_close(w->root);
	free(w);
	return code;
}
