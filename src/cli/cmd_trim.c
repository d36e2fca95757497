// SPDX-License-Identifier: MIT
/*
 * memoir trim: hints to other processes' memory. What is planned, given and verified is the library's business.
 */
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <memoir/hint.h>

#include "cli/trim_around.h"
#include "cli/trim_options.h"
#include "cli/trim_rows.h"
#include "cli/trim_shared.h"
#include "cli/wait.h"
#include "present/number.h"

#define TOP_RANGES 10
#define NS_PER_SECOND 1000000000ull

/* All that is found out, and printed. */
struct trim {
	struct memoir_plan *plan;
	struct memoir_residence *before, *after; /* NULL: only planned */
	struct memoir_applied *applied;
	struct trim_row *rows;
	struct trim_range_row *range_rows;
	const void **pointers, **range_pointers;
	struct sheet ranges;
	const char **notes;
	size_t note_count;
	size_t failed;
	struct trim_around around;
	struct trim_shared shared;
	char summary[768], legend[1024];
};

static void free_trim(struct trim *t)
{
	trim_around_free(&t->around);
	trim_shared_free(&t->shared);
	sheet_free(&t->ranges);
	free(t->rows);
	free(t->range_rows);
	free(t->pointers);
	free(t->range_pointers);
	free(t->notes);
	free(t->before);
	free(t->after);
	memoir_applied_free(t->applied);
	memoir_plan_free(t->plan);
}

