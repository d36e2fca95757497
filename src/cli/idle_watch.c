// SPDX-License-Identifier: MIT
/*
 * Watching for idle memory from a command. Prints nothing but progress and complaints.
 */
#include "cli/idle_watch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/grow.h"
#include "cli/wait.h"

int idle_means_by_name(const char *name)
{
	for (int i = 0; i < MEMOIR_IDLE_MEANS; i++)
		if (strcmp(memoir_idle_means_name((enum memoir_idle_means)i), name) == 0)
			return i;
	return -1;
}

static int fail(const struct memoir_error *error)
{
	complain("%s", error->text);
	return EXIT_FAILED;
}

int idle_watch(struct cli *cli, struct memoir *memoir, enum memoir_idle_means means,
	       uint64_t interval_ns, struct memoir_idle **ret_idle)
{
	struct memoir_idle_options options = {
		.sz = sizeof(options),
		.means = means,
		.interval_ns = interval_ns,
	};
	struct memoir_error error = { 0 };
	uint64_t began = wait_now_ns();

	if (memoir_idle_begin(memoir, cli->snapshot, cli->selection, &options, ret_idle, &error) <
	    0)
		return fail(&error);
	wait_until(began, wait_now_ns() + interval_ns, interval_ns, "watching");
	if (memoir_idle_read(*ret_idle, &error) < 0)
		return fail(&error);
	/* Who has ended meanwhile is not in it. */
	return cli_capture(cli, memoir);
}

/* ---- spans ----------------------------------------------------------------------------------- */

struct span_run {
	struct idle_spans *spans;
	pid_t pid;
};

static int add_span(uint64_t start, uint64_t end, void *arg)
{
	struct span_run *run = arg;
	struct idle_spans *spans = run->spans;
	struct memoir_span *grown =
		grow(spans->spans, &spans->room, spans->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	spans->spans = grown;
	grown[spans->count++] = (struct memoir_span){ run->pid, start, end };
	return 0;
}

static int add_region(struct idle_spans *spans, const struct memoir_idle *idle,
		      const struct memoir_idle_row *row)
{
	const struct memoir_region *region = row->subject.region;
	struct span_run run = { spans, row->subject.process->pid };

	if (memoir_idle_means_has_pages(memoir_idle_means(idle)))
		return memoir_idle_ranges(idle, run.pid, region->start, region->end, add_span,
					  &run);
	if (row->known && row->figures.idle_bytes == row->figures.rss_bytes)
		return add_span(region->start, region->end, &run);
	return 0;
}

int idle_spans_make(const struct cli *cli, const struct memoir_idle *idle,
		    struct idle_spans *ret_spans)
{
	struct idle_spans spans = { 0 };
	struct memoir_idle_rows rows = { 0 };
	int err = memoir_idle_rows(idle, cli->snapshot, cli->selection, MEMOIR_BY_REGION, &rows);

	/* Also where nothing is idle there is a list, an empty one. */
	spans.spans = grow(NULL, &spans.room, 1, sizeof(*spans.spans));
	if (!spans.spans)
		err = -ENOMEM;
	for (size_t i = 0; i < rows.count && !err; i++)
		err = add_region(&spans, idle, &rows.rows[i]);
	spans.total = rows.total;
	memoir_idle_rows_free(&rows);
	if (err)
		idle_spans_free(&spans);
	else
		*ret_spans = spans;
	return err;
}

void idle_spans_free(struct idle_spans *spans)
{
	free(spans->spans);
	*spans = (struct idle_spans){ 0 };
}
