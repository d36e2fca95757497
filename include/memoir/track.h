/* SPDX-License-Identifier: MIT */
/**
 * libmemoir-name: what a program says of shared buffers that the kernel shows no file descriptor of, and
 * what it calls those that have one; `memoir buffers` lists both.
 *
 * An allocator whose buffers have no fd of their own (handles of a driver, parts of one large buffer,
 * memory of a device) announces each of them, and which process holds it how often:
 *
 *     uint32_t buffer;
 *
 *     memoir_buffer_init(size, "camera: preview", &buffer);   when it is allocated
 *     memoir_buffer_install(buffer, client_pid);              when a process takes a reference
 *     memoir_buffer_uninstall(buffer, client_pid);            when it drops that
 *     memoir_buffer_remove(buffer);                           when it is freed
 *
 * What is announced is kept in the process's own name table (docs/NAME-TABLE.md), wherever names are
 * kept; with MEMOIR_NAMES=off nothing is, and all calls succeed. It is a claim: it is listed with the
 * size that was said and who said it, and counts into no sum of RAM. It goes with the process, and with
 * exec; a child of fork has announced nothing. Of other processes it is believed if the announcer runs as
 * root or as the holder's user, and in memoir's own pid namespace.
 *
 * Every function may be called from any thread and from a signal handler, as memoir_name() may, and needs
 * no privileges. Cost: about 0.2 µs, getpid(2) included; memory: 32 bytes a buffer and as many a holder, each
 * tag once. A call that is left to another one under way (memoir/name.h) answers 0: what that meets is lost.
 */
#ifndef MEMOIR_TRACK_H
#define MEMOIR_TRACK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Buffers are smaller than this, in bytes. */
#define MEMOIR_BUFFER_BYTES_MAX (UINT64_C(1) << 41)

/**
 * @brief A buffer was allocated; nobody holds it yet.
 * @param size_bytes at least 1, less than MEMOIR_BUFFER_BYTES_MAX
 * @param tag what it is for, as a name of memoir_name(), copied; NULL: nothing
 * @param ret_buffer its number, never 0, this process's own; to be given back by memoir_buffer_remove()
 * @return 0; -EINVAL: the size, or the tag is too long or has other characters; -ENOSPC: more than a
 *         million buffers at once; -ENOMEM, -EAGAIN as memoir_name()
 */
int memoir_buffer_init(uint64_t size_bytes, const char *tag, uint32_t *ret_buffer);

/**
 * @brief It was freed; references that are left go with it.
 * @return 0; -ENOENT: there is no such buffer, or it was announced before a fork, by the parent; -EINVAL:
 *         no number of a buffer; -ENOMEM, -EAGAIN
 */
int memoir_buffer_remove(uint32_t buffer);

/**
 * @brief A process took a reference; each is to be dropped by one memoir_buffer_uninstall().
 * @param pid 0: this process
 * @return 0; -ENOENT, -EINVAL, -ENOMEM, -EAGAIN as above, -EINVAL also for a pid that can be none;
 *         -EOVERFLOW: the process has half a million references to it
 */
int memoir_buffer_install(uint32_t buffer, pid_t pid);

/** It dropped one. As memoir_buffer_install(); -ESRCH: it has none. */
int memoir_buffer_uninstall(uint32_t buffer, pid_t pid);

/**
 * @brief Say what a buffer is for that this process has open: a memfd, a dma-buf, a file in tmpfs or
 *        hugetlbfs … A dma-buf is given it by the kernel (DMA_BUF_SET_NAME, Linux 5.3) for all to see.
 *
 * Of others the tag is kept by this process, and so by its children, and is believed of what they have
 * open or mapped, if all who do are of one user, or the process is root's. Take it away before the file
 * is closed for good: an inode's number may be used again.
 * @param tag as that of memoir_buffer_init(); of a dma-buf 31 characters at most; NULL takes it away
 * @return 0; -EINVAL: such a tag, or the fd is no file of memory; -EBADF; -ENOMEM, -EAGAIN; of a dma-buf
 *         what the kernel says (older ones -EBUSY while a device is attached to it)
 */
int memoir_tag_fd(int fd, const char *tag);

#ifdef __cplusplus
}
#endif

#endif
