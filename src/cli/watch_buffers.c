// SPDX-License-Identifier: MIT
/*
 * Looks at shared buffers again and again, and prints what analysis/buffer_watch.c makes of it.
 */
#include "cli/watch_buffers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memoir/buffers.h>

#include "cli/lines.h"
#include "cli/wait.h"
#include "present/number.h"

#define SCHEMA "memoir.buffers-watch/1"
#define NS_PER_MS 1000000u

struct watching {
	struct cli *cli;
	struct memoir *memoir;
	struct memoir_buffer_watch *watch;
	uint64_t interval_ns;
	uint64_t looks, missed;              /* those that were no use */
	uint64_t seen[MEMOIR_BUFFER_EVENTS]; /* events that were printed */
	bool partial;
	struct out out;
};

/* ---- events --------------------------------------------------------------------------------- */

static void write_json_event(struct watching *w, const struct memoir_buffer_change *change)
{
	bool of_holder = change->pid;
	struct json_field fields[18];
	char when[NUMBER_MAX];
	size_t i = 0;

	number_time(change->time_ns, when);
	line_text(&fields[i++], "time", when);
	line_text(&fields[i++], "event", memoir_buffer_event_name(change->event));
	line_text(&fields[i++], "object", change->id);
	line_text(&fields[i++], "kind", change->kind);
	line_text(&fields[i++], "tag", change->tag);
	if (change->event == MEMOIR_BUFFER_RENAMED)
		line_text(&fields[i++], "old_tag", change->old_tag);
	if (change->event == MEMOIR_BUFFER_UNHELD)
		line_text(&fields[i++], "why", change->why);
	line_number(&fields[i++], "size_bytes", change->size_bytes);
	line_bytes(&fields[i++], "resident_bytes", change->resident_known, change->resident_bytes);
	line_bytes(&fields[i++], "own_bytes", change->resident_known, change->own_bytes);
	line_number(&fields[i++], "processes", change->holders);
	if (of_holder) {
		line_number(&fields[i++], "pid", (uint64_t)change->pid);
		line_number(&fields[i++], "start_ticks", change->start_ticks);
		line_text(&fields[i++], "comm", change->comm);
		line_number(&fields[i++], "fds", change->fds);
		line_number(&fields[i++], "ranges", change->ranges);
		line_number(&fields[i++], "announced", change->announced);
	}
	json_write_line(&w->out, fields, i);
}

static const char *size_text(const struct watching *w, bool is_known, uint64_t bytes,
			     char buf[NUMBER_MAX])
{
	if (!is_known)
		return "-";
	if (w->cli->plain_bytes)
		number_decimal(bytes, buf);
	else
		number_bytes(bytes, buf);
	return buf;
}

/* "2 fds, 1 map", or why it stays. */
static const char *how_text(const struct memoir_buffer_change *change, char *buf, size_t room)
{
	char fds[32] = "", maps[32] = "";

	if (!change->pid)
		return change->why ? change->why : "-";
	if (change->announced)
		snprintf(fds, sizeof(fds), "%" PRIu32 " announced", change->announced);
	if (change->fds)
		snprintf(fds, sizeof(fds), "%" PRIu32 " fd%s", change->fds,
			 change->fds == 1 ? "" : "s");
	if (change->ranges)
		snprintf(maps, sizeof(maps), "%" PRIu32 " map%s", change->ranges,
			 change->ranges == 1 ? "" : "s");
	snprintf(buf, room, "%s%s%s", fds, *fds && *maps ? ", " : "", maps);
	return buf;
}

static void write_tag(struct watching *w, const char *tag)
{
	line_escaped(&w->out, tag ? tag : "-", strlen(tag ? tag : "-"), 0);
}

static void write_text_event(struct watching *w, const struct memoir_buffer_change *change)
{
	char line[160], size[NUMBER_MAX], own[NUMBER_MAX], how[72], pid[16] = "-";
	const char *comm = change->comm ? change->comm : "-";

	if (change->pid)
		snprintf(pid, sizeof(pid), "%d", (int)change->pid);
	line_time(&w->out, change->time_ns);
	snprintf(line, sizeof(line), "  %-7s  %-26s %8s %8s  %7s  ",
		 memoir_buffer_event_name(change->event), change->id,
		 size_text(w, true, change->size_bytes, size),
		 size_text(w, change->resident_known, change->own_bytes, own), pid);
	out_text(&w->out, line);
	line_escaped(&w->out, comm, strlen(comm), 15);
	snprintf(line, sizeof(line), "  %-13s  ", how_text(change, how, sizeof(how)));
	out_text(&w->out, line);
	if (change->event == MEMOIR_BUFFER_RENAMED) {
		write_tag(w, change->old_tag);
		out_text(&w->out, " -> ");
	}
	write_tag(w, change->tag);
	out_char(&w->out, '\n');
}

