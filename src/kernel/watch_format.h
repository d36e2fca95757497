/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The records that bpf/watch.h puts into its ring, for watch.c only.
 */
#ifndef MEMOIR_KERNEL_WATCH_FORMAT_H
#define MEMOIR_KERNEL_WATCH_FORMAT_H

#define WATCH_COMM_BYTES 16
/* A name that fills it is too long in any case. */
#define WATCH_NAME_BYTES 88

enum watch_what {
	WATCH_NAME,  /* prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME) returned */
	WATCH_UNMAP, /* what was [start, start + bytes) is gone, or something new is there */
	WATCH_MOVE,  /* mremap: [start, start + bytes) is at `to` now, of to_bytes */
	WATCH_FORK,  /* a child of a process with refused names, which is `other` */
	WATCH_GONE,  /* such a process called exec, or ended */
};

/* Only WATCH_NAME has a name behind it. */
struct watch_record {
	u32 what;
	u32 tgid, tid;
	u32 other_tgid;
	/* A process from its first refused name, or from fork, to exec or exit; 0: it has none. */
	u64 life, other_life;
	u64 start_ns; /* of the process, since boot */
	u64 time_ns;  /* CLOCK_MONOTONIC */
	u64 start, bytes, to, to_bytes;
	u64 name_addr;  /* 0: the name is taken away */
	s32 answer;     /* of prctl */
	s32 name_bytes; /* with the NUL; negative: it could not be read */
	char comm[WATCH_COMM_BYTES];
};

struct watch_name {
	struct watch_record record;
	char name[WATCH_NAME_BYTES];
};

/* Records that found no room in the ring, and processes beyond WATCH_PROCESSES. */
struct watch_lost {
	u64 names, changes, processes;
};

#define WATCH_PROCESSES 16384
#define WATCH_RING_BYTES (4u << 20)

#endif
