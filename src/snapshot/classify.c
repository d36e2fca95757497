// SPDX-License-Identifier: MIT
/*
 * What a region is, as far as the kernel itself tells; guesses from contents have no place here.
 */
#include <string.h>
#include <sys/stat.h>

#include "snapshot/capture.h"

#define MAGIC_TMPFS 0x01021994u
#define MAGIC_HUGETLBFS 0x958458f6u
#define MAGIC_DMABUF 0x444d4142u

static bool starts(const char *path, const char *with)
{
	return path && strncmp(path, with, strlen(with)) == 0;
}

/* On the kernel's own mount a file's name can't be chosen freely: there its beginning tells. */
static enum memoir_kind shmem_kind(const struct capture *c, const char *path, uint32_t dev)
{
	if (c->devs.shmem && dev != c->devs.shmem)
		return MEMOIR_KIND_SHMEM;
	if (starts(path, "/memfd:"))
		return MEMOIR_KIND_MEMFD;
	if (starts(path, "/SYSV"))
		return MEMOIR_KIND_SYSV;
	if (!path || starts(path, "/dev/zero"))
		return MEMOIR_KIND_SHARED_ANON;
	return MEMOIR_KIND_SHMEM;
}

enum memoir_kind capture_file_kind(const struct capture *c, const char *path,
				   const struct region_facts *facts)
{
	if (facts->hugetlb || facts->magic == MAGIC_HUGETLBFS)
		return MEMOIR_KIND_HUGETLB;
	if (facts->magic == MAGIC_DMABUF || starts(path, "/dmabuf:"))
		return MEMOIR_KIND_DMABUF;
	/* A device node on devtmpfs is a device, not shmem. */
	if (S_ISCHR(facts->mode) || S_ISBLK(facts->mode))
		return MEMOIR_KIND_DEVICE;
	if (facts->magic == MAGIC_TMPFS ||
	    (!facts->magic && internal_devs_is_shmem(&c->devs, facts->dev)))
		return shmem_kind(c, path, facts->dev);
	if (!facts->mode && starts(path, "/dev/"))
		return MEMOIR_KIND_DEVICE;
	/* BPF maps, perf buffers, io_uring rings: inodes without a file system of their own. */
	if (starts(path, "anon_inode:"))
		return MEMOIR_KIND_DEVICE;
	return MEMOIR_KIND_FILE;
}

static bool is_heap(const struct memoir_region *region, const struct region_facts *facts)
{
	return region->start < facts->brk_end && region->end > facts->brk_start;
}

static bool is_stack(const struct memoir_region *region, const struct region_facts *facts)
{
	return region->start <= facts->start_stack && region->end >= facts->start_stack;
}

/* The kernel's own order (get_vma_name): its special mappings, heap, stack, then names. */
static enum memoir_kind anon_kind(struct capture *c, struct memoir_region *region,
				  const struct region_facts *facts)
{
	if (starts(region->path, "[vdso") || starts(region->path, "[vvar"))
		return MEMOIR_KIND_VDSO;
	if (facts->brk_end && is_heap(region, facts))
		region->path = snapshot_string(c->snap, "[heap]");
	else if (facts->start_stack && is_stack(region, facts))
		region->path = snapshot_string(c->snap, "[stack]");
	if (!region->path)
		return MEMOIR_KIND_ANON;
	if (strcmp(region->path, "[heap]") == 0)
		return MEMOIR_KIND_HEAP;
	if (strcmp(region->path, "[stack]") == 0)
		return MEMOIR_KIND_STACK;
	return MEMOIR_KIND_SPECIAL;
}

void capture_classify(struct capture *c, struct memoir_region *region,
		      const struct region_facts *facts)
{
	region->kind = facts->has_file ? capture_file_kind(c, region->path, facts)
				       : anon_kind(c, region, facts);
	if (region->name) {
		region->name_source = MEMOIR_NAME_KERNEL;
		/* maps shows the name in the path's place. */
		if (facts->has_file)
			region->path = NULL;
	}
}
