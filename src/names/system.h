/* SPDX-License-Identifier: MIT */
/*
 * The system calls of libmemoir-name, all of them good in signal handlers; errors are negative errnos.
 */
#ifndef MEMOIR_NAMES_SYSTEM_H
#define MEMOIR_NAMES_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed private memory; NULL: there is none. */
void *system_map(size_t bytes);
int system_map_named(size_t bytes, void **ret_addr);
int system_unmap(void *addr, size_t bytes);
/* new_addr: with MREMAP_FIXED. */
int system_remap(void *addr, size_t old_bytes, size_t new_bytes, int flags, void *new_addr,
		 void **ret_addr);

/* The page by which readers find the table; NULL: it can't be made. */
void *system_map_anchor(void);

/* A page that is zeroed in every child of fork; NULL: before Linux 4.14. */
uint32_t *system_map_wiped(void);

uint64_t system_page_bytes(void);

/* PR_SET_VMA_ANON_NAME. */
int system_kernel_name(uint64_t start, uint64_t bytes, const char *name);
/* What a file is called: a dma-buf's own name, NULL for none. -ENOTTY: the fd is no dma-buf. */
int system_name_dmabuf(int fd, const char *name);
/* By what /proc/PID/maps knows a file of memory. 0, -EBADF; -EINVAL: another sort of file. */
struct system_file {
	uint32_t dev_major, dev_minor;
	uint64_t inode;
};
int system_file(int fd, struct system_file *ret_file);

int32_t system_pid(void);

/* Whether the kernel takes names at all. */
bool system_kernel_names(void);

#endif
