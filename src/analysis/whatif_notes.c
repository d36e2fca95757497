// SPDX-License-Identifier: MIT
/*
 * What the figures of a what-if lack and what goes with them, in sentences; changes no figure.
 */
#include "analysis/whatif.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/sets.h"
#include "base/grow.h"

#define MIB (1024.0 * 1024.0)

static int __attribute__((format(printf, 2, 3)))
say(struct whatif_run *run, const char *format, ...)
{
	struct memoir_whatif *out = run->out;
	char **notes = grow(out->notes, &run->note_room, out->note_count + 1, sizeof(*notes));
	va_list args;
	char *text;

	if (!notes)
		return -ENOMEM;
	out->notes = notes;
	va_start(args, format);
	int len = vasprintf(&text, format, args);

	va_end(args);
	if (len < 0)
		return -ENOMEM;
	notes[out->note_count++] = text;
	return 0;
}

/* Something is missing from the figures; `what` has its verb, as there may be one of it or more. */
static int say_missing(struct whatif_run *run, size_t count, const char *one, const char *more)
{
	if (!count)
		return 0;
	run->out->partial = true;
	return count == 1 ? say(run, "%s", one) : say(run, "%zu %s", count, more);
}

static int note_sharing(struct whatif_run *run)
{
	if (sharing_is_known(run->s))
		return 0;
	run->out->partial = true;
	if (run->s->engine != MEMOIR_ENGINE_SMAPS)
		return say(run, "the snapshot was taken without sharing sets, so what would come "
				"back is not known");
	return say(run,
		   "smaps does not tell who shares which pages, so what would come back is not "
		   "known: run memoir as root, or with CAP_SYS_ADMIN, CAP_BPF and CAP_PERFMON");
}

static pid_t first_meant_pid(const struct whatif_run *run, const struct memoir_process *process)
{
	for (uint32_t i = 0; i < process->peer_count; i++)
		if (!meant_pid(run->selection, process, process->pid) &&
		    meant_pid(run->selection, process, process->peers[i]))
			return process->peers[i];
	return process->pid;
}

static int note_peers(struct whatif_run *run)
{
	int err = 0;

	for (uint32_t i = 0; i < run->s->process_count && run->kill && !err; i++)
		if (run->processes[i] == MEANT_IN_PART)
			err = say(run,
				  "all memory of pid %d is kept, because pid %d shares the address "
				  "space and is not selected",
				  (int)first_meant_pid(run, &run->s->processes[i]),
				  (int)whatif_keeper_pid(run, i));
	return err;
}

static int note_processes(struct whatif_run *run)
{
	int err = say_missing(run, run->unreadable,
			      "a selected process could not be read: what it has is missing here",
			      "selected processes could not be read: what they have is missing "
			      "here");

	if (!err)
		err = say_missing(run, run->tables_unknown,
				  "the page tables of a process are not known: they are missing "
				  "from freed_kernel_bytes",
				  "processes have page tables of unknown size: they are missing "
				  "from freed_kernel_bytes");
	if (!err)
		err = say_missing(
			run, run->threads_unknown,
			"the number of a process's threads is not known: their stacks are "
			"missing from freed_kernel_bytes",
			"processes have an unknown number of threads: their stacks are "
			"missing from freed_kernel_bytes");
	return err;
}

static int note_objects(struct whatif_run *run)
{
	int err = say_missing(run, run->holders_unknown,
			      "who has files open was not looked for: an object that may be open "
			      "elsewhere counts neither as freed nor as kept, but as unknown_bytes",
			      "objects may be open elsewhere, which was not looked for: they count "
			      "neither as freed nor as kept, but as unknown_bytes");

	if (!err)
		err = say_missing(run, run->residency_unknown,
				  "of an object that goes only the mapped pages are known: it may "
				  "have more",
				  "objects that go are known by their mapped pages only: they may "
				  "have more");
	if (!err && !run->holders_unknown && run->out->bytes.unknown_bytes) {
		run->out->partial = true;
		err = say(run,
			  "%.2f MiB are pages of objects of which it is not known whether they go "
			  "with their last user (unknown_bytes)",
			  (double)run->out->bytes.unknown_bytes / MIB);
	}
	return err;
}

static int note_swap(struct whatif_run *run)
{
	double freed_mib = (double)run->out->bytes.freed_bytes / MIB;
	double swap_free_mib = (double)run->out->swap_free_bytes / MIB;

	if (run->kill || !run->out->known || !run->out->bytes.freed_bytes)
		return 0;
	if (!run->out->swap_free_known)
		return say(run, "to page out freed_bytes takes as much swap: %.2f MiB", freed_mib);
	return say(run,
		   "to page out freed_bytes takes as much swap: %.2f MiB, and %.2f MiB are free%s",
		   freed_mib, swap_free_mib,
		   run->out->swap_free_bytes < run->out->bytes.freed_bytes
			   ? ", so that not all of it can move"
			   : "");
}

int whatif_write_notes(struct whatif_run *run)
{
	int err = note_sharing(run);

	if (!err)
		err = note_peers(run);
	if (!err)
		err = note_processes(run);
	if (!err)
		err = note_objects(run);
	return err ? err : note_swap(run);
}
