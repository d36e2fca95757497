/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the kernel itself counts of an address space, and which VMAs need not be read where only sums are asked for:
 * those of anonymous memory that no other process can have. A counter is exact when the parts of all CPUs are added
 * (lib/percpu_counter.c); parts of a CPU that is gone were added by the kernel.
 */
#ifndef MEMOIR_WALK_COUNTERS_H
#define MEMOIR_WALK_COUNTERS_H

#define VM_PFNMAP 0x00000400ull
#define VM_IO 0x00004000ull
#define VM_MIXEDMAP 0x10000000ull
#define VM_MERGEABLE 0x80000000ull

/*
 * Where each CPU has its variables the kernel tells no program. But it tells what address an element of a map like
 * this has for each of them, and keeps right behind the element's key what all of these addresses are made from.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, u64);
} beacon SEC(".maps");

u64 cpu_offsets[WALK_CPUS_MAX];
u32 cpus_found; /* how many of them */

static long beacon_step(void *map, u64 *key, u64 *value, struct walker **self)
{
	struct walker *walker = *self;

	walker->parts = read_word(number_of(walker, key) + sizeof(*key));
	return 1;
}

static long offset_step(u32 i, struct walker **self)
{
	struct walker *walker = *self;
	u64 key = 0, address = number_of(walker, bpf_map_lookup_percpu_elem(&beacon, &key, i));

	if (!address)
		walker->parts = 0;
	cpu_offsets[i & (WALK_CPUS_MAX - 1)] = address - walker->parts;
	return !address;
}

ONCE int find_cpus(struct walker *walker NONNULL)
{
	struct walker *self = walker;
	u64 key = 0;

	walker->parts = 0;
	bpf_map_update_elem(&beacon, &key, &key, BPF_ANY);
	bpf_for_each_map_elem(&beacon, beacon_step, &self, 0);
	repeat(walker, config.cpus, offset_step);
	if (walker->parts)
		cpus_found = config.cpus;
	return 0;
}

static long cpu_step(u32 i, struct walker **self)
{
	struct walker *walker = *self;
	int part = 0;

	if (bpf_probe_read_kernel(&part, sizeof(part),
				  (void *)(walker->parts + cpu_offsets[i & (WALK_CPUS_MAX - 1)])))
		walker->counted = 0;
	walker->sum += part;
	return 0;
}

/* Until it is the same before and after: a CPU moves its part to the count now and then. */
static long sum_step(u32 i, struct walker **self)
{
	struct walker *walker = *self;
	u64 count = read_word(walker->counter);

	walker->sum = count;
	repeat(walker, config.cpus, cpu_step);
	return read_word(walker->counter) == count;
}

#define SUM_TRIES 8

ONCE u64 sum_counter(struct walker *walker NONNULL, u64 counter)
{
	walker->counter = counter;
	walker->parts = read_at(counter, layout.counter_parts);
	repeat(walker, SUM_TRIES, sum_step);
	return walker->sum;
}

/* Before all VMAs of an address space. There is room: a walk begins with one only where there is (walk_targets.c). */
ONCE int emit_counters(struct walker *walker NONNULL, struct arena *arena NONNULL)
{
	struct walk_counters *out = stream_end(&walker->state, arena);
	struct task_struct *task = NULL;

	walker->counted = 0;
	if (!config.cpus || !out)
		return 0;
	if (cpus_found != config.cpus)
		find_cpus(walker);
	walker->counted = cpus_found == config.cpus;
	out->mm = walker->mm;
	out->tgid = walker->tgid;
	out->tid = walker->tid;
	out->anon_pages = sum_counter(walker, walker->mm + layout.mm_anon);
	out->swap_entries = sum_counter(walker, walker->mm + layout.mm_swap);
	/* If the task still has it these were the address space's. */
	if (read_word(walker->task + bpf_core_field_offset(task->mm)) != walker->mm)
		walker->counted = 0;
	if (walker->counted)
		stream_add(&walker->state, &out->head, WALK_COUNTERS, sizeof(*out));
	return 0;
}

/*
 * Whether the counters tell all that the VMA at hand has. Not so for what KSM may have merged. The first VMA of an
 * address space is told in any case, so that no process has none.
 */
static __always_inline bool is_counted(struct walker *walker, struct vm_area_struct *vma)
{
	return walker->counted && walker->from && !vma->vm_file && !vma->vm_ops &&
	       !(vma->vm_flags & (VM_MERGEABLE | VM_HUGETLB | VM_PFNMAP | VM_MIXEDMAP | VM_IO)) &&
	       (!anon_of_vma(walker) || walker->bits & WALK_ALONE);
}

/* Whether there is room for a page of 2 MiB mapped as one, which no counter tells. */
static __always_inline bool may_be_huge(const struct walker *walker, u64 end)
{
	return next_boundary(walker->start - 1, PMD_SHIFT) + (1ull << PMD_SHIFT) <= end;
}

#endif
