/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * How the walks read kernel memory by its address, on every kernel without harm: what can't be read is 0.
 *
 * A helper does it for 20 ns. Since Linux 6.2 an address may be declared to be that of a structure; it is then
 * read by one instruction whose faults are caught. Any number is read as if it were a VMA's first.
 */
#ifndef MEMOIR_WALK_READ_H
#define MEMOIR_WALK_READ_H

/* Set before loading; a program that has no such kernel loses what stands behind it when it is verified. */
#if LOCKLESS
#define may_cast true
#else
const volatile u32 may_cast = 1;
#endif

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* A type that is relocated anyway: each more costs a search of all the kernel's types (see find_layout()). */
static __always_inline struct vm_area_struct *as_vma(u64 address)
{
	return bpf_rdonly_cast((void *)address, bpf_core_type_id_kernel(struct vm_area_struct));
}

/*
 * What is called from forty places: as a global function it is verified once and not in each, 0.4 ms less. Such
 * take numbers only, no pointers.
 */
__attribute__((noinline)) u64 read_word(u64 address)
{
	u64 value = 0;

	if (may_cast)
		return as_vma(address)->vm_start;
	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

/* The number that a pointer is: the verifier knows a register for one, also in sums, until it went through memory. */
static __always_inline u64 number_of(struct walker *walker, const void *pointer)
{
	volatile u64 *number = &walker->number;

	*number = (u64)pointer;
	return *number;
}

/* A number of eight bytes in a kernel structure; 0 where it can't be read. */
static __always_inline u64 read_at(u64 address, u64 offset)
{
	return read_word(address + offset);
}

/*
 * A field of eight bytes of what a pointer leads to. A pointer that is simply followed makes the verifier search
 * the kernel's types by name, which would be most of the loading.
 */
#define read_field(walker, pointer, field) \
	read_at(number_of(walker, pointer), bpf_core_field_offset((pointer)->field))

#endif
