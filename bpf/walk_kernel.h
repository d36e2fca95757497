/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The kernel's structures as far as the walks read them. Only names matter: libbpf's CO-RE finds the
 * offsets in the running kernel's BTF, so one build runs on all kernels. Nothing else goes here.
 */
#ifndef MEMOIR_WALK_KERNEL_H
#define MEMOIR_WALK_KERNEL_H

#ifndef NULL
#define NULL ((void *)0)
#endif
#define bool _Bool
#define true 1
#define false 0

/*
 * Layouts that never change are spelled out: the kernel searches all its types by name for each
 * structure that is relocated, and that is most of what loading costs.
 */
struct rb_node {
	unsigned long parent_and_colour;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct anon_vma_name {
	int kref;
	char name[1];
};

struct vm_special_mapping {
	const char *name;
};

/* Followed by what RCU needs, and no other members, in every version. */
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *close_on_exec;
	unsigned long *open_fds;
};

/* Its first members. */
struct signal_struct {
	int sigcnt, live, nr_threads;
};

struct anon_vma;
struct task_struct;
struct vm_area_struct;
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct rw_semaphore {
	long count;
};

typedef struct {
	long counter;
} atomic_long_t;

typedef struct {
	unsigned int sequence;
} seqcount_t;

typedef struct {
	unsigned long pgd;
} pgd_t;

struct maple_tree {
	void *ma_root;
};

struct percpu_counter {
	long long count;
	int *counters;
};

struct mm_struct {
	struct maple_tree mm_mt;
	pgd_t *pgd;
	struct rw_semaphore mmap_lock;
	seqcount_t mm_lock_seq;
	atomic_long_t pgtables_bytes;
	unsigned long start_brk, brk, start_stack;
	int map_count;
	struct percpu_counter rss_stat[4];
};

struct mm_struct___int {
	int mm_lock_seq;
};

struct super_block {
	unsigned int s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct rb_root_cached {
	struct rb_root rb_root;
};

struct xarray {
	void *xa_head;
};

struct inode;
struct address_space {
	struct inode *host;
	struct xarray i_pages;
	struct rb_root_cached i_mmap;
	unsigned long nrpages;
};

struct inode {
	unsigned short i_mode;
	unsigned int i_rdev;
	unsigned int i_nlink;
	unsigned long i_ino;
	struct super_block *i_sb;
	long long i_size;
	unsigned long long i_blocks;
	struct address_space i_data;
};

struct shmem_inode_info {
	unsigned long swapped;
	struct inode vfs_inode;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct vfsmount;
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mnt_namespace;
struct mount {
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	struct address_space *f_mapping;
	void *private_data;
};

struct page {
	unsigned long compound_head;
	struct address_space *mapping;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	unsigned long vm_flags, vm_pgoff;
	struct mm_struct *vm_mm;
	struct anon_vma *anon_vma;
	struct file *vm_file;
	const void *vm_ops;
	void *vm_private_data;
	struct {
		struct rb_node rb;
	} shared;
};

struct vm_area_struct___named {
	struct anon_vma_name *anon_name;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct files_struct {
	struct fdtable *fdt;
};

struct css_set;
struct task_struct {
	unsigned int flags;
	int pid, tgid;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	struct files_struct *files;
	u64 start_boottime;
	const struct cred *cred;
	struct css_set *cgroups;
	struct signal_struct *signal;
	char comm[16];
};

#pragma clang attribute pop

#endif
