// SPDX-License-Identifier: MIT
/*
 * Which sockets can have no files in flight: against the kernel's own count of them, and by answers that are
 * cut anywhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/unix_diag.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/files.h"

/* ---- sockets of the kernel's ---------------------------------------------------------------- */

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* What fdinfo says; -1: this kernel's does not. */
static long files_in_flight(int fd)
{
	char path[64], line[256];
	long count = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "scm_fds:", 8) == 0)
			count = strtol(line + 8, NULL, 10);
	fclose(file);
	return count;
}

/* /dev/null in `bytes` bytes. */
static void pass(int to, size_t bytes, int flags)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char bytes_of_text[] = "xyz";
	struct iovec text = { bytes_of_text, bytes };
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	assert_int_equal(sendmsg(to, &message, flags), bytes);
	close(fd);
}

static bool is_empty(int fd)
{
	struct unix_queues queues = { 0 };
	bool empty = unix_queues_is_empty(&queues, inode_of(fd));

	unix_queues_free(&queues);
	return empty;
}

/* Whether this kernel tells anything at all. */
static bool can_ask(void)
{
	struct unix_queues queues = { 0 };
	int err = unix_queues_ask(&queues);

	unix_queues_free(&queues);
	return err == 0;
}

static void where_files_are_in_flight_no_queue_is_empty(void **state)
{
	static const struct {
		int type;
		size_t bytes;
		int flags;
		bool sender_ends, out_of_band;
	} cases[] = {
		{ SOCK_STREAM, 1, 0, false, false },      { SOCK_STREAM, 3, 0, true, false },
		{ SOCK_STREAM, 1, MSG_OOB, false, true }, { SOCK_STREAM, 1, MSG_OOB, true, true },
		{ SOCK_SEQPACKET, 1, 0, false, false },   { SOCK_SEQPACKET, 0, 0, false, false },
		{ SOCK_SEQPACKET, 0, 0, true, false },    { SOCK_DGRAM, 1, 0, false, false },
		{ SOCK_DGRAM, 0, 0, false, false },       { SOCK_DGRAM, 0, 0, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ends[2];
		char byte;

		assert_int_equal(socketpair(AF_UNIX, cases[i].type | SOCK_CLOEXEC, 0, ends), 0);
		pass(ends[0], cases[i].bytes, cases[i].flags);
		/* Its byte is read, and the kernel keeps the rest of it for a while. */
		if (cases[i].out_of_band)
			recv(ends[1], &byte, 1, MSG_OOB);
		if (cases[i].sender_ends)
			close(ends[0]);
		if (files_in_flight(ends[1]) > 0 && is_empty(ends[1]))
			fail_msg("case %zu: files are in flight, and its queue is empty", i);
		if (!cases[i].sender_ends)
			close(ends[0]);
		close(ends[1]);
	}
}

/* The kernel makes up a name. */
static int datagrams_with_name(struct sockaddr_un *ret_name, socklen_t *ret_len)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof(sa_family_t)), 0);
	*ret_len = sizeof(*ret_name);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_name, ret_len), 0);
	return fd;
}

static void datagrams_may_come_from_others_than_the_peer(void **state)
{
	struct sockaddr_un name, peer_name;
	socklen_t len, peer_len;
	int fd = datagrams_with_name(&name, &len),
	    peer = datagrams_with_name(&peer_name, &peer_len);
	int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(connect(other, (struct sockaddr *)&name, len), 0);
	pass(other, 0, 0);
	close(other);
	assert_int_equal(connect(fd, (struct sockaddr *)&peer_name, peer_len), 0);
	assert_false(is_empty(fd));
	close(fd);
	close(peer);
}

static void an_idle_connection_is_empty(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
	int ends[2];
	char byte;

	(void)state;
	if (!can_ask())
		return;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, ends), 0);
		assert_true(is_empty(ends[0]));
		assert_true(is_empty(ends[1]));
		pass(ends[0], 1, 0);
		assert_false(is_empty(ends[1]));
		/* The file is dropped with its message. */
		assert_int_equal(recv(ends[1], &byte, 1, 0), 1);
		assert_true(is_empty(ends[1]));
		/* By whom else something may have come is not known then. */
		close(ends[0]);
		assert_false(is_empty(ends[1]));
		close(ends[1]);
	}
}

