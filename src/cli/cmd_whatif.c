// SPDX-License-Identifier: MIT
/*
 * memoir whatif: what would come back if processes ended, or were paged out. Ends and moves nothing.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/whatif_rows.h"
#include "present/number.h"

#define TOP_ROWS 10

static const char *const actions[] = { "kill", "trim", NULL };

static const char *const titles[MEMOIR_WHATIF_BYS] = {
	[MEMOIR_WHATIF_BY_PROCESS] = "Processes",
	[MEMOIR_WHATIF_BY_NAME] = "Names",
	[MEMOIR_WHATIF_BY_OBJECT] = "Objects",
	[MEMOIR_WHATIF_BY_SET] = "Sharing sets",
};

/* What people see of each way. */
static const char *const shown[MEMOIR_WHATIF_ACTIONS][MEMOIR_WHATIF_BYS] = {
	[MEMOIR_WHATIF_KILL] = {
		[MEMOIR_WHATIF_BY_PROCESS] = "pid,freed,freed_swap,freed_kernel,reclaimable,kept,"
					     "what",
		[MEMOIR_WHATIF_BY_NAME] = "freed,freed_swap,reclaimable,kept,kind,what",
		[MEMOIR_WHATIF_BY_OBJECT] = "freed,freed_swap,reclaimable,kept,kept_by,what",
		[MEMOIR_WHATIF_BY_SET] = "freed,freed_swap,reclaimable,kept,members,others,kept_by,"
					 "what",
	},
	[MEMOIR_WHATIF_TRIM] = {
		[MEMOIR_WHATIF_BY_PROCESS] = "pid,freed,reclaimable,kept,what",
		[MEMOIR_WHATIF_BY_NAME] = "freed,reclaimable,kept,kind,what",
		[MEMOIR_WHATIF_BY_OBJECT] = "freed,reclaimable,kept,what",
		[MEMOIR_WHATIF_BY_SET] = "freed,reclaimable,kept,members,others,kept_by,what",
	},
};

/* All that is printed. */
struct answer {
	struct memoir_whatif whatif;
	struct whatif_context context;
	const void **rows; /* those of each way stand together */
	const void **keepers;
	struct sheet all, keeper_sheet, sheets[MEMOIR_WHATIF_BYS];
	char titles[MEMOIR_WHATIF_BYS][64], keeper_title[64];
	char summary[640];
};

static void free_answer(struct answer *a)
{
	for (size_t i = 0; i < MEMOIR_WHATIF_BYS; i++)
		sheet_free(&a->sheets[i]);
	sheet_free(&a->all);
	sheet_free(&a->keeper_sheet);
	free(a->rows);
	free(a->keepers);
	memoir_whatif_free(&a->whatif);
}

/* ---- the summary ---------------------------------------------------------------------------- */

struct size {
	char text[NUMBER_MAX];
};

static const char *size_text(const struct cli *cli, uint64_t bytes, struct size *size)
{
	return cli_size_text(cli, bytes, size->text);
}

/* The first pids, and how many there are. */
static void list_pids(const struct memoir_whatif *whatif, char *buf, size_t room)
{
	size_t used = (size_t)snprintf(buf, room, "%zu process%s (pid", whatif->pid_count,
				       whatif->pid_count == 1 ? "" : "es");
	size_t listed = 0;

	for (; listed < whatif->pid_count && listed < 8; listed++)
		used += (size_t)snprintf(buf + used, room - used, " %d", (int)whatif->pids[listed]);
	snprintf(buf + used, room - used, "%s)", listed < whatif->pid_count ? " ..." : "");
}

static void name_keeper(const struct memoir_whatif *whatif, char *buf, size_t room)
{
	const struct memoir_keeper *keeper = whatif->keepers;

	*buf = '\0';
	if (!whatif->keeper_count)
		return;
	if (keeper->keeps == MEMOIR_KEEPS_LINK)
		snprintf(buf, room, ", most of it in files with a name");
	else if (keeper->keeps == MEMOIR_KEEPS_SEGMENT)
		snprintf(buf, room, ", most of it in SysV segments");
	else
		snprintf(buf, room, ", most of it with pid %d (%s)", (int)keeper->pid,
			 keeper->process->comm);
}

static void summarize_kill(const struct cli *cli, struct answer *a, const char *whom,
			   const char *keeper)
{
	const struct memoir_whatif_bytes *bytes = &a->whatif.bytes;
	struct size freed, swap, kernel, reclaimable, kept;
	char zram[64] = "";

	if (a->whatif.zram_known && a->whatif.freed_zram_estimate_bytes)
		snprintf(zram, sizeof(zram), " (in zram, about %s of RAM)",
			 size_text(cli, a->whatif.freed_zram_estimate_bytes, &swap));
	snprintf(
		a->summary, sizeof(a->summary),
		"kill of %s: comes back %s of RAM, %s of swap%s, %s of kernel memory (page tables, "
		"stacks); merely reclaimable %s (page cache); stays %s%s",
		whom, size_text(cli, bytes->freed_bytes, &freed),
		size_text(cli, bytes->freed_swap_bytes, &swap), zram,
		a->whatif.kernel_known ? size_text(cli, bytes->freed_kernel_bytes, &kernel)
				       : "an unknown amount",
		size_text(cli, bytes->reclaimable_bytes, &reclaimable),
		size_text(cli, bytes->kept_bytes, &kept), keeper);
}

