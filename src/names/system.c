// SPDX-License-Identifier: MIT
/*
 * Memory from the kernel, and names for it from the kernel; keeps errno as it was.
 */
#include "names/system.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "names/format.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef PR_SET_VMA_ANON_NAME
#define PR_SET_VMA_ANON_NAME 0
#endif

#define DMA_BUF_MAGIC 0x444d4142
#ifndef DMA_BUF_SET_NAME
#define DMA_BUF_SET_NAME _IOW('b', 1, const char *)
#endif

static int map(size_t bytes, void **ret_addr)
{
	int saved = errno, err = 0;
	void *addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		err = -errno;
	else
		*ret_addr = addr;
	errno = saved;
	return err;
}

void *system_map(size_t bytes)
{
	void *addr = NULL;

	map(bytes, &addr);
	return addr;
}

int system_map_named(size_t bytes, void **ret_addr)
{
	return map(bytes, ret_addr);
}

int system_unmap(void *addr, size_t bytes)
{
	int saved = errno, err = munmap(addr, bytes) < 0 ? -errno : 0;

	errno = saved;
	return err;
}

int system_remap(void *addr, size_t old_bytes, size_t new_bytes, int flags, void *new_addr,
		 void **ret_addr)
{
	int saved = errno, err = 0;
	void *moved = mremap(addr, old_bytes, new_bytes, flags, new_addr);

	if (moved == MAP_FAILED)
		err = -errno;
	else
		*ret_addr = moved;
	errno = saved;
	return err;
}

uint64_t system_page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

void *system_map_anchor(void)
{
	size_t bytes = system_page_bytes();
	int saved = errno, fd = memfd_create(NAME_ANCHOR, MFD_CLOEXEC);
	void *addr = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
		addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		close(fd);
	errno = saved;
	return addr == MAP_FAILED ? NULL : addr;
}

uint32_t *system_map_wiped(void)
{
	size_t bytes = system_page_bytes();
	void *addr = system_map(bytes);
	int saved = errno;

	if (addr && madvise(addr, bytes, MADV_WIPEONFORK) < 0) {
		munmap(addr, bytes);
		addr = NULL;
	}
	errno = saved;
	return addr;
}

int system_kernel_name(uint64_t start, uint64_t bytes, const char *name)
{
	int saved = errno, err = 0;

	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, start, bytes, name) < 0)
		err = -errno;
	errno = saved;
	return err;
}

bool system_kernel_names(void)
{
	size_t bytes = system_page_bytes();
	void *page = system_map(bytes);
	bool works = page && system_kernel_name((uintptr_t)page, bytes, "memoir") == 0;

	if (page)
		system_unmap(page, bytes);
	return works;
}

int system_name_dmabuf(int fd, const char *name)
{
	int saved = errno, err = 0;
	struct statfs fs;
	bool failed = fstatfs(fd, &fs) < 0;

	if (!failed && (uint32_t)fs.f_type != DMA_BUF_MAGIC)
		err = -ENOTTY;
	else if (failed || ioctl(fd, DMA_BUF_SET_NAME, name ? name : "") < 0)
		err = -errno;
	errno = saved;
	return err;
}

int system_file(int fd, struct system_file *ret_file)
{
	int saved = errno, err = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else
		*ret_file = (struct system_file){ major(st.st_dev), minor(st.st_dev), st.st_ino };
	errno = saved;
	return err;
}

int32_t system_pid(void)
{
	return getpid();
}
