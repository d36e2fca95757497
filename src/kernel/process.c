// SPDX-License-Identifier: MIT
/*
 * Parses what /proc says of a process in small files; every field is taken as hostile text.
 */
#include "kernel/process.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

#define PF_KTHREAD 0x00200000ul

/* comm may hold spaces and parentheses: it ends at the last ')'. */
int process_stat(const struct kroot *root, pid_t pid, struct process_stat *ret_stat)
{
	char text[2048];
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/%d/stat", pid);

	if (len < 0)
		return (int)len;
	char *open = strchr(text, '('), *close = strrchr(text, ')');

	if (!open || !close || close < open)
		return -EBADMSG;
	struct process_stat stat = { 0 };
	size_t comm_len = (size_t)(close - open - 1);
	unsigned long long start, stack = 0, heap = 0;
	unsigned long long faults;
	unsigned long flags;
	unsigned int threads;

	if (comm_len >= sizeof(stat.comm))
		comm_len = sizeof(stat.comm) - 1;
	memcpy(stat.comm, open + 1, comm_len);
	if (sscanf(close + 1,
		   " %c %d %*d %*d %*d %*d %lu %*u %*u %llu %*u %*u %*u %*d %*d %*d %*d %u %*d "
		   "%llu %*u %*d %*u %*u %*u %llu %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %*d %*u "
		   "%*u %*u %*u %*d %*u %*u %llu",
		   &stat.state, &stat.ppid, &flags, &faults, &threads, &start, &stack, &heap) < 6)
		return -EBADMSG;
	stat.kernel_thread = flags & PF_KTHREAD;
	stat.start_ticks = start;
	stat.stack_start = stack;
	stat.heap_start = heap;
	stat.threads = threads;
	stat.major_faults = faults;
	*ret_stat = stat;
	return 0;
}

bool process_is_same(const struct process_stat *stat, uint64_t start_ticks, uint64_t stack_start)
{
	return stat->start_ticks == start_ticks &&
	       (!stat->stack_start || !stack_start || stat->stack_start == stack_start);
}

uint64_t process_stack_start(const struct kroot *root, pid_t pid, uint64_t start_ticks)
{
	struct process_stat stat;

	return process_stat(root, pid, &stat) == 0 && stat.start_ticks == start_ticks
		       ? stat.stack_start
		       : 0;
}

static const char *line_value(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? at + strlen(key) : NULL;
}

int process_status(const struct kroot *root, pid_t pid, pid_t tid,
		   struct process_status *ret_status)
{
	char text[8192];
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/%d/task/%d/status", pid, tid);

	if (len < 0)
		return (int)len;
	const char *uid = line_value(text, "\nUid:"), *pte = line_value(text, "\nVmPTE:");
	const char *locked = line_value(text, "\nVmLck:");
	const char *tracer = line_value(text, "\nTracerPid:");

	if (!uid)
		return -EBADMSG;
	*ret_status = (struct process_status){
		.uid = (uid_t)strtoul(uid, NULL, 10),
		.page_table_bytes = pte ? strtoull(pte, NULL, 10) * 1024 : 0,
		.locked_bytes = locked ? strtoull(locked, NULL, 10) * 1024 : 0,
		.tracer = tracer ? (pid_t)strtol(tracer, NULL, 10) : 0,
		.has_memory = pte,
	};
	return 0;
}

/* NSpid has it in each namespace down to its own; without namespaces there is no such line. */
int process_own_pid(const struct kroot *root, pid_t pid, pid_t *ret_own, bool *ret_ours)
{
	char text[8192];
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/%d/status", pid);
	const char *at;
	char *end;
	pid_t own = pid;
	int count = 0;

	if (len < 0)
		return (int)len;
	at = line_value(text, "\nNSpid:");
	for (; at && *at && *at != '\n'; at = end) {
		long number = strtol(at, &end, 10);

		if (end == at)
			break;
		own = (pid_t)number;
		count++;
	}
	*ret_own = own;
	*ret_ours = count <= 1;
	return 0;
}

char process_thread_state(const struct kroot *root, pid_t pid, pid_t tid)
{
	char text[2048];
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/%d/task/%d/stat", pid, tid);
	const char *close = len > 0 ? strrchr(text, ')') : NULL;

	return close && close[1] == ' ' ? close[2] : 0;
}

bool process_thread_ended(const struct kroot *root, pid_t pid, pid_t tid)
{
	char state = process_thread_state(root, pid, tid);

	return !state || state == 'Z' || state == 'X';
}

struct stopped_run {
	const struct kroot *root;
	pid_t pid;
};

static int is_running(pid_t tid, void *arg)
{
	struct stopped_run *run = arg;
	char state = process_thread_state(run->root, run->pid, tid);

	return state && !strchr("TtZX", state);
}

bool process_is_stopped(const struct kroot *root, pid_t pid)
{
	struct stopped_run run = { root, pid };

	return process_each_thread(root, pid, is_running, &run) == 0;
}

int process_cgroup(const struct kroot *root, pid_t pid, char *buf, size_t size)
{
	char text[8192], *next = text, *line;
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/%d/cgroup", pid);
	const char *best = NULL;

	if (len < 0)
		return (int)len;
	while ((line = strsep(&next, "\n")) && *line) {
		char *path = strchr(line, ':');

		path = path ? strchr(path + 1, ':') : NULL;
		if (!path)
			return -EBADMSG;
		path++;
		/* Lines run from the highest v1 hierarchy down to the unified one, "0::". */
		if (strncmp(line, "0::", 3) == 0 ? !best || strcmp(path, "/") != 0
						 : !best || strcmp(best, "/") == 0)
			best = path;
	}
	if (!best)
		return -ENODATA;
	snprintf(buf, size, "%s", best);
	return 0;
}

