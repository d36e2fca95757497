// SPDX-License-Identifier: MIT
/*
 * Asks NETLINK_SOCK_DIAG for the queues of all unix sockets, and takes its answer apart.
 */
#include "kernel/unix_queues.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/grow.h"

#define ANSWER_BYTES (64u * 1024)
#define ALL_STATES UINT32_MAX
/* Of TCP: unix sockets have the same states. */
enum { STATE_ESTABLISHED = 1, STATE_LISTEN = 10 };

/* ---- the answer ----------------------------------------------------------------------------- */

static void take_attributes(struct unix_queue *queue, const char *at, size_t left,
			    bool *ret_counted)
{
	struct unix_diag_rqlen counts;
	struct nlattr attribute;

	*ret_counted = false;
	while (left >= sizeof(attribute)) {
		memcpy(&attribute, at, sizeof(attribute));
		size_t len = attribute.nla_len, step = NLA_ALIGN(len);
		const char *value = at + NLA_HDRLEN;

		if (len < NLA_HDRLEN || len > left)
			return;
		if (attribute.nla_type == UNIX_DIAG_PEER && len >= NLA_HDRLEN + sizeof(uint32_t))
			memcpy(&queue->peer_inode, value, sizeof(queue->peer_inode));
		if (attribute.nla_type == UNIX_DIAG_RQLEN && len >= NLA_HDRLEN + sizeof(counts)) {
			memcpy(&counts, value, sizeof(counts));
			queue->received_count = counts.udiag_rqueue;
			queue->sent_count = counts.udiag_wqueue;
			*ret_counted = true;
		}
		if (step >= left)
			return;
		at += step;
		left -= step;
	}
}

/* What has no inode is a connection that was not accepted yet. */
static int take_socket(struct unix_queues *q, const char *message, size_t len)
{
	struct unix_diag_msg head;
	struct unix_queue queue = { 0 }, *queues;
	bool counted;

	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, message, sizeof(head));
	size_t skip = NLMSG_ALIGN(sizeof(head));

	queue.inode = head.udiag_ino;
	queue.is_listening = head.udiag_state == STATE_LISTEN;
	queue.may_be_empty = head.udiag_type != SOCK_DGRAM;
	/* A stream that was never connected, no files reach. */
	take_attributes(&queue, message + skip, len > skip ? len - skip : 0, &counted);
	if (!queue.inode || !counted)
		return 0;
	if (head.udiag_state != STATE_LISTEN && head.udiag_state != STATE_ESTABLISHED)
		queue.may_be_empty = false;
	queues = grow(q->queues, &q->room, q->count + 1, sizeof(*queues));
	if (!queues)
		return -ENOMEM;
	q->queues = queues;
	queues[q->count] = queue;
	return u64map_set(&q->by_inode, queue.inode, (uint32_t)q->count++);
}

static int error_of(const char *message, size_t len)
{
	struct nlmsgerr error;

	if (len < sizeof(error))
		return -EBADMSG;
	memcpy(&error, message, sizeof(error));
	return error.error < 0 ? error.error : -EBADMSG;
}

int unix_queues_take(struct unix_queues *q, const void *answer, size_t len)
{
	const char *at = answer;
	int err = 0;

	while (at && len >= NLMSG_HDRLEN && !err) {
		struct nlmsghdr head;

		memcpy(&head, at, sizeof(head));
		size_t message_len = head.nlmsg_len, step = NLMSG_ALIGN(message_len);

		if (message_len < NLMSG_HDRLEN || message_len > len)
			return -EBADMSG;
		if (head.nlmsg_type == NLMSG_DONE)
			return 0;
		err = head.nlmsg_type == NLMSG_ERROR
			      ? error_of(at + NLMSG_HDRLEN, message_len - NLMSG_HDRLEN)
			      : take_socket(q, at + NLMSG_HDRLEN, message_len - NLMSG_HDRLEN);
		step = step < len ? step : len;
		at += step;
		len -= step;
	}
	return err ? err : 1;
}

/* ---- the question --------------------------------------------------------------------------- */

static int ask_for_all(int fd)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req request;
	} question = {
		.head = { .nlmsg_len = sizeof(question),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.request = { .sdiag_family = AF_UNIX,
			     .udiag_states = ALL_STATES,
			     .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	return sendto(fd, &question, sizeof(question), 0, (struct sockaddr *)&kernel,
		      sizeof(kernel)) < 0
		       ? -errno
		       : 0;
}

static int take_answers(struct unix_queues *q, int fd, void *answer)
{
	int more = 1;

	while (more == 1) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t len =
			recvfrom(fd, answer, ANSWER_BYTES, 0, (struct sockaddr *)&from, &from_len);

		if (len < 0 && errno != EINTR)
			return -errno;
		/* Anything but the kernel has the port it was sent from. */
		if (len > 0 && from.nl_pid == 0)
			more = unix_queues_take(q, answer, (size_t)len);
	}
	return more;
}

int unix_queues_ask(struct unix_queues *q)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	void *answer = fd < 0 ? NULL : malloc(ANSWER_BYTES);
	int err = fd < 0 ? -errno : -ENOMEM;

	/* The kernel answers at once; whatever happens nobody is to wait for it. */
	const struct timeval patience = { .tv_sec = 1 };

	q->asked = true;
	if (answer)
		err = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0
			      ? -errno
			      : ask_for_all(fd);
	if (!err)
		err = take_answers(q, fd, answer);
	free(answer);
	if (fd >= 0)
		close(fd);
	return err;
}

/* ---- what follows --------------------------------------------------------------------------- */

static const struct unix_queue *find(const struct unix_queues *q, uint64_t inode)
{
	uint32_t i = u64map_get(&q->by_inode, inode);

	return i == U64MAP_NONE ? NULL : &q->queues[i];
}

bool unix_queues_is_empty(struct unix_queues *q, uint64_t inode)
{
	const struct unix_queue *queue, *peer;

	/* What an answer that broke off had is true all the same. */
	if (!q->asked)
		(void)unix_queues_ask(q);
	queue = find(q, inode);
	if (!queue || !queue->may_be_empty || queue->received_count)
		return false;
	if (queue->is_listening)
		return true;
	peer = queue->peer_inode ? find(q, queue->peer_inode) : NULL;
	return peer && !peer->is_listening && !peer->sent_count;
}

void unix_queues_free(struct unix_queues *q)
{
	free(q->queues);
	u64map_free(&q->by_inode);
	*q = (struct unix_queues){ 0 };
}