static void summarize_trim(const struct cli *cli, struct answer *a, const char *whom)
{
	const struct memoir_whatif_bytes *bytes = &a->whatif.bytes;
	struct size freed, reclaimable, kept;

	snprintf(a->summary, sizeof(a->summary),
		 "trim of %s: can move to swap %s; page cache that can be dropped or written %s; "
		 "stays %s, mapped more than once",
		 whom, size_text(cli, bytes->freed_bytes, &freed),
		 size_text(cli, bytes->reclaimable_bytes, &reclaimable),
		 size_text(cli, bytes->kept_bytes, &kept));
}

static void summarize(const struct cli *cli, struct answer *a)
{
	char whom[160], keeper[160];

	list_pids(&a->whatif, whom, sizeof(whom));
	name_keeper(&a->whatif, keeper, sizeof(keeper));
	if (!a->whatif.known)
		snprintf(a->summary, sizeof(a->summary), "%s of %s: not known", cli->action, whom);
	else if (a->whatif.action == MEMOIR_WHATIF_KILL)
		summarize_kill(cli, a, whom, keeper);
	else
		summarize_trim(cli, a, whom);
}

/* ---- sheets --------------------------------------------------------------------------------- */

static int point_at_rows(struct answer *a)
{
	const struct memoir_whatif *w = &a->whatif;

	a->rows = sheet_rows(w->rows, w->row_count, sizeof(*w->rows));
	a->keepers = sheet_rows(w->keepers, w->keeper_count, sizeof(*w->keepers));
	return a->rows && a->keepers ? 0 : -ENOMEM;
}

/* For people: a table of each way with the first rows. */
static int make_parts(const struct cli *cli, struct answer *a, struct memoir_error *error)
{
	struct shape shape = { .for_eyes = true, .head = cli->shape.head };
	size_t first = 0, end;
	int ret = 0;

	if (shape.head == SHEET_ALL)
		shape.head = TOP_ROWS;
	for (unsigned int by = 0; by < MEMOIR_WHATIF_BYS && ret == 0; by++, first = end) {
		for (end = first; end < a->whatif.row_count && a->whatif.rows[end].by == by;)
			end++;
		shape.columns = shown[a->whatif.action][by];
		ret = sheet_make(&whatif_model, &shape, a->rows + first, end - first, &a->context,
				 &a->sheets[by], error);
		snprintf(a->titles[by], sizeof(a->titles[by]), "%s, %zu of %zu", titles[by],
			 a->sheets[by].row_count, end - first);
	}
	return ret;
}

static int make_sheets(const struct cli *cli, struct answer *a, struct memoir_error *error)
{
	struct shape keepers = { .for_eyes = cli->shape.for_eyes, .head = SHEET_ALL };
	int ret = point_at_rows(a);

	if (cli->shape.for_eyes)
		keepers.head = cli->shape.head == SHEET_ALL ? TOP_ROWS : cli->shape.head;
	if (ret == 0)
		ret = sheet_make(&keeper_model, &keepers, a->keepers, a->whatif.keeper_count,
				 &a->context, &a->keeper_sheet, error);
	snprintf(a->keeper_title, sizeof(a->keeper_title), "Who keeps what stays, %zu of %zu",
		 a->keeper_sheet.row_count, a->whatif.keeper_count);
	if (ret == 0)
		ret = make_parts(cli, a, error);
	/* Last, as it may sort the rows. */
	if (ret == 0)
		ret = sheet_make(&whatif_model, &cli->shape, a->rows, a->whatif.row_count,
				 &a->context, &a->all, error);
	return ret;
}

/* ---- printing ------------------------------------------------------------------------------- */

#define FIELDS_MAX 16

struct fields {
	struct json_field all[FIELDS_MAX];
	size_t count;
};

static void add_bytes_field(struct fields *fields, const char *name, bool known, uint64_t bytes)
{
	struct json_field *field = &fields->all[fields->count++];

	field->name = name;
	if (known)
		cell_number(&field->cell, CELL_BYTES, bytes);
	else
		cell_null(&field->cell);
}

static void make_fields(const struct cli *cli, const struct memoir_whatif *whatif,
			struct fields *fields)
{
	const struct memoir_whatif_bytes *bytes = &whatif->bytes;
	bool known = whatif->known;

