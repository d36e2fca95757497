// SPDX-License-Identifier: MIT
/*
 * Finds where the kernel's direct map and its array of struct page lie, and proves it on a page of our own;
 * until then no page table is read.
 */
#include "kernel/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/kpage.h"
#include "kernel/pagemap.h"
#include "kernel/pte.h"
#include "kernel/walk_skeleton.h"

#define GIB (1ull << 30)
#define WITNESSES 64

struct witnesses {
	uint64_t addr[WITNESSES]; /* slab objects: tasks and address spaces */
	size_t count;
	uint64_t own_mm;
};

static void collect_witness(const struct walk_task *task, void *arg)
{
	struct witnesses *w = arg;

	if (w->count < WITNESSES)
		w->addr[w->count++] = task->task;
	if (w->count < WITNESSES && task->mm)
		w->addr[w->count++] = task->mm;
	if (task->tgid == (uint32_t)getpid())
		w->own_mm = task->mm;
}

static bool all_slab(const struct kpage *kpage, const struct witnesses *w, uint64_t base,
		     uint64_t max_phys)
{
	for (size_t i = 0; i < w->count; i++) {
		uint64_t flags;

		if (w->addr[i] < base || w->addr[i] - base >= max_phys)
			return false;
		if (kpage_flags(kpage, (w->addr[i] - base) >> 12, &flags) < 0 ||
		    !(flags & KPAGE_SLAB))
			return false;
	}
	return true;
}

/*
 * The direct map starts at a multiple of 1 GiB (the kernel randomises it by whole PUDs), so a slab
 * object's address leaves one candidate per GiB of memory; under the right one, and in practice only
 * there, all the objects' frames are slab pages.
 */
static uint64_t find_direct_map(const struct kpage *kpage, const struct witnesses *w,
				uint64_t max_phys)
{
	uint64_t found = 0;

	if (w->count < 4)
		return 0;
	for (uint64_t phys = 0; phys <= max_phys; phys += GIB) {
		uint64_t base = (w->addr[0] & ~(GIB - 1)) - phys;

		if (!all_slab(kpage, w, base, max_phys))
			continue;
		if (found)
			return 0;
		found = base;
	}
	return found;
}

/* A page of our own in a file of one page: its frame is known from pagemap, so what the walk says of it is proof. */
struct probe {
	uint64_t addr, frame, entry;
	int memfd;
};

static int probe_make(const struct kroot *root, struct probe *probe)
{
	char *page;

	probe->memfd = memfd_create("memoir-probe", MFD_CLOEXEC);
	if (probe->memfd < 0 || ftruncate(probe->memfd, 4096) < 0)
		return -errno;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, probe->memfd, 0);
	if (page == MAP_FAILED)
		return -errno;
	*page = 1;
	probe->addr = (uint64_t)(uintptr_t)page;
	int fd = pagemap_open(root, getpid());

	if (fd < 0)
		return fd;
	uint64_t word = 0;
	ssize_t got = pagemap_read(fd, probe->addr >> 12, &word, 1);

	close(fd);
	probe->frame = pagemap_frame(word);
	return got == 1 && pagemap_present(word) && probe->frame ? 0 : -EPERM;
}

static void probe_end(struct probe *probe)
{
	if (probe->addr)
		munmap((void *)(uintptr_t)probe->addr, 4096);
	if (probe->memfd >= 0)
		close(probe->memfd);
}

static void probe_table(uint64_t addr, const uint64_t *entries, size_t count, void *arg)
{
	struct probe *probe = arg;

	if (probe->addr >= addr && probe->addr < addr + count * 4096)
		probe->entry = entries[(probe->addr - addr) >> 12];
}

static void probe_vma(const struct walk_vma *vma, const char *path, const char *name, void *arg)
{
	(void)vma;
	(void)path;
	(void)name;
	(void)arg;
}

static void find_vmemmap(struct walk *walk, const struct probe *probe)
{
	const struct walk_state *state = &walk->skel->bss->state;
	uint64_t page = state->probe_page, size = state->page_struct_bytes;

	if (!size || page < probe->frame * size)
		return;
	page -= probe->frame * size;
	/* Randomised by whole PUDs as well; anything else isn't a flat array of struct page. */
	if (page % GIB == 0)
		walk->skel->bss->config.vmemmap = page;
}

static int prove(struct walk *walk, const struct kroot *root, uint64_t own_mm)
{
	struct walk_config *config = &walk->skel->bss->config;
	struct walk_visitor visitor = { .vma = probe_vma, .table = probe_table };
	struct probe probe = { .memfd = -1 };
	int err = probe_make(root, &probe);

	if (!err) {
		config->probe_addr = probe.addr;
		config->probe_tgid = (uint32_t)getpid();
		walk->tables_work = true;
		walk_wanted_clear(walk);
		err = walk_wanted_add(walk, own_mm);
	}
	if (!err && walk_vmas_of(walk, getpid(), true, &visitor, &probe) < 0)
		err = walk_vmas(walk, WALK_LISTED_MMS, true, &visitor, &probe);
	if (!err && (!pte_present(probe.entry) || pte_frame(probe.entry) != probe.frame))
		err = -EOPNOTSUPP;
	if (!err)
		find_vmemmap(walk, &probe);
	config->probe_tgid = 0;
	walk->tables_work = !err;
	probe_end(&probe);
	return err;
}

int walk_calibrate(struct walk *walk, const struct kroot *root)
{
#ifdef __x86_64__
	struct walk_config *config = &walk->skel->bss->config;
	struct witnesses w = { 0 };
	struct kpage kpage;

	if (walk->calibrated)
		return walk->tables_work ? 0 : -EOPNOTSUPP;
	walk->calibrated = true;
	if (kpage_open(root, &kpage) < 0)
		return -EOPNOTSUPP;
	int err = walk_tasks(walk, collect_witness, &w);

	config->max_phys = kpage_end(&kpage) << 12;
	if (!err)
		config->direct_map = find_direct_map(&kpage, &w, config->max_phys);
	kpage_close(&kpage);
	/* Five-level paging moves the direct map below ffff8…. */
	config->levels = config->direct_map >> 47 == 0x1ffff ? 4 : 5;
	if (err || !config->direct_map || !w.own_mm || prove(walk, root, w.own_mm) < 0)
		return -EOPNOTSUPP;
	return 0;
#else
	(void)root;
	walk->calibrated = true;
	return -EOPNOTSUPP;
#endif
}
