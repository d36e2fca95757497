// SPDX-License-Identifier: MIT
/*
 * The cookie of a build without BPF: it says so, and hints ask for each mapping instead.
 */
#include "kernel/cookie.h"

#include <errno.h>

#include "base/error.h"

int cookies_open(const struct kroot *root, struct cookies **ret_cookies, struct memoir_error *error)
{
	(void)root;
	(void)ret_cookies;
	return error_set(error, -EOPNOTSUPP, "this memoir was built without BPF");
}

void cookies_close(struct cookies *cookies)
{
	(void)cookies;
}

int cookies_find(struct cookies *cookies, pid_t pid, uint64_t *ret_task)
{
	(void)cookies;
	(void)pid;
	(void)ret_task;
	return -EOPNOTSUPP;
}

int cookies_read(struct cookies *cookies, uint64_t task, struct cookie *ret_cookie)
{
	(void)cookies;
	(void)task;
	(void)ret_cookie;
	return -EOPNOTSUPP;
}
