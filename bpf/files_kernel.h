/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The kernel's structures as far as files.bpf.c reads them. Only names matter: libbpf's CO-RE finds the
 * offsets in the running kernel's BTF, so one build runs on all kernels. Nothing else goes here.
 */
#ifndef MEMOIR_FILES_KERNEL_H
#define MEMOIR_FILES_KERNEL_H

#ifndef NULL
#define NULL ((void *)0)
#endif
#define bool _Bool
#define true 1
#define false 0

struct file;
struct inode;
struct seq_file;
struct task_struct;
struct vm_area_struct;

struct bpf_iter_meta {
	struct seq_file *seq;
};

/* Each in 8 bytes, whatever its size. */
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd __attribute__((aligned(8)));
	struct file *file;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct super_block {
	unsigned int s_dev;
	unsigned long s_magic;
};

struct address_space {
	struct inode *host;
	unsigned long nrpages;
};

struct inode {
	unsigned short i_mode;
	unsigned int i_rdev;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	long long i_size;
	unsigned long long i_blocks;
	struct address_space i_data;
};

struct shmem_inode_info {
	unsigned long swapped;
	struct inode vfs_inode;
};

struct vfsmount;
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	struct address_space *f_mapping;
	void *private_data;
};

struct task_struct {
	int tgid;
	int pid;
};

struct vm_area_struct {
	struct file *vm_file;
};

struct mm_struct {
	unsigned long brk;
};

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
