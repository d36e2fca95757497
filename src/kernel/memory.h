/* SPDX-License-Identifier: MIT */
/*
 * Memory of other processes, read by process_vm_readv(2): needs PTRACE_MODE_ATTACH.
 */
#ifndef MEMOIR_KERNEL_MEMORY_H
#define MEMOIR_KERNEL_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Read all of [addr, addr + bytes). 0; -EPERM: not allowed; -ESRCH: it is gone; -EFAULT: not all of it is
 * mapped.
 */
int memory_read(pid_t pid, uint64_t addr, void *buffer, size_t bytes);

#endif
