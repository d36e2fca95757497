/* SPDX-License-Identifier: MIT */
/*
 * The name of a dma-buf, which the kernel keeps with it. Who has no fd of it borrows one from a process that has.
 */
#ifndef MEMOIR_KERNEL_DMABUF_NAME_H
#define MEMOIR_KERNEL_DMABUF_NAME_H

#include <stdint.h>
#include <sys/types.h>

/* Of a name, with its NUL. */
#define DMABUF_NAME_BYTES 32

/* What a failure is of. */
enum dmabuf_step {
	DMABUF_PROCESS, /* pidfd_open(2), Linux 5.3: -ESRCH */
	DMABUF_FD, /* pidfd_getfd(2), Linux 5.6, PTRACE_MODE_ATTACH: -EPERM, -EBADF; -ESTALE: another file by now */
	DMABUF_RENAME, /* DMA_BUF_SET_NAME, Linux 5.3: -EBUSY where a device has it, before 5.17; -EINVAL */
};

/*
 * Give the dma-buf of this device (major << 20 | minor) and inode, which a process has as fd, a name; "" takes it away.
 * 0; or a negative errno, and the step that it is of.
 */
int dmabuf_set_name(pid_t pid, int fd, uint32_t dev, uint64_t inode, const char *name,
		    enum dmabuf_step *ret_step);

#endif
