/* SPDX-License-Identifier: MIT */
/*
 * The small text files about one process (stat, status, cgroup), and a few about the machine.
 */
#ifndef MEMOIR_KERNEL_PROCESS_H
#define MEMOIR_KERNEL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/root.h"

struct memoir_error;

struct process_stat {
	char comm[64];
	char state;
	pid_t ppid;
	uint64_t start_ticks;
	/* Where exec put the stack: another address is another program. 0: not told (no right to, or no memory). */
	uint64_t stack_start;
	uint64_t heap_start; /* where brk(2) begins; told to the same */
	bool kernel_thread;
	uint32_t threads;
	uint64_t major_faults; /* pages that had to be read in for it: from swap or files */
};

struct process_status {
	uid_t uid;
	uint64_t page_table_bytes;
	uint64_t locked_bytes; /* VmLck: of address space */
	pid_t tracer;          /* 0: nobody */
	bool has_memory; /* false: a zombie or a kernel thread (also a leader that has exited) */
};

/* 0, -ENOENT or -ESRCH when it is gone, -EBADMSG when the text is not as expected. */
int process_stat(const struct kroot *root, pid_t pid, struct process_stat *ret_stat);
int process_status(const struct kroot *root, pid_t pid, pid_t tid,
		   struct process_status *ret_status);

/* Whether it is the process that began then, and, where both are told, runs the program with that stack. */
bool process_is_same(const struct process_stat *stat, uint64_t start_ticks, uint64_t stack_start);

/* The stack_start of the process that began then; 0 where it is not told, or the process is gone. */
uint64_t process_stack_start(const struct kroot *root, pid_t pid, uint64_t start_ticks);

/*
 * What getpid(2) tells a process, and whether it is in the pid namespace that /proc is of: then it calls
 * others as we do. 0 or negative errno.
 */
int process_own_pid(const struct kroot *root, pid_t pid, pid_t *ret_own, bool *ret_ours);

/* R, S, D, T, t, Z, X as /proc/PID/task/TID/stat has it; 0: gone. */
char process_thread_state(const struct kroot *root, pid_t pid, pid_t tid);

/* Whether every thread of a process is stopped (by a signal or a tracer), or has ended. */
bool process_is_stopped(const struct kroot *root, pid_t pid);

/* Whether a thread has ended, or is gone altogether. */
bool process_thread_ended(const struct kroot *root, pid_t pid, pid_t tid);

/* The unified path, or where that is "/" or absent the first v1 hierarchy's with another path. */
int process_cgroup(const struct kroot *root, pid_t pid, char *buf, size_t size);

enum process_text { PROCESS_MAPS, PROCESS_SMAPS };

/* /proc/PID/task/TID/maps or smaps, whole. Empty when there is no memory (a zombie, an exited leader). */
ssize_t process_text(const struct kroot *root, pid_t pid, pid_t tid, enum process_text which,
		     struct kbuf *buf);

/* The path of a mapped file without any escapes (map_files; CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE). */
int process_mapped_path(const struct kroot *root, pid_t pid, uint64_t start, uint64_t end,
			char *buf, size_t size);

/* Every pid in /proc, or every thread of one, in rising order of the directory. */
int process_each(const struct kroot *root, int (*each)(pid_t pid, void *arg), void *arg);
int process_each_thread(const struct kroot *root, pid_t pid, int (*each)(pid_t tid, void *arg),
			void *arg);

/* The children that a thread of a process has made (CONFIG_PROC_CHILDREN). 0 or negative errno. */
int process_each_child(const struct kroot *root, pid_t pid, pid_t tid,
		       int (*each)(pid_t pid, void *arg), void *arg);

/* The maps of what a thread executes now, to be asked by procmap_query(); after exec it has none. fd or errno. */
int process_maps_open(const struct kroot *root, pid_t tid);

/* The last number that a process or thread was given, by an open /proc/loadavg; -1: it is not known. */
int process_forks_open(const struct kroot *root);
pid_t process_last_pid(int forks_fd);

/* The process that a thread is of, or negative errno. */
pid_t process_of_thread(const struct kroot *root, pid_t tid);
/* The same asked of a guess, without reading: whether the thread is of this process. */
bool process_has_thread(pid_t pid, pid_t tid);

/*
 * Where in its memory the program has the 16 random bytes that the kernel gave it at exec (AT_RANDOM):
 * they tell one execution from another. PTRACE_MODE_READ. 0, -ENODATA or another negative errno.
 */
int process_random_at(const struct kroot *root, pid_t tid, uint64_t *ret_addr);

/* Whether the two have one address space (kcmp(2)). */
bool process_same_memory(pid_t a, pid_t b);

/*
 * Whether pids here are those of the initial pid namespace, by which the BPF iterators number processes.
 */
bool process_pids_are_initial(const struct kroot *root);

/* Whether BPF iterators see the processes of this root, by the same pids. 0, or -EOPNOTSUPP and which it is. */
int process_may_iterate(const struct kroot *root, struct memoir_error *error);

/* Whether the two threads have one table of open files (kcmp(2)); true where that can't be asked. */
bool process_same_files(pid_t a, pid_t b);

/* Whether KSM has merged pages now. */
bool process_ksm_in_use(const struct kroot *root);

#endif
