// SPDX-License-Identifier: MIT
/*
 * DMA_BUF_SET_NAME on a copy of another process's fd; reads no names, those are in fdinfo.
 */
#include "kernel/dmabuf_name.h"

#include <errno.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel/pidfd.h"

/* As in linux/dma-buf.h since 5.8, which core builds need not have; a pointer, in spite of the type. */
#define SET_NAME _IOW('b', 1, __u64)

static int rename_fd(int fd, uint32_t dev, uint64_t inode, const char *name,
		     enum dmabuf_step *ret_step)
{
	struct stat st;

	*ret_step = DMABUF_FD;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != inode || (major(st.st_dev) << 20 | minor(st.st_dev)) != dev)
		return -ESTALE;
	*ret_step = DMABUF_RENAME;
	return ioctl(fd, SET_NAME, name) < 0 ? -errno : 0;
}

int dmabuf_set_name(pid_t pid, int fd, uint32_t dev, uint64_t inode, const char *name,
		    enum dmabuf_step *ret_step)
{
	int pidfd = pidfd_of(pid), copy, err;

	*ret_step = DMABUF_PROCESS;
	if (pidfd < 0)
		return pidfd;
	*ret_step = DMABUF_FD;
	copy = pidfd_fd_of(pidfd, fd);
	close(pidfd);
	if (copy < 0)
		return copy;
	err = rename_fd(copy, dev, inode, name, ret_step);
	close(copy);
	return err;
}
