/* SPDX-License-Identifier: MIT */
/*
 * Which unix sockets have nothing in their queues, so that no files can be in flight to them: one dump of
 * NETLINK_SOCK_DIAG (CONFIG_UNIX_DIAG, Linux 3.3) tells it of all sockets of the caller's network
 * namespace, 0.3 to 0.5 µs each. It needs no privileges. Looks at no file and no process.
 *
 * The kernel counts bytes, not messages, and files may come along with none. So a connected socket counts as
 * empty only if nothing of what its peer has sent is anywhere; one that anybody may send to (SOCK_DGRAM)
 * never does.
 */
#ifndef MEMOIR_KERNEL_UNIX_QUEUES_H
#define MEMOIR_KERNEL_UNIX_QUEUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/u64map.h"

/* What the kernel says of one socket. */
struct unix_queue {
	uint32_t inode;
	uint32_t peer_inode;             /* 0: it has none, or one that is closed */
	uint32_t received_count;         /* bytes to be read; of a listener, connections */
	uint32_t sent_count;             /* memory of what it sent and nobody has read yet */
	bool may_be_empty, is_listening; /* by its type and state */
};

/* All zero: not asked yet. */
struct unix_queues {
	struct unix_queue *queues;
	size_t count, room;
	struct u64map by_inode;
	bool asked;
};

/*
 * Whether files can't be in flight to it, since the moment of the first call, which asks the kernel.
 * False where that is not known: of sockets that are no unix sockets, of other network namespaces, made
 * since, or where the kernel does not tell.
 */
bool unix_queues_is_empty(struct unix_queues *queues, uint64_t inode);

void unix_queues_free(struct unix_queues *queues);

/* Ask now. 0; -ENOENT: the kernel has no such dump; -ENOMEM, or another negative errno. */
int unix_queues_ask(struct unix_queues *queues);

/*
 * Take a part of the kernel's answer, which may end anywhere. 1: there is more to come; 0: that was all;
 * or negative errno, the kernel's own or -EBADMSG.
 */
int unix_queues_take(struct unix_queues *queues, const void *answer, size_t len);

#endif
