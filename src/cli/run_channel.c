// SPDX-License-Identifier: MIT
/*
 * Messages between the processes of memoir run, by sockets that keep them apart.
 */
#include "cli/run.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union one_fd {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

int run_send(int channel, enum run_word word, int value, int fd)
{
	struct run_message message = { word, value };
	struct iovec part = { &message, sizeof(message) };
	union one_fd with = { 0 };
	struct msghdr all = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		all.msg_control = &with;
		all.msg_controllen = sizeof(with);
		with.header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(fd)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&with.header), &fd, sizeof(fd));
	}
	return sendmsg(channel, &all, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int run_receive(int channel, struct run_message *ret_message, int *ret_fd)
{
	struct iovec part = { ret_message, sizeof(*ret_message) };
	union one_fd with;
	struct msghdr all = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &with,
		.msg_controllen = sizeof(with),
	};
	const struct cmsghdr *header;
	ssize_t got;

	do {
		got = recvmsg(channel, &all, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET ? 0 : -errno;
	*ret_fd = -1;
	header = got ? CMSG_FIRSTHDR(&all) : NULL;
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(header), sizeof(*ret_fd));
	return got == sizeof(*ret_message);
}