	fields->all[0].name = "action";
	cell_text(&fields->all[0].cell, cli->action);
	fields->all[1].name = "selected";
	cell_pids(&fields->all[1].cell, whatif->pids, whatif->pid_count);
	fields->count = 2;
	add_bytes_field(fields, "freed_bytes", known, bytes->freed_bytes);
	add_bytes_field(fields, "freed_swap_bytes", known, bytes->freed_swap_bytes);
	add_bytes_field(fields, "freed_kernel_bytes", known && whatif->kernel_known,
			bytes->freed_kernel_bytes);
	add_bytes_field(fields, "freed_zram_estimate_bytes", known && whatif->zram_known,
			whatif->freed_zram_estimate_bytes);
	add_bytes_field(fields, "freed_hugetlb_bytes", known, bytes->freed_hugetlb_bytes);
	add_bytes_field(fields, "reclaimable_bytes", known, bytes->reclaimable_bytes);
	add_bytes_field(fields, "kept_bytes", known, bytes->kept_bytes);
	add_bytes_field(fields, "kept_swap_bytes", known, bytes->kept_swap_bytes);
	add_bytes_field(fields, "unknown_bytes", known, bytes->unknown_bytes);
	add_bytes_field(fields, "swap_free_bytes", whatif->swap_free_known,
			whatif->swap_free_bytes);
}

/* Whether one flat table is wanted, as programs get it. */
static bool is_flat(const struct cli *cli)
{
	return !cli->shape.for_eyes || cli->shape.columns || cli->shape.sort;
}

static int print_answer(const struct cli *cli, struct answer *a)
{
	struct report_section sections[MEMOIR_WHATIF_BYS + 1];
	struct fields fields = { 0 };
	struct report report = {
		.schema = "memoir.whatif/1",
		.sheet = is_flat(cli) ? &a->all : &a->sheets[MEMOIR_WHATIF_BY_PROCESS],
		.notes = (const char *const *)a->whatif.notes,
		.note_count = a->whatif.note_count,
		.partial = a->whatif.partial,
		.summary = a->summary,
		.sections = sections,
	};

	make_fields(cli, &a->whatif, &fields);
	report.fields = fields.all;
	report.field_count = fields.count;
	for (size_t by = MEMOIR_WHATIF_BY_NAME; by < MEMOIR_WHATIF_BYS && !is_flat(cli); by++)
		if (a->sheets[by].row_count)
			sections[report.section_count++] =
				(struct report_section){ NULL, a->titles[by], &a->sheets[by] };
	if (cli->json || a->keeper_sheet.row_count)
		sections[report.section_count++] =
			(struct report_section){ "keepers", a->keeper_title, &a->keeper_sheet };
	return cli_report(cli, &report);
}

static int ask(const struct cli *cli, struct answer *a)
{
	enum memoir_whatif_action action =
		strcmp(cli->action, "kill") == 0 ? MEMOIR_WHATIF_KILL : MEMOIR_WHATIF_TRIM;
	struct memoir_error error = { 0 };
	char scope[SCOPE_NOTE_MAX];

	if (memoir_whatif(cli->snapshot, action, cli->selection, &a->whatif) < 0)
		return cli_no_memory();
	if (a->whatif.pid_count == 0) {
		complain("no process matches: memoir ps with the same selectors shows what they "
			 "mean");
		if (cli_note_scope(cli, scope))
			complain("%s", scope);
		return EXIT_FAILED;
	}
	a->context = (struct whatif_context){ cli->snapshot, &a->whatif };
	summarize(cli, a);
	int err = make_sheets(cli, a, &error);

	if (err < 0)
		return cli_fail(&error, err);
	return print_answer(cli, a);
}

static int run(struct cli *cli)
{
	struct answer answer = { 0 };
	int code = cli_take_snapshot(cli);

	if (code != EXIT_DONE)
		return code;
	code = ask(cli, &answer);
	free_answer(&answer);
	return code;
}

const struct command whatif_command = {
	.name = "whatif",
	.args = "kill|trim SELECTOR...",
	.actions = actions,
	.summary = "what would come back if processes ended, or were paged out",
	.doc = "Print what RAM and swap would come back, what would merely become reclaimable, and "
	       "what would stay and who keeps it, if the selected processes ended (kill) or their "
	       "regions were paged out (trim). Nothing is ended or moved."
	       "\vA SELECTOR is KEY:GLOB[,GLOB...] with one of the keys pid comm user cgroup name "
	       "path kind object, or a pid, or PID:START-END; several must all match. kill takes "
	       "processes as a whole, also where a region is selected; trim takes the regions. "
	       "Each page counts once: in the row of the one that has it, or in that of several.",
	.model = &whatif_model,
	.flags = COMMAND_SNAPSHOT | COMMAND_NEEDS_ARG | COMMAND_BUFFERS,
	.run = run,
};