static void on_change(const struct memoir_buffer_change *change, void *arg)
{
	struct watching *w = arg;

	w->seen[change->event]++;
	if (w->cli->json)
		write_json_event(w, change);
	else
		write_text_event(w, change);
}

/* ---- peaks ---------------------------------------------------------------------------------- */

static void write_json_peak(struct watching *w, const struct memoir_buffer_peak *peak)
{
	struct json_field fields[9];
	char when[NUMBER_MAX];
	size_t i = 0;

	number_time(peak->peak_time_ns, when);
	line_text(&fields[i++], "event", "peak");
	line_text(&fields[i++], "kind", peak->kind);
	line_text(&fields[i++], "tag", peak->tag);
	line_bytes(&fields[i++], "peak_bytes", peak->peak_known, peak->peak_bytes);
	line_text(&fields[i++], "peak_time", peak->peak_known ? when : NULL);
	line_number(&fields[i++], "peak_size_bytes", peak->peak_size_bytes);
	line_number(&fields[i++], "peak_buffers", peak->peak_buffers);
	line_bytes(&fields[i++], "own_bytes", peak->peak_known, peak->bytes);
	line_number(&fields[i++], "buffers", peak->buffers);
	json_write_line(&w->out, fields, i);
}

static void write_text_peak(struct watching *w, const struct memoir_buffer_peak *peak)
{
	char line[160], most[NUMBER_MAX], size[NUMBER_MAX], now[NUMBER_MAX];

	if (peak->peak_known)
		line_time(&w->out, peak->peak_time_ns);
	else
		out_text(&w->out, "-           ");
	snprintf(line, sizeof(line), "  %8s %8s %8" PRIu32 " %8s %8" PRIu32 "  %-11s  ",
		 size_text(w, peak->peak_known, peak->peak_bytes, most),
		 size_text(w, true, peak->peak_size_bytes, size), peak->peak_buffers,
		 size_text(w, peak->peak_known, peak->bytes, now), peak->buffers, peak->kind);
	out_text(&w->out, line);
	write_tag(w, peak->tag);
	out_char(&w->out, '\n');
}

