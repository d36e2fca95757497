// SPDX-License-Identifier: MIT
/*
 * Makes the calls by which hints are given; which ranges and when is for others to say.
 */
#include "kernel/hint.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every architecture. */
enum { NR_PROCESS_MADVISE = 440 };

ssize_t hint_give(int pidfd, const struct iovec *ranges, size_t count, enum hint_advice advice)
{
	long done = syscall(NR_PROCESS_MADVISE, pidfd, ranges, count, (int)advice, 0);

	return done < 0 ? -errno : done;
}

void hint_drain_batches(void)
{
	static _Alignas(4096) char page[4096];
	cpu_set_t all, one;

	/* More CPUs than a set holds: what their batches have stays where it is. */
	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) == 0)
			(void)madvise(page, sizeof(page), HINT_ADVICE_COLD);
	}
	(void)sched_setaffinity(0, sizeof(all), &all);
}

static bool has_fowner(const struct kroot *root)
{
	char text[8192];
	const char *at;
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/self/status");
	unsigned long long effective;

	at = len > 0 ? strstr(text, "\nCapEff:") : NULL;
	return at && sscanf(at, "\nCapEff: %llx", &effective) == 1 && (effective >> CAP_FOWNER & 1);
}

bool hint_may_page_file(const struct kroot *root, pid_t pid, const char *path, uint32_t dev_major,
			uint32_t dev_minor, uint64_t inode)
{
	struct statx st;

	if (has_fowner(root))
		return true;
	if (!path || *path != '/' || kroot_stat(root, &st, "proc/%d/root%s", pid, path) < 0)
		return false;
	/* Another file has the name now, or the file system shows other numbers in maps. */
	if (st.stx_ino != inode || st.stx_dev_major != dev_major || st.stx_dev_minor != dev_minor)
		return false;
	return st.stx_uid == geteuid() || kroot_may_write(root, "proc/%d/root%s", pid, path);
}
