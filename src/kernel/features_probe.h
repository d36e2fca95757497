/* SPDX-License-Identifier: MIT */
/*
 * Between features.c, which has the table and the probes that read text, and features_live.c, which
 * has those that try something on the running kernel; nobody else needs it.
 */
#ifndef MEMOIR_KERNEL_FEATURES_PROBE_H
#define MEMOIR_KERNEL_FEATURES_PROBE_H

#include <stdbool.h>

#include "kernel/root.h"

struct walk;

/* What the probes of one run share. */
struct probing {
	const struct kroot *root;
	char detail[256]; /* of the feature being probed */
	struct walk *walk;
	int walk_err;
	char walk_why[256];
};

/* 1, 0 or negative errno, as kfeature.available. */
typedef int (*probe_fn)(struct probing *p);

int detailed(struct probing *p, int available, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether the kernel's release is at least this; false also where it cannot be read. */
bool release_at_least(const struct kroot *root, int major, int minor);

/* Load memoir's own BPF programs, to be tried by the probes below. */
void live_begin(struct probing *p);
void live_end(struct probing *p);

int live_frames(struct probing *p);
int live_scan(struct probing *p);
int live_procmap_query(struct probing *p);
int live_kpagecount(struct probing *p);
int live_kpageflags(struct probing *p);
int live_page_mapcount(struct probing *p);
int live_bpf_load(struct probing *p);
int live_bpf_iterators(struct probing *p);
int live_bpf_tables(struct probing *p);
int live_bpf_casts(struct probing *p);
int live_bpf_lockless(struct probing *p);
int live_bpf_counters(struct probing *p);
int live_bpf_mappers(struct probing *p);
int live_open_files(struct probing *p);
int live_unix_queues(struct probing *p);
int live_dmabufs(struct probing *p);
int live_map_files(struct probing *p);
int live_watch(struct probing *p);
int live_sysvipc(struct probing *p);
int live_cookie(struct probing *p);
int live_anon_names(struct probing *p);
int live_memfd(struct probing *p);
int live_children(struct probing *p);
int live_exit_status(struct probing *p);
int live_pidfd(struct probing *p);
int live_pidfd_getfd(struct probing *p);
int live_birth(struct probing *p);
int live_process_madvise(struct probing *p);
int live_cachestat(struct probing *p);
int live_userfaultfd(struct probing *p);
int live_soft_dirty(struct probing *p);
int live_uffd_async(struct probing *p);
int live_damon(struct probing *p);
int live_io_uring(struct probing *p);

#endif
