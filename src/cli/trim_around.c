// SPDX-License-Identifier: MIT
/*
 * What memoir trim does before and after it gives hints. Gives none itself.
 */
#include "cli/trim_around.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/refault_rows.h"
#include "cli/subject_columns.h"
#include "cli/wait.h"
#include "present/number.h"

#define NS_PER_MS 1000000u

int trim_before(struct cli *cli, struct memoir *memoir, enum memoir_idle_means means,
		uint64_t idle_ns, struct trim_around *around)
{
	int code = idle_watch(cli, memoir, means, idle_ns, &around->idle);

	if (code != EXIT_DONE)
		return code;
	if (wait_interrupted()) {
		complain("interrupted before anything was done");
		return EXIT_FAILED;
	}
	return idle_spans_make(cli, around->idle, &around->spans) < 0 ? cli_no_memory() : EXIT_DONE;
}

static int make_sheet(const struct cli *cli, struct trim_around *around)
{
	char shown[SUBJECT_COLUMNS_MAX];
	struct shape shape = { .for_eyes = cli->shape.for_eyes, .head = SHEET_ALL };
	struct memoir_error error = { 0 };

	if (shape.for_eyes)
		shape.columns = subject_columns(MEMOIR_BY_NAME, REFAULT_FIGURES, shown);
	around->pointers = calloc(around->back.count + 1, sizeof(*around->pointers));
	if (!around->pointers)
		return -ENOMEM;
	for (size_t i = 0; i < around->back.count; i++)
		around->pointers[i] = &around->back.rows[i];
	return sheet_make(&refault_model, &shape, around->pointers, around->back.count,
			  around->refaults, &around->sheet, &error);
}

int trim_after(struct cli *cli, struct memoir *memoir, uint64_t watch_ns,
	       struct trim_around *around)
{
	struct memoir_error error = { 0 };
	int err = memoir_refaults_begin(memoir, cli->snapshot, cli->selection, &around->refaults,
					&error);

	if (!err)
		err = refault_watch(around->refaults, watch_ns, "watching what comes back", &error);
	if (err) {
		complain("%s", error.text);
		return EXIT_FAILED;
	}
	err = memoir_refaults_rows(around->refaults, MEMOIR_BY_NAME, &around->back);
	if (!err)
		err = make_sheet(cli, around);
	snprintf(around->title, sizeof(around->title), "What came back within %.1f s",
		 wait_seconds(memoir_refaults_watched_ns(around->refaults)));
	return err ? cli_no_memory() : EXIT_DONE;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void set(struct json_field *field, const char *name, enum cell_type type, bool known,
		uint64_t number)
{
	field->name = name;
	if (known)
		cell_number(&field->cell, type, number);
	else
		cell_null(&field->cell);
}

size_t trim_around_fields(const struct trim_around *around, struct json_field *fields)
{
	const struct memoir_idle *idle = around->idle;
	const struct memoir_refaults *refaults = around->refaults;
	uint64_t idle_ns = idle ? memoir_idle_interval_ns(idle) : 0;
	uint64_t watched_ns = refaults ? memoir_refaults_watched_ns(refaults) : 0;

	fields[0].name = "idle_means";
	cell_text(&fields[0].cell, idle ? memoir_idle_means_name(memoir_idle_means(idle)) : NULL);
	set(&fields[1], "idle_ms", CELL_NUMBER, idle, idle_ns / NS_PER_MS);
	set(&fields[2], "idle_bytes", CELL_BYTES, idle, around->spans.total.idle_bytes);
	set(&fields[3], "watched_ms", CELL_NUMBER, refaults, watched_ns / NS_PER_MS);
	set(&fields[4], "swapped_bytes", CELL_BYTES, refaults, around->back.total.swapped_bytes);
	set(&fields[5], "back_bytes", CELL_BYTES, refaults, around->back.total.back_bytes);
	return TRIM_AROUND_FIELDS;
}

size_t trim_around_note_count(const struct trim_around *around)
{
	return (around->idle ? memoir_idle_note_count(around->idle) : 0) +
	       (around->refaults ? memoir_refaults_note_count(around->refaults) : 0);
}

const char *trim_around_note(const struct trim_around *around, size_t i)
{
	size_t idle = around->idle ? memoir_idle_note_count(around->idle) : 0;

	return i < idle ? memoir_idle_note(around->idle, i)
			: memoir_refaults_note(around->refaults, i - idle);
}

bool trim_around_partial(const struct trim_around *around)
{
	return (around->idle && memoir_idle_partial(around->idle)) ||
	       (around->refaults && memoir_refaults_partial(around->refaults));
}

bool trim_around_section(const struct trim_around *around, struct report_section *ret_section)
{
	if (!around->refaults)
		return false;
	*ret_section = (struct report_section){ "refaults", around->title, &around->sheet };
	return true;
}

size_t trim_around_summary(const struct cli *cli, const struct trim_around *around, char *buf,
			   size_t room)
{
	char idle[NUMBER_MAX], rss[NUMBER_MAX];

	if (!around->idle)
		return 0;
	cli_size_text(cli, around->spans.total.idle_bytes, idle);
	cli_size_text(cli, around->spans.total.rss_bytes, rss);
	return (size_t)snprintf(buf, room, "%s of %s were not touched for %.1f s (means %s); ",
				idle, rss, wait_seconds(memoir_idle_interval_ns(around->idle)),
				memoir_idle_means_name(memoir_idle_means(around->idle)));
}

void trim_around_free(struct trim_around *around)
{
	sheet_free(&around->sheet);
	free(around->pointers);
	memoir_refault_rows_free(&around->back);
	memoir_refaults_free(around->refaults);
	idle_spans_free(&around->spans);
	memoir_idle_free(around->idle);
}