static void a_listener_is_empty_until_somebody_connects(void **state)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int len =
		snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "memoir-unit-%d", getpid());
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);

	(void)state;
	if (!can_ask()) {
		assert_false(is_empty(listener));
		close(listener);
		close(client);
		return;
	}
	assert_int_equal(bind(listener, (struct sockaddr *)&name, size), 0);
	assert_false(is_empty(listener));
	assert_int_equal(listen(listener, 4), 0);
	assert_true(is_empty(listener));
	assert_int_equal(connect(client, (struct sockaddr *)&name, size), 0);
	pass(client, 1, 0);
	assert_false(is_empty(listener));
	close(client);
	close(listener);
}

static void what_is_no_such_socket_is_not_known(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_false(is_empty(ends[0]));
	close(ends[0]);
	close(ends[1]);
}

/* ---- where it is used ----------------------------------------------------------------------- */

struct flight {
	int fd;
	uint32_t files;
	size_t sockets; /* with files in flight */
};

static int take_flight(const struct open_file *file, void *arg)
{
	struct flight *flight = arg;

	flight->sockets += file->in_flight > 0;
	if (file->fd == flight->fd)
		flight->files = file->in_flight;
	return 0;
}

static struct flight look(const struct kroot *root, struct unix_queues *queues, int fd)
{
	struct internal_devs devs = { 0 };
	struct files_text text = { .root = root, .devs = &devs, .all = true, .queues = queues };
	struct flight flight = { .fd = fd };

	assert_int_equal(files_text_each(&text, getpid(), false, take_flight, &flight), 0);
	internal_devs_free(&devs);
	return flight;
}

static void files_in_flight_are_found_with_and_without_it(void **state)
{
	/* The last one has asked, and was told nothing. */
	struct unix_queues asks = { 0 }, refused = { .asked = true };
	struct unix_queues *const ways[] = { NULL, &asks, &refused };
	struct kroot *root;
	int ends[2], idle[2];

	(void)state;
	assert_int_equal(kroot_open(NULL, &root), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, idle), 0);
	pass(ends[0], 1, 0);
	pass(ends[0], 2, 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct flight flight = look(root, ways[i], ends[1]);

		assert_int_equal(flight.files, 2);
		assert_int_equal(flight.sockets, 1);
	}
	unix_queues_free(&asks);
	kroot_close(root);
	for (size_t i = 0; i < 2; i++) {
		close(ends[i]);
		close(idle[i]);
	}
}

/* ---- answers -------------------------------------------------------------------------------- */

struct answer {
	_Alignas(4) char bytes[512];
	size_t len;
};

static void add(struct answer *a, const void *bytes, size_t len)
{
	memcpy(a->bytes + a->len, bytes, len);
	a->len += (len + 3) & ~3u;
}

static void add_attribute(struct answer *a, uint16_t type, const void *value, uint16_t len)
{
	struct nlattr head = { (uint16_t)(NLA_HDRLEN + len), type };

	add(a, &head, sizeof(head));
	add(a, value, len);
}

static void add_socket(struct answer *a, uint32_t inode, uint32_t peer, uint32_t received,
		       uint32_t sent)
{
	size_t start = a->len;
	struct nlmsghdr head = { 0 };
	struct unix_diag_msg message = {
		.udiag_family = AF_UNIX,
		.udiag_type = SOCK_STREAM,
		.udiag_state = 1,
		.udiag_ino = inode,
	};
	struct unix_diag_rqlen counts = { received, sent };

	add(a, &head, sizeof(head));
	add(a, &message, sizeof(message));
	add_attribute(a, UNIX_DIAG_PEER, &peer, sizeof(peer));
	add_attribute(a, UNIX_DIAG_RQLEN, &counts, sizeof(counts));
	head.nlmsg_len = (uint32_t)(a->len - start);
	memcpy(a->bytes + start, &head, sizeof(head));
}

