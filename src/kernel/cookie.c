// SPDX-License-Identifier: MIT
/*
 * Runs the BPF programs of bpf/cookie.bpf.c; draws no conclusions.
 */
#include "kernel/cookie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/process.h"

typedef uint32_t u32;
typedef uint64_t u64;

#include "kernel/cookie_format.h"

#include "cookie.lskel.h"

struct cookies {
	struct cookie_bpf *skel;
};

int cookies_open(const struct kroot *root, struct cookies **ret_cookies, struct memoir_error *error)
{
	struct cookies *cookies;

	if (process_may_iterate(root, error) < 0)
		return -EOPNOTSUPP;
	cookies = calloc(1, sizeof(*cookies));
	if (!cookies)
		return error_set(error, -ENOMEM, "out of memory");
	cookies->skel = cookie_bpf__open_and_load();
	if (!cookies->skel) {
		int err = -errno;

		free(cookies);
		return error_set(error, err == -EPERM ? err : -EOPNOTSUPP,
				 "the kernel refused memoir's program that reads the cookie of an "
				 "address space (%s); it needs CAP_BPF and CAP_PERFMON",
				 strerror(-err));
	}
	*ret_cookies = cookies;
	return 0;
}

void cookies_close(struct cookies *cookies)
{
	if (!cookies)
		return;
	cookie_bpf__destroy(cookies->skel);
	free(cookies);
}

/* An iterator that visits this one task: Linux 6.1, older than any cookie. */
static int iterate_over(const struct cookies *cookies, pid_t pid)
{
	union bpf_iter_link_info info = { .task.tid = (unsigned int)pid };
	union bpf_attr link = {
		.link_create.prog_fd = (unsigned int)cookies->skel->progs.cookie_find.prog_fd,
		.link_create.attach_type = BPF_TRACE_ITER,
		.link_create.iter_info = (uint64_t)(uintptr_t)&info,
		.link_create.iter_info_len = sizeof(info),
	};
	int link_fd = skel_sys_bpf(BPF_LINK_CREATE, &link, sizeof(link));

	if (link_fd < 0)
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	union bpf_attr iter = { .iter_create.link_fd = (unsigned int)link_fd };
	int fd = skel_sys_bpf(BPF_ITER_CREATE, &iter, sizeof(iter)), err = fd < 0 ? -errno : 0;

	close(link_fd);
	return err ? err : fd;
}

int cookies_find(struct cookies *cookies, pid_t pid, uint64_t *ret_task)
{
	struct cookie_found *found = &cookies->skel->bss->found;
	char byte;
	int fd = iterate_over(cookies, pid);

	if (fd < 0)
		return fd;
	*found = (struct cookie_found){ 0 };
	ssize_t got = read(fd, &byte, sizeof(byte));
	int err = got < 0 ? -errno : 0;

	close(fd);
	if (err)
		return err;
	if (!found->task || !found->mm)
		return -ESRCH;
	if (!found->kind)
		return -EOPNOTSUPP;
	*ret_task = found->task;
	return 0;
}

int cookies_read(struct cookies *cookies, uint64_t task, struct cookie *ret_cookie)
{
	struct cookie_query query = { .task = task };
	union bpf_attr attr = {
		.test.prog_fd = (unsigned int)cookies->skel->progs.cookie_read.prog_fd,
		.test.ctx_in = (uint64_t)(uintptr_t)&query,
		.test.ctx_size_in = sizeof(query),
	};

	/* The kernel writes the context back to where it came from. */
	if (skel_sys_bpf(BPF_PROG_RUN, &attr, sizeof(attr)) < 0)
		return -errno;
	*ret_cookie = (struct cookie){ query.mm, query.exec_id, query.seq };
	return 0;
}
