/* SPDX-License-Identifier: MIT */
/*
 * Open files whose memory lives as long as they are open: those of tmpfs (memfds, POSIX shared memory),
 * of hugetlbfs, of memfd_secret, deleted ones that have a size, dma-bufs and DRM clients; and if asked
 * for, rings of io_uring, guest memory, and unix sockets with files in flight. Two ways, the same files.
 *
 * By BPF: Linux 5.17, CAP_BPF, CAP_PERFMON, the initial pid namespace. Along with the tasks (bpf/walk_files.h), 0.1 µs
 * for each fd of the machine and 4 µs for the path of each file, without what is only told if asked for; or all by an
 * iterator of its own (bpf/files.bpf.c), 3 ms to load once, 0.3 to 0.5 µs an fd. By text: /proc/PID/fd;
 * PTRACE_MODE_READ; 2 to 4 µs an fd. Text does not tell what of a deleted file is in RAM, nor memfd_secret from other
 * files.
 */
#ifndef MEMOIR_KERNEL_FILES_H
#define MEMOIR_KERNEL_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/internal_devs.h"
#include "kernel/root.h"
#include "kernel/unix_queues.h"

struct memoir_error;

/* A file that a process has open, or mapped. */
struct open_file {
	pid_t pid;
	pid_t tid;           /* the thread whose fd it is; 0: found by a mapping */
	int fd;              /* -1: found by a mapping */
	uint64_t start, end; /* of that mapping */
	uint64_t mapping;    /* the kernel's address of its address_space; 0 where text was read */
	uint32_t dev;        /* major << 20 | minor */
	uint32_t magic;      /* of its file system; 0: not known */
	uint32_t mode, nlink;
	uint32_t rdev; /* of a device: major << 20 | minor */
	uint64_t inode, size_bytes;
	uint64_t resident_bytes, swapped_bytes; /* of all of it, mapped or not */
	bool resident_known;                    /* both of them */
	const char *path; /* as /proc/PID/fd shows it, good during the call; NULL: not asked for */
	const char *exporter; /* of a dma-buf, good during the call; NULL: only its fdinfo tells */
	uint64_t backing;     /* of a udmabuf: the mapping its pages are in, 0: of nothing else */
	bool backing_known;
	uint32_t in_flight; /* of a unix socket: files that were passed and not received yet */
};

/* Files in flight to a socket, as its fdinfo says; of a listener those of connections it has yet to accept. */
uint32_t files_in_flight_by_text(const struct kroot *root, const struct open_file *file);

/* What is not 0 ends it, and is returned. */
typedef int (*open_file_fn)(const struct open_file *file, void *arg);

struct walk;

/*
 * Those that the last walk_tasks() listed, which has to have been told to (walk_want_files()): -ENODATA. No rings, guest
 * memory and sockets, and of dma-bufs neither exporter nor backing.
 */
int files_listed_each(struct walk *walk, bool with_paths, open_file_fn each, void *arg);

struct files;

/*
 * Load the program that finds all of them; the root is kept, and has to be there as long. -EOPNOTSUPP, -EPERM, -ENOMEM:
 * error (may be NULL) says what is missing.
 */
int files_open(const struct kroot *root, struct files **ret_files, struct memoir_error *error);
void files_close(struct files *files);

/* Ask now for what files_each() tells until it is forgotten; where that fails, it asks itself. */
void files_ask(struct files *files);
void files_forget(struct files *files);

/*
 * Each such fd of all processes, process by process. A process whose leader has exited is seen once by
 * each of its threads: then the same fd comes again.
 */
int files_each(struct files *files, open_file_fn each, void *arg);

/* How text is read. */
struct files_text {
	const struct kroot *root;
	struct internal_devs *devs; /* learns the mounts of processes */
	bool swap_in_use;           /* then blocks of shmem don't tell what is in RAM */
	bool all;                   /* rings and sockets too */
	/* Of sockets with nothing in their queue fdinfo, 5 µs, is not read. NULL: of all it is. */
	struct unix_queues *queues;
};

/*
 * The same by text, of one process. Threads that have fds of their own are looked at too, unless
 * single_thread says that there are none. 0, what each() returned, -EACCES, or -ENOENT: it is gone.
 */
int files_text_each(const struct files_text *text, pid_t pid, bool single_thread, open_file_fn each,
		    void *arg);

/* Any file that is mapped, by /proc/PID/map_files (CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE). */
int files_text_mapped(const struct files_text *text, pid_t pid, uint64_t start, uint64_t end,
		      struct open_file *ret_file);

/*
 * What of a file of shmem found by text is in RAM and in swap: cachestat(2), Linux 6.5, 34 ns a page.
 * No file of another file system is opened: that may have effects, or never return. 0 or negative errno.
 */
int files_text_count(const struct files_text *text, struct open_file *file);

#endif