static bool is_stopped(const struct trim *t)
{
	return (t->applied && t->applied->stopped) ||
	       (t->shared.reclaimed && t->shared.reclaimed->stopped);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int make_rows(const struct cli *cli, struct trim *t)
{
	size_t count = t->plan->process_count, ranges = t->plan->range_count;
	size_t around_notes = trim_around_note_count(&t->around);
	size_t shared_notes = trim_shared_note_count(&t->shared);

	t->rows = calloc(count + 1, sizeof(*t->rows));
	t->pointers = calloc(count + 1, sizeof(*t->pointers));
	t->range_rows = calloc(ranges + 1, sizeof(*t->range_rows));
	t->range_pointers = calloc(ranges + 1, sizeof(*t->range_pointers));
	t->notes = calloc(2 * count + 2 + around_notes + shared_notes, sizeof(*t->notes));
	if (!t->rows || !t->pointers || !t->range_rows || !t->range_pointers || !t->notes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct trim_row *row = &t->rows[i];

		row->planned = &t->plan->processes[i];
		row->applied = t->applied ? &t->applied->processes[i] : NULL;
		if (t->after)
			memoir_plan_moved(t->plan, i, t->before, t->after, &row->moved);
		trim_row_skips(row);
		trim_row_note(row);
		t->pointers[i] = row;
		if (row->note[0])
			t->notes[t->note_count++] = row->note;
		if (row->applied && row->applied->error.code) {
			t->failed++;
			t->notes[t->note_count++] = row->applied->error.text;
		}
	}
	for (size_t i = 0; i < ranges; i++) {
		t->range_rows[i] = (struct trim_range_row){ t->plan, &t->plan->ranges[i] };
		if (t->after) {
			t->range_rows[i].before = t->before[i];
			t->range_rows[i].after = t->after[i];
		}
		t->range_pointers[i] = &t->range_rows[i];
	}
	if (is_stopped(t))
		t->notes[t->note_count++] = "interrupted: what was not reached is left as it was";
	for (size_t i = 0; i < shared_notes; i++)
		t->notes[t->note_count++] = trim_shared_note(&t->shared, i);
	for (size_t i = 0; i < around_notes; i++)
		t->notes[t->note_count++] = trim_around_note(&t->around, i);
	(void)cli;
	return 0;
}

/* ---- words ----------------------------------------------------------------------------------- */

struct size {
	char text[NUMBER_MAX];
};

static const char *size_text(const struct cli *cli, uint64_t bytes, struct size *size)
{
	return cli_size_text(cli, bytes, size->text);
}

static uint64_t moved_bytes(const struct trim *t, bool *ret_known)
{
	uint64_t sum = 0;

	*ret_known = t->after != NULL;
	for (size_t i = 0; i < t->plan->process_count; i++) {
		*ret_known &= t->rows[i].moved.known || !t->plan->processes[i].range_count;
		sum += t->rows[i].moved.moved_bytes;
	}
	return sum;
}

/* What can be done, and what was. */
static const struct {
	const char *can, *did;
} verbs[MEMOIR_HINTS] = {
	[MEMOIR_HINT_COLD] = { "can be marked", "marked" },
	[MEMOIR_HINT_PAGEOUT] = { "can move", "moved" },
	[MEMOIR_HINT_WILLNEED] = { "can be read back", "asked for" },
	[MEMOIR_HINT_COLLAPSE] = { "can become huge pages", "made huge" },
};

/* The reasons in full, of all processes, for the short words of the table. */
static void explain_skips(struct trim *t)
{
	const char *before = "left out: ";
	size_t len = 0;

	for (int i = 0; i < MEMOIR_SKIPS && len < sizeof(t->legend); i++) {
		bool any = false;

		for (size_t r = 0; r < t->plan->process_count; r++)
			any |= trim_row_skips_for(&t->rows[r], (enum memoir_skip)i);
		if (!any)
			continue;
		len += (size_t)snprintf(t->legend + len, sizeof(t->legend) - len, "%s%s is %s",
					before, memoir_skip_name((enum memoir_skip)i),
					memoir_skip_text((enum memoir_skip)i));
		before = "; ";
	}
}

static size_t summarize_plan(const struct cli *cli, struct trim *t)
{
	const struct memoir_plan *plan = t->plan;
	struct size planned, needed, swap_free, zram;
	size_t room = sizeof(t->summary), len;

	len = trim_around_summary(cli, &t->around, t->summary, room);
	len += (size_t)snprintf(t->summary + len, room - len, "%s of %zu process%s: %s %s",
				memoir_hint_name(plan->hint), plan->process_count,
				plan->process_count == 1 ? "" : "es",
				size_text(cli, plan->planned_bytes, &planned),
				verbs[plan->hint].can);
	if (plan->hint == MEMOIR_HINT_PAGEOUT) {
		len += (size_t)snprintf(t->summary + len, room - len, ", %s of it to swap",
					size_text(cli, plan->swap_needed_bytes, &needed));
		if (plan->swap_free_known)
			len += (size_t)snprintf(t->summary + len, room - len, " (%s free)",
						size_text(cli, plan->swap_free_bytes, &swap_free));
		if (plan->zram_known && plan->swap_needed_bytes)
			len += (size_t)snprintf(t->summary + len, room - len,
						", about %s of RAM in zram",
						size_text(cli, plan->zram_estimate_bytes, &zram));
	}
	return len;
}

static void summarize(const struct cli *cli, struct trim *t)
{
	size_t room = sizeof(t->summary), len = summarize_plan(cli, t);
	const struct memoir_applied *applied = t->applied;
	struct size moved, rate;
	bool known;
	uint64_t bytes = moved_bytes(t, &known), hinted = 0;

	if (!applied && t->after)
		snprintf(t->summary + len, room - len, "; moved %s, by page tables",
			 size_text(cli, bytes, &moved));
	if (!applied)
		return;
	for (size_t i = 0; i < applied->process_count; i++)
		hinted += applied->processes[i].hinted_bytes;
	len += (size_t)snprintf(t->summary + len, room - len, "; %s %s in %.2f s",
				verbs[t->plan->hint].did,
				size_text(cli, known ? bytes : hinted, &moved),
				(double)applied->wall_ns / NS_PER_SECOND);
	if (!hinted || !applied->wall_ns)
		return;
	size_text(cli, (uint64_t)((double)hinted * NS_PER_SECOND / (double)applied->wall_ns),
		  &rate);
	snprintf(t->summary + len, room - len, " (%s/s, %.2f ms of CPU a MiB)", rate.text,
		 (double)applied->cpu_ns / 1e6 / ((double)hinted / (1 << 20)));
}

/* ---- printing -------------------------------------------------------------------------------- */

#define FIELDS (12 + TRIM_AROUND_FIELDS)

static void set_bytes(struct json_field *field, const char *name, bool known, uint64_t bytes)
{
	field->name = name;
	if (known)
		cell_number(&field->cell, CELL_BYTES, bytes);
	else
		cell_null(&field->cell);
}

static size_t make_fields(const struct cli *cli, const struct trim *t, struct json_field *fields)
{
	const struct trim_options *own = cli->own;
	const struct memoir_plan *plan = t->plan;
	size_t n = 0;
	bool known;
	uint64_t moved = moved_bytes(t, &known);

	fields[n].name = "hint";
	cell_text(&fields[n++].cell, memoir_hint_name(plan->hint));
	fields[n].name = "guard";
	cell_text(&fields[n++].cell, memoir_guard_name(own->guard));
	fields[n].name = "dry_run";
	cell_number(&fields[n++].cell, CELL_BOOL, own->dry_run);
	set_bytes(&fields[n++], "planned_bytes", true, plan->planned_bytes);
	set_bytes(&fields[n++], "moved_bytes", known, moved);
	set_bytes(&fields[n++], "swap_needed_bytes", true, plan->swap_needed_bytes);
	set_bytes(&fields[n++], "swap_free_bytes", plan->swap_free_known, plan->swap_free_bytes);
	set_bytes(&fields[n++], "zram_estimate_bytes", plan->zram_known, plan->zram_estimate_bytes);
	set_bytes(&fields[n++], "wall_us", t->applied, t->applied ? t->applied->wall_ns / 1000 : 0);
	set_bytes(&fields[n++], "cpu_us", t->applied, t->applied ? t->applied->cpu_ns / 1000 : 0);
	set_bytes(&fields[n++], "paused_us", t->applied,
		  t->applied ? t->applied->paused_ns / 1000 : 0);
	return n + trim_around_fields(&t->around, fields + n);
}

static int make_ranges(const struct cli *cli, struct trim *t, struct memoir_error *error)
{
	struct shape shape = { .for_eyes = cli->shape.for_eyes, .head = SHEET_ALL };

	if (cli->shape.for_eyes) {
		shape.head = TOP_RANGES;
		shape.sort = "planned_bytes";
		shape.columns = t->after ? NULL : "pid,start,end,planned,name";
	}
	return sheet_make(&trim_range_model, &shape, t->range_pointers, t->plan->range_count, NULL,
			  &t->ranges, error);
}

static int print(struct cli *cli, struct trim *t)
{
	struct json_field fields[FIELDS];
	char title[64];
	struct report_section sections[3] = { { "ranges", title, &t->ranges } };
	struct report report = {
		.schema = "memoir.trim/1",
		.notes = t->notes,
		.note_count = t->note_count,
		.partial = t->failed || is_stopped(t) || trim_shared_partial(&t->shared) ||
			   trim_around_partial(&t->around),
		.summary = t->summary,
		.legend = t->legend,
		.fields = fields,
		.sections = sections,
	};
	struct memoir_error error = { 0 };
	int code;

	report.field_count = make_fields(cli, t, fields);
	summarize(cli, t);
	explain_skips(t);
	if (make_ranges(cli, t, &error) < 0) {
		complain("%s", error.text[0] ? error.text : "out of memory");
		return EXIT_FAILED;
	}
	snprintf(title, sizeof(title), "Ranges, %zu of %zu", t->ranges.row_count,
		 t->plan->range_count);
	if (cli->json || (cli->shape.for_eyes && !cli->shape.columns && t->ranges.row_count))
		report.section_count = 1;
	if (trim_shared_section(&t->shared, &sections[report.section_count]))
		report.section_count++;
	if (trim_around_section(&t->around, &sections[report.section_count]))
		report.section_count++;
	if (!cli->shape.columns && cli->shape.for_eyes)
		cli->shape.columns = trim_columns(t->plan->hint, t->after);
	code = cli_print_rows(cli, &report, t->pointers, t->plan->process_count, NULL);
	/* If nothing at all could be done, that is no part of it. */
	return code == EXIT_PARTIAL && t->failed && t->failed == t->plan->process_count
		       ? EXIT_FAILED
		       : code;
}

/* ---- the run --------------------------------------------------------------------------------- */

static int fail(const struct memoir_error *error)
{
	complain("%s", error->text[0] ? error->text : "out of memory");
	return EXIT_FAILED;
}

static bool stop(void *arg)
{
	(void)arg;
	return wait_interrupted();
}

static int apply(const struct trim_options *own, struct memoir *memoir, struct trim *t)
{
	struct memoir_apply_options apply_options = {
		.sz = sizeof(apply_options),
		.guard = own->guard,
		.without_pauses = own->no_pauses,
		.rate_bytes = own->rate_bytes,
		.stop = stop,
	};
	struct memoir_error error = { 0 };

	if (memoir_apply(memoir, t->plan, &apply_options, &t->applied, &error) < 0)
		return fail(&error);
	return EXIT_DONE;
}

/* With --shared a dry run looks at the cgroups too. */
static int reclaim(const struct cli *cli, struct memoir *memoir, struct trim *t)
{
	const struct trim_options *own = cli->own;
	struct memoir_reclaim_options reclaim_options = {
		.sz = sizeof(reclaim_options),
		.max_bytes = own->max_bytes,
		.dry_run = own->dry_run,
		.stop = stop,
	};

	return trim_reclaim(cli, memoir, &reclaim_options, &t->shared);
}

static int act(const struct cli *cli, struct memoir *memoir, struct trim *t)
{
	const struct trim_options *own = cli->own;
	struct memoir_error error = { 0 };
	int code;

	if (own->dry_run)
		return own->shared ? reclaim(cli, memoir, t) : EXIT_DONE;
	if (memoir_plan_measure(memoir, t->plan, &t->before, &error) < 0)
		return fail(&error);
	code = own->shared ? reclaim(cli, memoir, t) : apply(own, memoir, t);
	if (code == EXIT_DONE && memoir_plan_measure(memoir, t->plan, &t->after, &error) < 0)
		return fail(&error);
	return code;
}

static int plan(struct cli *cli, struct memoir *memoir, struct trim *t)
{
	const struct trim_options *own = cli->own;
	struct memoir_plan_options plan_options = {
		.sz = sizeof(plan_options),
		.hint = own->hint,
		.max_bytes = own->shared ? 0 : own->max_bytes,
		.shared = own->shared,
		.only = t->around.spans.spans,
		.only_count = t->around.spans.count,
	};
	struct memoir_error error = { 0 };

	if (memoir_plan(memoir, cli->snapshot, cli->selection, &plan_options, &t->plan, &error) < 0)
		return fail(&error);
	if (t->plan->process_count)
		return EXIT_DONE;
	complain("no process matches: memoir ps with the same selectors shows what they mean");
	for (size_t i = 0; i < memoir_snapshot_note_count(cli->snapshot); i++)
		complain("%s", memoir_snapshot_note(cli->snapshot, i));
	return EXIT_FAILED;
}

static int run_with(struct cli *cli, struct memoir *memoir)
{
	const struct trim_options *own = cli->own;
	struct trim t = { 0 };
	int code = cli_capture(cli, memoir);

	if (code == EXIT_DONE)
		code = cli_check_pid(cli);
	if (code == EXIT_DONE && own->idle_ns)
		code = trim_before(cli, memoir, own->means, own->idle_ns, &t.around);
	if (code == EXIT_DONE)
		code = plan(cli, memoir, &t);
	if (code == EXIT_DONE)
		code = act(cli, memoir, &t);
	if (code == EXIT_DONE && own->watch_ns && !is_stopped(&t))
		code = trim_after(cli, memoir, own->watch_ns, &t.around);
	if (code == EXIT_DONE && make_rows(cli, &t) < 0)
		code = cli_no_memory();
	if (code == EXIT_DONE)
		code = print(cli, &t);
	free_trim(&t);
	return code;
}

static int run(struct cli *cli)
{
	struct memoir *memoir;
	int code = cli_open(cli, &memoir);

	if (code != EXIT_DONE)
		return code;
	wait_catch_signals();
	code = run_with(cli, memoir);
	memoir_close(memoir);
	return code;
}

const struct command trim_command = {
	.name = "trim",
	.args = "SELECTOR...",
	.summary = "hand memory of other processes back to the kernel",
	.doc = "Tell the kernel that memory of other processes will not be needed soon, and print "
	       "what was planned, what really moved, and what was left out and why."
	       "\vA SELECTOR is KEY:GLOB[,GLOB...] with one of the keys pid comm user cgroup name "
	       "path kind object, or a pid, or PID:START-END; several must all match. Needs "
	       "CAP_SYS_NICE, and the right to look at the process. Only pages that are mapped "
	       "once "
	       "move. See memoir-trim(1).",
	.model = &trim_model,
	.flags = COMMAND_NEEDS_ARG,
	.run = run,
	.options = &trim_argp,
	.own_bytes = sizeof(struct trim_options),
};
