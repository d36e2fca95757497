/* SPDX-License-Identifier: MIT */
/*
 * Plans what of a process could be paged out, and with a second argument does it and says what really moved:
 *     cc trim.c $(pkg-config --cflags --libs memoir) -o trim; ./trim PID [do]
 * Needs CAP_SYS_NICE, and the right to look at the process.
 */
#include <inttypes.h>
#include <stdio.h>

#include <memoir/hint.h>
#include <memoir/memoir.h>

static int fail(const struct memoir_error *error)
{
	fprintf(stderr, "trim: %s\n", error->text);
	return 1;
}

static void print_plan(const struct memoir_plan *plan)
{
	for (size_t i = 0; i < plan->process_count; i++) {
		const struct memoir_plan_process *process = &plan->processes[i];
		int why;

		printf("%d planned %" PRIu64 "\n", (int)process->pid, process->planned_bytes);
		for (why = 0; why < MEMOIR_SKIPS; why++)
			if (process->skipped_bytes[why])
				printf("%d left out %" PRIu64 ": %s\n", (int)process->pid,
				       process->skipped_bytes[why],
				       memoir_skip_text((enum memoir_skip)why));
	}
}

/* Count, give the hints, count again. */
static int apply(struct memoir *memoir, const struct memoir_plan *plan, struct memoir_error *error)
{
	struct memoir_residence *before = NULL, *after = NULL;
	struct memoir_applied *applied;
	struct memoir_moved moved;
	size_t i;

	if (memoir_plan_measure(memoir, plan, &before, error) < 0 ||
	    memoir_apply(memoir, plan, NULL, &applied, error) < 0 ||
	    memoir_plan_measure(memoir, plan, &after, error) < 0)
		return fail(error);
	for (i = 0; i < plan->process_count; i++) {
		memoir_plan_moved(plan, i, before, after, &moved);
		if (applied->processes[i].error.code)
			fail(&applied->processes[i].error);
		else if (moved.known)
			printf("%d moved %" PRIu64 "\n", (int)plan->processes[i].pid,
			       moved.moved_bytes);
	}
	return applied->failed;
}

int main(int argc, char **argv)
{
	const char *selectors[1];
	struct memoir_error error = { 0 };
	struct memoir_selection *selection;
	struct memoir_snapshot *snapshot;
	struct memoir_plan *plan;
	struct memoir *memoir;
	int code = 0;

	if (argc < 2)
		return 2;
	selectors[0] = argv[1];
	if (memoir_selection_parse(selectors, 1, &selection, &error) < 0 ||
	    memoir_open(NULL, &memoir, &error) < 0 ||
	    memoir_capture(memoir, NULL, &snapshot, &error) < 0 ||
	    memoir_plan(memoir, snapshot, selection, NULL, &plan, &error) < 0)
		return fail(&error);
	print_plan(plan);
	if (argc > 2)
		code = apply(memoir, plan, &error);
	memoir_plan_free(plan);
	memoir_snapshot_free(snapshot);
	memoir_selection_free(selection);
	memoir_close(memoir);
	return code;
}