static void add_end(struct answer *a, uint16_t type, int error)
{
	struct nlmsghdr head = { .nlmsg_len = NLMSG_HDRLEN + sizeof(struct nlmsgerr),
				 .nlmsg_type = type };
	struct nlmsgerr body = { .error = error };

	add(a, &head, sizeof(head));
	add(a, &body, sizeof(body));
}

static void both_ends_count(void **state)
{
	struct unix_queues queues = { .asked = true };
	struct answer a = { .len = 0 }, end = { .len = 0 };

	(void)state;
	add_socket(&a, 10, 11, 0, 0);
	add_socket(&a, 11, 10, 0, 7);
	add_socket(&a, 12, 13, 0, 0); /* whose peer is not there */
	add_socket(&a, 0, 10, 0, 0);  /* not accepted yet */
	assert_int_equal(unix_queues_take(&queues, a.bytes, a.len), 1);
	add_end(&end, NLMSG_DONE, 0);
	assert_int_equal(unix_queues_take(&queues, end.bytes, end.len), 0);
	assert_int_equal(queues.count, 3);
	assert_false(unix_queues_is_empty(&queues, 10));
	assert_true(unix_queues_is_empty(&queues, 11));
	assert_false(unix_queues_is_empty(&queues, 12));
	assert_false(unix_queues_is_empty(&queues, 0));
	/* Inodes have 64 bits. */
	assert_false(unix_queues_is_empty(&queues, 11 | UINT64_C(1) << 32));
	unix_queues_free(&queues);
}

static void an_error_is_the_kernel_s(void **state)
{
	struct unix_queues queues = { .asked = true };
	struct answer a = { .len = 0 };

	(void)state;
	add_end(&a, NLMSG_ERROR, -ENOENT);
	assert_int_equal(unix_queues_take(&queues, a.bytes, a.len), -ENOENT);
	unix_queues_free(&queues);
}

/* Whatever is cut off or wrong, nothing is read that is not there, and nothing is empty that was not told. */
static void broken_answers_are_refused(void **state)
{
	struct answer whole = { .len = 0 };

	(void)state;
	add_socket(&whole, 10, 11, 0, 0);
	add_socket(&whole, 11, 10, 0, 0);
	for (size_t len = 0; len < whole.len; len++) {
		struct unix_queues queues = { .asked = true };
		char *copy = malloc(len + 1);
		int got;

		assert_non_null(copy);
		memcpy(copy, whole.bytes, len);
		/* So that what reads behind the end is noticed. */
		char *exact = realloc(copy, len ? len : 1);

		assert_non_null(exact);
		got = unix_queues_take(&queues, exact, len);
		assert_true(got == 1 || got == -EBADMSG);
		assert_false(unix_queues_is_empty(&queues, 10));
		unix_queues_free(&queues);
		free(exact);
	}
	for (size_t at = 0; at < whole.len; at++) {
		struct unix_queues queues = { .asked = true };
		struct answer wrong = whole;

		wrong.bytes[at] = (char)0xff;
		(void)unix_queues_take(&queues, wrong.bytes, wrong.len);
		unix_queues_free(&queues);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_files_are_in_flight_no_queue_is_empty),
		cmocka_unit_test(datagrams_may_come_from_others_than_the_peer),
		cmocka_unit_test(an_idle_connection_is_empty),
		cmocka_unit_test(a_listener_is_empty_until_somebody_connects),
		cmocka_unit_test(what_is_no_such_socket_is_not_known),
		cmocka_unit_test(files_in_flight_are_found_with_and_without_it),
		cmocka_unit_test(both_ends_count),
		cmocka_unit_test(an_error_is_the_kernel_s),
		cmocka_unit_test(broken_answers_are_refused),
	};

	return cmocka_run_group_tests_name("unix-queues", tests, NULL, NULL);
}
