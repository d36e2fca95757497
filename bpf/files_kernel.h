/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The kernel's structures as far as the lists of open files and dma-bufs read them, besides those of walk_kernel.h. Only names matter: libbpf's CO-RE finds the
 * offsets in the running kernel's BTF, so one build runs on all kernels. Nothing else goes here.
 */
#ifndef MEMOIR_FILES_KERNEL_H
#define MEMOIR_FILES_KERNEL_H

#include "walk_kernel.h"

/* Each in 8 bytes, whatever its size. */
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd __attribute__((aligned(8)));
	struct file *file;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct dma_buf {
	unsigned long size;
	struct file *file;
	const char *exp_name;
	const char *name;
	void *priv;
};

struct folio {
	struct address_space *mapping;
};

struct udmabuf {
	struct folio **folios; /* since 6.11 */
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
};

struct sk_buff_head {
	__u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
};

struct socket {
	struct sock *sk;
};

typedef struct {
	int counter;
} atomic_t;

struct scm_stat {
	atomic_t nr_fds;
};

struct unix_sock {
	struct scm_stat scm_stat;
};

#pragma clang attribute pop

#endif
