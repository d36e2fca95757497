// SPDX-License-Identifier: MIT
/*
 * Finds the devices of shmem and hugetlbfs mounts; only for telling kinds of memory apart.
 */
#include "kernel/internal_devs.h"

#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static void set(struct internal_devs *devs, uint32_t dev, enum dev_kind kind)
{
	if (dev)
		u64map_set(&devs->kinds, dev, kind);
}

static uint32_t memfd_dev(unsigned int flags)
{
	int fd = memfd_create("memoir-probe", MFD_CLOEXEC | flags);
	struct stat st;
	uint32_t dev = 0;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0)
		dev = major(st.st_dev) << 20 | minor(st.st_dev);
	close(fd);
	return dev;
}

/* The initial root is tmpfs or ramfs, and mounts don't say which. */
static enum dev_kind kind_of_root(void)
{
	struct statfs fs;

	if (statfs("/", &fs) < 0)
		return DEV_OTHER;
	if (fs.f_type == TMPFS_MAGIC)
		return DEV_TMPFS;
	return fs.f_type == RAMFS_MAGIC ? DEV_RAMFS : DEV_OTHER;
}

static enum dev_kind kind_of(const char *type)
{
	if (strcmp(type, "tmpfs") == 0 || strcmp(type, "devtmpfs") == 0)
		return DEV_TMPFS;
	if (strcmp(type, "rootfs") == 0)
		return kind_of_root();
	if (strcmp(type, "ramfs") == 0)
		return DEV_RAMFS;
	return strcmp(type, "hugetlbfs") == 0 ? DEV_HUGETLBFS : DEV_OTHER;
}

/* "36 35 98:0 /root /point rw shared:1 - ext4 /dev/root rw": device third, type behind the dash. */
static void take_mounts(struct internal_devs *devs, char *text)
{
	char *line, *next = text;

	while ((line = strsep(&next, "\n")) && *line) {
		unsigned int dev_major, dev_minor;
		char *type = strstr(line, " - ");

		if (!type || sscanf(line, "%*u %*u %u:%u", &dev_major, &dev_minor) != 2)
			continue;
		type += 3;
		type[strcspn(type, " ")] = '\0';
		set(devs, dev_major << 20 | dev_minor, kind_of(type));
	}
}

void internal_devs_find(const struct kroot *root, struct internal_devs *devs)
{
	struct kbuf text = { 0 };

	devs->shmem = memfd_dev(0);
	set(devs, devs->shmem, DEV_TMPFS);
	set(devs, memfd_dev(MFD_HUGETLB), DEV_HUGETLBFS);
	set(devs, memfd_dev(MFD_HUGETLB | MFD_HUGE_2MB), DEV_HUGETLBFS);
	set(devs, memfd_dev(MFD_HUGETLB | MFD_HUGE_1GB), DEV_HUGETLBFS);
	if (kroot_slurp(root, &text, "proc/self/mountinfo") > 0)
		take_mounts(devs, text.data);
	kbuf_free(&text);
}

void internal_devs_learn(const struct kroot *root, struct internal_devs *devs, pid_t pid,
			 uint32_t dev)
{
	struct kbuf text = { 0 };

	if (u64map_get(&devs->kinds, dev) != U64MAP_NONE)
		return;
	if (kroot_slurp(root, &text, "proc/%d/mountinfo", pid) > 0)
		take_mounts(devs, text.data);
	kbuf_free(&text);
	/* Not mounted where the process is, either: not asked for again. */
	if (u64map_get(&devs->kinds, dev) == U64MAP_NONE)
		set(devs, dev, DEV_OTHER);
}

void internal_devs_free(struct internal_devs *devs)
{
	u64map_free(&devs->kinds);
}

bool internal_devs_is_hugetlb(const struct internal_devs *devs, uint32_t dev)
{
	return u64map_get(&devs->kinds, dev) == DEV_HUGETLBFS;
}

bool internal_devs_is_shmem(const struct internal_devs *devs, uint32_t dev)
{
	return u64map_get(&devs->kinds, dev) == DEV_TMPFS;
}

uint32_t internal_devs_magic(const struct internal_devs *devs, uint32_t dev)
{
	switch (u64map_get(&devs->kinds, dev)) {
	case DEV_TMPFS:
		return TMPFS_MAGIC;
	case DEV_HUGETLBFS:
		return HUGETLBFS_MAGIC;
	case DEV_RAMFS:
		return RAMFS_MAGIC;
	default:
		return 0;
	}
}
