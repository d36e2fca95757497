/* SPDX-License-Identifier: MIT */
/*
 * What bpf/cookie.bpf.c and cookie.c hand each other. Included by both sides, so it may use nothing but
 * the fixed-width types they define.
 */
#ifndef MEMOIR_KERNEL_COOKIE_FORMAT_H
#define MEMOIR_KERNEL_COOKIE_FORMAT_H

/* Kernel addresses: looked up once, then asked about. */
struct cookie_found {
	u64 task, mm;
	u32 kind; /* of mm_lock_seq: 0: there is none; 1: an int; 2: a seqcount */
	u32 unused;
};

struct cookie_query {
	u64 task; /* in */
	u64 mm;   /* out, and all below */
	u64 exec_id;
	u32 seq;
	u32 unused;
};

#endif
