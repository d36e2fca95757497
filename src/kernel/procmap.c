// SPDX-License-Identifier: MIT
/*
 * Asks the kernel for one mapping; compares it with nothing.
 */
#include "kernel/procmap.h"

#include <errno.h>
#include <sys/ioctl.h>

/* As in linux/fs.h since 6.11; spelled out because older headers lack it. */
struct procmap_query_arg {
	uint64_t size, query_flags, query_addr, vma_start, vma_end, vma_flags, vma_page_size;
	uint64_t vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};

#define PROCMAP_QUERY_IOCTL _IOWR('f', 17, struct procmap_query_arg)

/* vma_flags */
#define FLAG_READ 0x1u
#define FLAG_WRITE 0x2u
#define FLAG_EXEC 0x4u
#define FLAG_SHARED 0x8u

int procmap_query_path(int maps_fd, uint64_t addr, struct procmap_vma *ret_vma, char *path,
		       size_t size)
{
	struct procmap_query_arg arg = {
		.size = sizeof(arg),
		.query_addr = addr,
		.vma_name_addr = (uintptr_t)path,
		.vma_name_size = (uint32_t)size,
	};
	int got;

	do {
		got = ioctl(maps_fd, PROCMAP_QUERY_IOCTL, &arg);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	*ret_vma = (struct procmap_vma){
		.start = arg.vma_start,
		.end = arg.vma_end,
		.offset_bytes = arg.vma_offset,
		.inode = arg.inode,
		.dev_major = arg.dev_major,
		.dev_minor = arg.dev_minor,
		.perms = { arg.vma_flags & FLAG_READ ? 'r' : '-',
			   arg.vma_flags & FLAG_WRITE ? 'w' : '-',
			   arg.vma_flags & FLAG_EXEC ? 'x' : '-',
			   arg.vma_flags & FLAG_SHARED ? 's' : 'p' },
	};
	if (size && !arg.vma_name_size)
		*path = '\0';
	return 0;
}

int procmap_query(int maps_fd, uint64_t addr, struct procmap_vma *ret_vma)
{
	return procmap_query_path(maps_fd, addr, ret_vma, NULL, 0);
}