static void write_peaks(struct watching *w)
{
	size_t count;
	uint64_t dropped;
	const struct memoir_buffer_peak *peaks =
		memoir_buffer_watch_peaks(w->watch, &count, &dropped);
	char line[160];

	if (!w->cli->json && !w->cli->no_heading && count) {
		snprintf(line, sizeof(line), "\n%-12s  %8s %8s %8s %8s %8s  %-11s  %s\n", "PEAK AT",
			 "PEAK", "SIZE", "BUFFERS", "NOW", "BUFFERS", "KIND", "TAG");
		out_text(&w->out, line);
	}
	for (size_t i = 0; i < count; i++) {
		if (w->cli->json)
			write_json_peak(w, &peaks[i]);
		else
			write_text_peak(w, &peaks[i]);
	}
	if (dropped)
		complain("the peaks of %" PRIu64 " tags were dropped: there were too many of them",
			 dropped);
	w->partial |= dropped;
	out_flush(&w->out);
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void write_json_beginning(struct watching *w, size_t count, uint64_t own_bytes)
{
	struct json_field fields[5];
	char when[NUMBER_MAX];

	number_time(memoir_snapshot_taken_ns(w->cli->snapshot), when);
	line_text(&fields[0], "schema", SCHEMA);
	line_text(&fields[1], "began", when);
	line_number(&fields[2], "interval_ms", w->interval_ns / NS_PER_MS);
	line_number(&fields[3], "buffers", count);
	line_number(&fields[4], "own_bytes", own_bytes);
	json_write_line(&w->out, fields, 5);
}

static void write_beginning(struct watching *w)
{
	uint64_t own_bytes;
	size_t count = memoir_buffer_watch_count(w->watch, &own_bytes);
	char line[192], size[NUMBER_MAX];

	if (w->cli->json) {
		write_json_beginning(w, count, own_bytes);
	} else if (!w->cli->no_heading) {
		snprintf(line, sizeof(line), "%-12s  %-7s  %-26s %8s %8s  %7s  %-15s  %-13s  %s\n",
			 "TIME (UTC)", "EVENT", "OBJECT", "SIZE", "OWN", "PID", "COMM", "HOW",
			 "TAG");
		out_text(&w->out, line);
	}
	out_flush(&w->out);
	if (isatty(STDERR_FILENO))
		fprintf(stderr,
			"memoir: %zu buffers with %s; watching what becomes of them, Ctrl-C ends "
			"it\n",
			count, size_text(w, true, own_bytes, size));
}

static void write_json_end(struct watching *w)
{
	struct json_field fields[4 + MEMOIR_BUFFER_EVENTS];
	size_t i = 0;

	line_text(&fields[i++], "schema", SCHEMA);
	line_bool(&fields[i++], "partial", w->partial);
	line_number(&fields[i++], "looks", w->looks);
	line_number(&fields[i++], "missed", w->missed);
	for (unsigned int k = 0; k < MEMOIR_BUFFER_EVENTS; k++)
		line_number(&fields[i++], memoir_buffer_event_name(k), w->seen[k]);
	json_write_line(&w->out, fields, i);
}

static int end(struct watching *w)
{
	int err;

	write_peaks(w);
	if (w->cli->json)
		write_json_end(w);
	err = out_flush(&w->out);
	if (err && err != -EPIPE)
		complain("the output could not be written: %s", strerror(-err));
	if (err)
		return EXIT_FAILED;
	if (w->missed)
		complain("%" PRIu64 " look%s failed: what came and went meanwhile was not seen",
			 w->missed, w->missed == 1 ? "" : "s");
	return w->partial || w->missed ? EXIT_PARTIAL : EXIT_DONE;
}

/* ---- looking -------------------------------------------------------------------------------- */

/* What only some looks could see would come and go. */
static int look(struct watching *w)
{
	int code = cli_capture(w->cli, w->memoir);

	if (code != EXIT_DONE)
		return code;
	w->looks++;
	if (w->looks == 1)
		w->partial = !memoir_snapshot_holders_known(w->cli->snapshot);
	if (!w->partial && !memoir_snapshot_holders_known(w->cli->snapshot)) {
		w->missed++;
		return EXIT_DONE;
	}
	return memoir_buffer_watch_look(w->watch, w->cli->snapshot, on_change, w) < 0
		       ? cli_no_memory()
		       : EXIT_DONE;
}

static int look_first(struct watching *w)
{
	int code = look(w);

	if (code != EXIT_DONE)
		return code;
	code = cli_check_pid(w->cli);
	if (code != EXIT_DONE) {
		complain("if that is the time between looks, it is given as --watch=%d",
			 (int)memoir_selection_single_pid(w->cli->selection));
		return code;
	}
	if (w->partial)
		complain(
			"what processes of others hold can't be looked at, and is not counted: run "
			"memoir as root");
	write_beginning(w);
	return EXIT_DONE;
}

/* Once more at once where something is missing that may have been passed on: never more often than that. */
static int look_again(struct watching *w)
{
	int code = look(w);

	if (code == EXIT_DONE && memoir_buffer_watch_unsure(w->watch))
		code = look(w);
	out_flush(&w->out);
	return code;
}

/* The next time that is due; looking takes at most half of the time. */
static uint64_t next_look(const struct watching *w, uint64_t due_ns, uint64_t began_ns)
{
	uint64_t now = wait_now_ns(), rest_ns = now + (now - began_ns);

	while (due_ns < rest_ns)
		due_ns += w->interval_ns;
	return due_ns;
}

static int run(struct watching *w)
{
	uint64_t due_ns = wait_now_ns(), began_ns = due_ns;
	int code = look_first(w);

	while (code == EXIT_DONE && !wait_interrupted() && !w->out.error) {
		due_ns = next_look(w, due_ns, began_ns);
		while (wait_now_ns() < due_ns && !wait_interrupted()) {
			wait_until(0, due_ns, 0, NULL);
			if (wait_asked())
				write_peaks(w);
		}
		/* What came in between is seen, too. */
		began_ns = wait_now_ns();
		code = look_again(w);
	}
	return code == EXIT_DONE ? end(w) : code;
}

int watch_buffers(struct cli *cli, uint64_t interval_ns)
{
	struct watching *w = calloc(1, sizeof(*w));
	int code;

	if (!w)
		return cli_no_memory();
	w->cli = cli;
	w->interval_ns = interval_ns;
	cli->without_pages = true;
	out_init(&w->out, STDOUT_FILENO);
	wait_catch_signals();
	wait_catch_asking();
	code = cli_open(cli, &w->memoir);
	if (code == EXIT_DONE) {
		code = memoir_buffer_watch_new(cli->selection, &w->watch) < 0 ? cli_no_memory()
									      : run(w);
		memoir_buffer_watch_free(w->watch);
		memoir_close(w->memoir);
	}
	free(w);
	return code;
}
