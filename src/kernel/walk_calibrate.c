// SPDX-License-Identifier: MIT
/*
 * Finds where the kernel's direct map and its array of struct page lie, and proves it on a page of our own;
 * until then no page table is read.
 */
#include "kernel/walk.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/kpage.h"
#include "kernel/pte.h"
#include "kernel/walk_skeleton.h"

#define GIB (1ull << 30)

void walk_witness(struct walk *walk, const struct walk_task *task)
{
	struct walk_found *found = &walk->found;

	if (found->searched)
		return;
	witnesses_add(&found->witnesses, task->task);
	witnesses_add(&found->witnesses, task->mm);
	if (task->tgid == walk->self)
		found->own_mm = task->mm;
}

int walk_find(struct walk *walk, const struct kroot *root)
{
	struct walk_found *found = &walk->found;
	struct kpage kpage;
	int err = found->own_mm ? 0 : walk_tasks(walk, NULL, NULL);

	found->searched = true;
	/* Where none may look at frames there are no page tables to be read either. */
	if (err || kpage_open(root, &kpage) < 0)
		return err;
	found->max_phys = kpage_end(&kpage) << 12;
	found->direct_map = direct_map_find(&kpage, found->max_phys, &found->witnesses);
	kpage_close(&kpage);
	return 0;
}

/* What the walk says of a page of our own is proof. */
struct probe {
	struct own_page page;
	uint64_t entry;
};

static void probe_table(uint64_t addr, const uint64_t *entries, size_t count, void *arg)
{
	struct probe *probe = arg;

	if (probe->page.addr >= addr && probe->page.addr < addr + count * 4096)
		probe->entry = entries[(probe->page.addr - addr) >> 12];
}

static void probe_vma(const struct walk_vma *vma, const struct walk_object *object,
		      const char *path, const char *name, void *arg)
{
	(void)vma;
	(void)object;
	(void)path;
	(void)name;
	(void)arg;
}

static void find_vmemmap(struct walk *walk, const struct probe *probe)
{
	const struct walk_state *state = &walk->walkers->state;
	uint64_t page = state->probe_page, size = state->page_struct_bytes;

	if (!size || page < probe->page.frame * size)
		return;
	page -= probe->page.frame * size;
	/* Randomised by whole PUDs as well; anything else isn't a flat array of struct page. */
	if (page % GIB == 0)
		walk->config->vmemmap = page;
}

/*
 * Since Linux 6.6 the dirty bit of what was made read-only is another one; before, that was the bit of pages on
 * devices (DAX), which need not be copies. Our page was written to and made read-only, so its entry tells.
 */
static uint64_t dirty_bits(uint64_t entry)
{
	return PTE_BIT_DIRTY | (entry & PTE_BIT_DIRTY ? 0 : entry & PTE_BIT_SAVED_DIRTY);
}

static int prove(struct walk *walk, const struct kroot *root, uint64_t own_mm)
{
	struct walk_config *config = walk->config;
	struct walk_visitor visitor = {
		.vma = probe_vma,
		.table = probe_table,
		.few_paths = true,
	};
	struct probe probe = { .entry = 0 };
	int err = own_page_make(root, &probe.page);

	if (!err && mprotect((void *)(uintptr_t)probe.page.addr, 4096, PROT_READ) < 0)
		err = -errno;
	if (!err) {
		config->probe_addr = probe.page.addr;
		config->probe_tgid = (uint32_t)getpid();
		walk->tables_work = true;
		walk_wanted_clear(walk);
		err = walk_wanted_add(walk, own_mm);
	}
	if (!err && walk_vmas_of(walk, getpid(), true, &visitor, &probe) < 0)
		err = walk_vmas(walk, WALK_LISTED_MMS, true, &visitor, &probe);
	if (!err && (!pte_present(probe.entry) || pte_frame(probe.entry) != probe.page.frame))
		err = -EOPNOTSUPP;
	if (!err) {
		find_vmemmap(walk, &probe);
		config->dirty_bits = dirty_bits(probe.entry);
	}
	config->probe_tgid = 0;
	walk->tables_work = !err;
	own_page_end(&probe.page);
	return err;
}

int walk_calibrate(struct walk *walk, const struct kroot *root)
{
#ifdef __x86_64__
	struct walk_config *config = walk->config;
	const struct walk_found *found = &walk->found;

	if (walk->calibrated)
		return walk->tables_work ? 0 : -EOPNOTSUPP;
	walk->calibrated = true;
	if (!found->direct_map || !found->own_mm)
		return -EOPNOTSUPP;
	config->max_phys = found->max_phys;
	config->direct_map = found->direct_map;
	config->levels = direct_map_levels(found->direct_map);
	return prove(walk, root, found->own_mm) < 0 ? -EOPNOTSUPP : 0;
#else
	(void)root;
	walk->calibrated = true;
	return -EOPNOTSUPP;
#endif
}
