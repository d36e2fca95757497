// SPDX-License-Identifier: MIT
/*
 * Sentences for what goes wrong when hints are given; each says which right is missing and how to have it.
 */
#include "hints/refusal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"

#define LOOKING                                                                                 \
	"it needs the same user and a program that may be looked at, or CAP_SYS_PTRACE in the " \
	"user namespace of the process (run memoir as root, or give it the capability)"

int refusal_of_open(struct memoir_error *error, pid_t pid, int err)
{
	if (err == -EACCES || err == -EPERM)
		return error_set_about(
			error, err, pid, NULL,
			"the mappings of process %d may not be looked at (%s): " LOOKING, (int)pid,
			strerror(-err));
	if (err == -ENOSYS)
		return error_set_about(error, err, pid, NULL,
				       "this kernel has no pidfd_open: hints need Linux 5.10");
	if (err == -EMFILE || err == -ENFILE)
		return error_set_about(
			error, err, pid, NULL,
			"process %d can't be opened: %s; raise the limit (ulimit -n)", (int)pid,
			strerror(-err));
	return error_set_about(error, err, pid, NULL, "process %d can't be opened: %s", (int)pid,
			       strerror(-err));
}

int refusal_of_hint(struct memoir_error *error, pid_t pid, enum memoir_hint hint, uint64_t start,
		    uint64_t end, int err)
{
	const char *name = memoir_hint_name(hint);

	switch (err) {
	case -EPERM:
		return error_set_about(
			error, err, pid, NULL,
			"hints to process %d need CAP_SYS_NICE in the initial user "
			"namespace, also for one's own processes: run memoir as root, or "
			"give it the capability (setcap cap_sys_nice+ep)",
			(int)pid);
	case -EACCES:
		return error_set_about(error, err, pid, NULL,
				       "hints to process %d are refused (%s): " LOOKING, (int)pid,
				       strerror(-err));
	case -ENOSYS:
		return error_set_about(
			error, err, pid, NULL,
			"this kernel has no process_madvise: hints need Linux 5.10, and "
			"CONFIG_ADVISE_SYSCALLS");
	case -EINVAL:
		return error_set_about(error, err, pid, NULL,
				       "this kernel takes no hint '%s' for other processes%s", name,
				       hint == MEMOIR_HINT_COLLAPSE ? " (Linux 6.1)" : "");
	default:
		return error_set_about(error, err, pid, NULL,
				       "the hint '%s' for %" PRIx64 "-%" PRIx64
				       " of process %d failed: %s",
				       name, start, end, (int)pid, strerror(-err));
	}
}
