/* SPDX-License-Identifier: MIT */
/*
 * Watches programs name their memory by prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME), whatever the kernel answers,
 * and of those that were refused what becomes of the memory. Programs run as ever. x86-64, no 32-bit programs.
 */
#ifndef MEMOIR_KERNEL_WATCH_H
#define MEMOIR_KERNEL_WATCH_H

#include <memoir/memoir.h>

#include "kernel/root.h"

typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;

#include "kernel/watch_format.h"

struct watch;

/*
 * From now on what happens is put into a ring of WATCH_RING_BYTES. By fexit programs, where only prctl, mmap, munmap and
 * mremap get slower; where these are refused by the tracepoint of all system calls, 50 ns for each. A name costs
 * its caller 0.6 µs, and up to 5 µs where it wakes the reader. Linux 5.17, CAP_BPF and CAP_PERFMON, BTF, the
 * initial pid namespace.
 * 0; -EPERM: error->text says which capability is missing; -EOPNOTSUPP; -ENOMEM.
 */
int watch_open(const struct kroot *root, struct watch **ret_watch, struct memoir_error *error);
void watch_close(struct watch *watch);

/* Whether only the calls it is about get slower, not all. */
bool watch_is_light(const struct watch *watch);

/* For poll(2): readable when there is something in the ring. */
int watch_fd(const struct watch *watch);

/*
 * Hand out what is in the ring, `most` records at most, in the order in which it happened; the name has a NUL and is
 * "" where there is none. Returns how many.
 */
typedef void (*watch_fn)(const struct watch_record *record, const char *name, void *arg);
size_t watch_read(struct watch *watch, size_t most, watch_fn each, void *arg);

/* The life that a process is in now, 0: none. */
uint64_t watch_life(const struct watch *watch, u32 tgid);

/* What found no room, since watch_open(). */
struct watch_lost watch_lost(const struct watch *watch);

#endif
