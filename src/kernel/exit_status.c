// SPDX-License-Identifier: MIT
/*
 * PIDFD_GET_INFO, of which only the exit status is taken.
 */
#include "kernel/exit_status.h"

#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* As in linux/pidfd.h since 6.13, PIDFD_INFO_EXIT since 6.15; spelled out because older headers lack it. */
struct pidfd_info_arg {
	uint64_t mask, cgroup;
	uint32_t pids_and_users[11];
	int32_t exit_code;
};

#define PIDFD_GET_INFO_IOCTL _IOWR(0xff, 11, struct pidfd_info_arg)
#define INFO_EXIT (1u << 3)

int exit_status_of(int pidfd, int *ret_status)
{
	struct pidfd_info_arg info = { .mask = INFO_EXIT };

	if (ioctl(pidfd, PIDFD_GET_INFO_IOCTL, &info) < 0 || !(info.mask & INFO_EXIT))
		return -ENODATA;
	*ret_status = info.exit_code;
	return 0;
}
