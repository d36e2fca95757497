// SPDX-License-Identifier: MIT
/*
 * Watching in a build without BPF: it says so.
 */
#include "kernel/watch.h"

#include <errno.h>

#include "base/error.h"

int watch_open(const struct kroot *root, struct watch **ret_watch, struct memoir_error *error)
{
	(void)root;
	(void)ret_watch;
	return error_set(error, -EOPNOTSUPP,
			 "this memoir was built without BPF, by which programs are watched");
}

void watch_close(struct watch *watch)
{
	(void)watch;
}

bool watch_is_light(const struct watch *watch)
{
	(void)watch;
	return false;
}

int watch_fd(const struct watch *watch)
{
	(void)watch;
	return -1;
}

size_t watch_read(struct watch *watch, size_t most, watch_fn each, void *arg)
{
	(void)watch;
	(void)most;
	(void)each;
	(void)arg;
	return 0;
}

uint64_t watch_life(const struct watch *watch, u32 tgid)
{
	(void)watch;
	(void)tgid;
	return 0;
}

struct watch_lost watch_lost(const struct watch *watch)
{
	(void)watch;
	return (struct watch_lost){ 0 };
}
