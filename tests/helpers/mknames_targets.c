// SPDX-License-Identifier: MIT
/*
 * Rules of mknames about what is named: holes, files, shared memory, stacks and heaps.
 */
#include "mknames.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of a file that has a name: the kernel takes deleted ones in tmpfs for anonymous memory. */
static void map_file(struct ground *g, size_t from, size_t to, int prot, int flags)
{
	int fd = open(own_path, O_RDONLY);

	check(fd >= 0, own_path);
	map_pages(g->base + from * PAGE, to - from, prot, flags, fd);
	close(fd);
}

static void hole(struct ground *g)
{
	unmap(g, 2, 4, false);
	name_pages(g, 0, 6, "a");
}

static void not_mapped(struct ground *g)
{
	unmap(g, 0, 6, false);
	name_pages(g, 1, 5, "a");
}

static void file_private(struct ground *g)
{
	map_file(g, 0, 6, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	memset(g->base, 1, 3 * PAGE);
	name_pages(g, 0, 6, "a");
}

static void file_shared(struct ground *g)
{
	map_file(g, 0, 6, PROT_READ, MAP_SHARED);
	name_pages(g, 0, 6, "a");
}

static void file_between(struct ground *g)
{
	map_file(g, 2, 4, PROT_READ, MAP_PRIVATE);
	name_pages(g, 0, 6, "a");
}

static void memfd(struct ground *g)
{
	int fd = memfd_create("memfd of a rule", MFD_CLOEXEC);

	check(fd >= 0 && ftruncate(fd, 6 * PAGE) == 0, "memfd_create");
	map_pages(g->base, 6, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	close(fd);
	name_pages(g, 0, 4, "a");
}

static void shared_anonymous(struct ground *g)
{
	map_pages(g->base, 6, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	memset(g->base, 1, 6 * PAGE);
	name_pages(g, 1, 4, "a");
}

static void stack(struct ground *g)
{
	g->pages = 3;
	name_pages(g, 1, 2, "a");
}

static void heap(struct ground *g)
{
	char *end = sbrk(0), *page = (char *)(((uintptr_t)end + PAGE - 1) & ~(PAGE - 1));

	check(sbrk(page - end + (intptr_t)(6 * PAGE)) == end, "sbrk");
	g->base = page;
	name_pages(g, 1, 3, "a");
}

const struct rule target_rules[] = {
	{ "hole", hole },
	{ "not-mapped", not_mapped },
	{ "file-private", file_private },
	{ "file-shared", file_shared },
	{ "file-between", file_between },
	{ "memfd", memfd },
	{ "shared-anonymous", shared_anonymous },
	{ "stack", stack, true },
	{ "heap", heap },
	{ 0 },
};