ssize_t process_text(const struct kroot *root, pid_t pid, pid_t tid, enum process_text which,
		     struct kbuf *buf)
{
	const char *file = which == PROCESS_SMAPS ? "smaps" : "maps";

	if (pid == tid)
		return kroot_slurp(root, buf, "proc/%d/%s", pid, file);
	return kroot_slurp(root, buf, "proc/%d/task/%d/%s", pid, tid, file);
}

int process_mapped_path(const struct kroot *root, pid_t pid, uint64_t start, uint64_t end,
			char *buf, size_t size)
{
	ssize_t len = kroot_readlink(root, buf, size, "proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid,
				     start, end);

	return len < 0 ? (int)len : 0;
}

static int each_number(int fd, int (*each)(pid_t pid, void *arg), void *arg)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int err = 0;

	/* It looks at the directory, which a process takes with it. */
	if (!dir) {
		err = -errno;
		close(fd);
		return err;
	}
	while (!err && (entry = readdir(dir))) {
		char *end;
		long number = strtol(entry->d_name, &end, 10);

		if (number > 0 && *end == '\0')
			err = each((pid_t)number, arg);
	}
	closedir(dir);
	return err;
}

int process_each(const struct kroot *root, int (*each)(pid_t pid, void *arg), void *arg)
{
	int fd = kroot_fd(root, "proc");

	return fd < 0 ? fd : each_number(fd, each, arg);
}

int process_each_thread(const struct kroot *root, pid_t pid, int (*each)(pid_t tid, void *arg),
			void *arg)
{
	int fd = kroot_fd(root, "proc/%d/task", pid);

	return fd < 0 ? fd : each_number(fd, each, arg);
}

int process_each_child(const struct kroot *root, pid_t pid, pid_t tid,
		       int (*each)(pid_t pid, void *arg), void *arg)
{
	struct kbuf text = { 0 };
	ssize_t len = kroot_slurp(root, &text, "proc/%d/task/%d/children", pid, tid);
	char *at = text.data, *end;
	int err = len < 0 ? (int)len : 0;

	while (!err && len > 0 && *at) {
		long child = strtol(at, &end, 10);

		if (end == at)
			break;
		err = each((pid_t)child, arg);
		at = end + strspn(end, " ");
	}
	kbuf_free(&text);
	return err;
}

int process_maps_open(const struct kroot *root, pid_t tid)
{
	return kroot_fd(root, "proc/%d/maps", tid);
}

int process_forks_open(const struct kroot *root)
{
	return kroot_fd(root, "proc/loadavg");
}

/* "0.00 0.00 0.00 1/234 5678" */
pid_t process_last_pid(int forks_fd)
{
	char text[96];
	ssize_t len = pread(forks_fd, text, sizeof(text) - 1, 0);
	const char *at;

	text[len > 0 ? len : 0] = '\0';
	at = strrchr(text, ' ');
	return at ? (pid_t)strtol(at, NULL, 10) : -1;
}

pid_t process_of_thread(const struct kroot *root, pid_t tid)
{
	char text[8192];
	ssize_t len = kroot_read(root, text, sizeof(text), "proc/%d/status", tid);
	const char *pid;

	if (len < 0)
		return (pid_t)len;
	pid = line_value(text, "\nTgid:");
	return pid ? (pid_t)strtol(pid, NULL, 10) : -EBADMSG;
}

bool process_has_thread(pid_t pid, pid_t tid)
{
	return syscall(SYS_tgkill, pid, tid, 0) == 0 || errno == EPERM;
}

int process_random_at(const struct kroot *root, pid_t tid, uint64_t *ret_addr)
{
	unsigned long words[2 * 64];
	ssize_t len = kroot_read(root, (char *)words, sizeof(words), "proc/%d/auxv", tid);

	if (len < 0)
		return (int)len;
	for (size_t i = 0; (i + 2) * sizeof(*words) <= (size_t)len && words[i]; i += 2) {
		if (words[i] != AT_RANDOM)
			continue;
		*ret_addr = words[i + 1];
		return 0;
	}
	return -ENODATA;
}

bool process_same_memory(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0) == 0;
}

bool process_same_files(pid_t a, pid_t b)
{
	long order = syscall(SYS_kcmp, a, b, KCMP_FILES, 0, 0);

	return order == 0 || (order < 0 && errno == ENOSYS);
}

bool process_pids_are_initial(const struct kroot *root)
{
	const uint64_t initial = 0xEFFFFFFC; /* PROC_PID_INIT_INO, kernel ABI */
	struct statx st;

	return kroot_stat(root, &st, "proc/self/ns/pid") == 0 && st.stx_ino == initial;
}

int process_may_iterate(const struct kroot *root, struct memoir_error *error)
{
	if (!kroot_is_live(root))
		return error_set(error, -EOPNOTSUPP, "BPF reads the running kernel only");
	if (!process_pids_are_initial(root))
		return error_set(error, -EOPNOTSUPP,
				 "BPF iterators need the initial pid namespace");
	return 0;
}

bool process_ksm_in_use(const struct kroot *root)
{
	char text[32];
	ssize_t len = kroot_read(root, text, sizeof(text), "sys/kernel/mm/ksm/pages_sharing");

	return len > 0 && strtoull(text, NULL, 10) > 0;
}
