// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Finds the VMAs that may map one page by the kernel's own reverse map: the trees of mappings below an
 * address_space or an anon_vma. It only reads; user space verifies every VMA it names.
 *
 * Nothing is locked while a tree is read, so that it may change meanwhile: every read is
 * fault-protected, steps and depth are bounded, and what looks torn is said to be.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

typedef __u32 u32;
typedef __u64 u64;

#include "mappers_format.h"
#include "walk_kernel.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct answer {
	char bytes[MAPPERS_BYTES + MAPPERS_SLACK_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct answer);
} answer SEC(".maps");

struct mappers_request request;
struct mappers_state state;

/* Layouts that never change, as in walk_kernel.h. In both trees the largest index below follows the node. */
struct interval_node {
	struct rb_node rb;
	u64 subtree_last;
};

struct anon_vma_chain {
	struct vm_area_struct *vma;
	struct anon_vma *anon_vma;
	void *same_vma[2];
	struct interval_node node;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct anon_vma___tree {
	struct rb_root_cached rb_root;
};

struct mm_struct___owned {
	struct task_struct *owner;
};

struct page___folio {
	u64 __folio_index;
};

struct page___index {
	u64 index;
};

#pragma clang attribute pop

/* ---- records -------------------------------------------------------------------------------- */

static __always_inline void fill_owner(struct mapper_record *out, struct mm_struct *mm)
{
	struct mm_struct___owned *owned = (void *)mm;
	struct task_struct *owner, *leader;

	if (!bpf_core_field_exists(owned->owner))
		return;
	owner = BPF_CORE_READ(owned, owner);
	if (!owner)
		return;
	leader = BPF_CORE_READ(owner, group_leader);
	out->tgid = BPF_CORE_READ(owner, tgid);
	out->tid = BPF_CORE_READ(owner, pid);
	out->ppid = BPF_CORE_READ(owner, real_parent, tgid);
	out->start_ns = BPF_CORE_READ(leader, start_boottime);
	BPF_CORE_READ_INTO(&out->comm, leader, comm);
}

/* The kernel's order of names: its special mappings, heap, stack. */
static __always_inline void fill_label(struct mapper_record *out, struct vm_area_struct *vma,
				       struct mm_struct *mm)
{
	struct vm_special_mapping *special = BPF_CORE_READ(vma, vm_private_data);
	u64 stack = BPF_CORE_READ(mm, start_stack);
	const char *name = NULL;

	if (special && BPF_CORE_READ(vma, vm_ops)) {
		bpf_probe_read_kernel(&name, sizeof(name), &special->name);
		if (bpf_probe_read_kernel_str(out->label, sizeof(out->label), name) < 0 ||
		    out->label[0] != '[')
			out->label[0] = '\0';
	}
	if (out->start < BPF_CORE_READ(mm, brk) && out->end > BPF_CORE_READ(mm, start_brk))
		out->bits |= MAPPER_HEAP;
	else if (out->start <= stack && out->end >= stack)
		out->bits |= MAPPER_STACK;
}

static __always_inline void fill_name(struct mapper_record *out, struct vm_area_struct *vma,
				      struct file *file)
{
	struct vm_area_struct___named *named = (void *)vma;
	struct anon_vma_name *name;
	long len;

	if (!bpf_core_field_exists(named->anon_name))
		return;
	/* Before 6.2 a union: files have their place in the address_space's tree there. */
	if (file && bpf_core_field_offset(named->anon_name) == bpf_core_field_offset(vma->shared))
		return;
	name = BPF_CORE_READ(named, anon_name);
	if (!name)
		return;
	len = bpf_probe_read_kernel_str(out->name, MAPPERS_NAME_BYTES, &name->name);
	if (len < 1 || len > MAPPERS_NAME_BYTES)
		return;
	out->name_len = len - 1;
	out->bits |= MAPPER_NAMED;
}

#define FRAME_MASK 0x000ffffffffff000ull
#define PTE_PRESENT 1ull
#define PTE_LARGE 0x80ull
#define PUD_SHIFT 30
#define PGD_SHIFT 48

/*
 * The entry of the page tables that maps an address, from level to level; ret_shift says of which, 0: it
 * could not be read. What it means is for user space.
 */
static __always_inline u64 read_entry(struct mm_struct *mm, u64 addr, u32 *ret_shift)
{
	u64 table = (u64)BPF_CORE_READ(mm, pgd), entry = 0;

	*ret_shift = 0;
	if (!request.direct_map)
		return 0;
#pragma unroll
	for (u32 shift = PGD_SHIFT; shift >= 12; shift -= 9) {
		if (shift == PGD_SHIFT && request.levels != 5)
			continue;
		if (bpf_probe_read_kernel(&entry, sizeof(entry),
					  (void *)(table + ((addr >> shift) & 511) * 8)))
			return 0;
		/* Not a table: memory itself, or (not present) nothing, or an entry of the kernel's own. */
		if (shift == 12 || !(entry & PTE_PRESENT) ||
		    (shift <= PUD_SHIFT && entry & PTE_LARGE)) {
			*ret_shift = shift;
			return entry;
		}
		if ((entry & FRAME_MASK) >= request.max_phys)
			return 0;
		table = request.direct_map + (entry & FRAME_MASK);
	}
	return 0;
}

static __always_inline int emit(struct vm_area_struct *vma, u32 bits)
{
	struct mapper_record *out;
	struct mm_struct *mm;
	struct file *file;
	u64 used = state.used;
	u32 zero = 0;
	char *bytes = bpf_map_lookup_elem(&answer, &zero);

	if (!bytes || used >= MAPPERS_BYTES) {
		state.torn = 1;
		return 1;
	}
	barrier_var(bytes); /* as in walk_stream.h */
	out = (void *)(bytes + (used & (MAPPERS_BYTES - 1)));
	__builtin_memset(out, 0, sizeof(*out));
	mm = BPF_CORE_READ(vma, vm_mm);
	file = BPF_CORE_READ(vma, vm_file);
	out->mm = (u64)mm;
	out->start = BPF_CORE_READ(vma, vm_start);
	out->end = BPF_CORE_READ(vma, vm_end);
	out->flags = BPF_CORE_READ(vma, vm_flags);
	out->offset_pages = BPF_CORE_READ(vma, vm_pgoff);
	out->bits = bits | (file ? MAPPER_FILE : 0) |
		    (BPF_CORE_READ(vma, anon_vma) ? MAPPER_HAS_ANON : 0);
	if (!(bits & MAPPER_ASKED))
		out->entry = read_entry(mm, out->start + ((state.index - out->offset_pages) << 12),
					&out->entry_shift);
	fill_owner(out, mm);
	if (!file)
		fill_label(out, vma, mm);
	fill_name(out, vma, file);
	out->bytes = (sizeof(*out) + (out->name_len & (MAPPERS_NAME_BYTES - 1)) + 8) & ~7u;
	state.used = used + out->bytes;
	return 0;
}

/* ---- trees ---------------------------------------------------------------------------------- */

static __always_inline void push(struct rb_node *node)
{
	if (!node)
		return;
	if (state.depth >= MAPPERS_DEPTH) {
		state.torn = 1;
		return;
	}
	state.nodes[state.depth & (MAPPERS_DEPTH - 1)] = (u64)node;
	state.depth++;
}

static __always_inline struct vm_area_struct *vma_of_node(u64 node)
{
	struct anon_vma_chain *chain =
		(void *)(node - __builtin_offsetof(struct anon_vma_chain, node));
	struct vm_area_struct *vma = NULL;

	if (!state.anon)
		return (void *)(node - bpf_core_field_offset(vma->shared.rb));
	bpf_probe_read_kernel(&vma, sizeof(vma), &chain->vma);
	return vma;
}

/*
 * Nodes are sorted by the first index they map, and each knows the last one that is mapped in or
 * below it.
 */
static long tree_step(u32 i, void *unused)
{
	struct interval_node node;
	struct vm_area_struct *vma;
	u64 at, first, pages;

	if (!state.depth || state.torn)
		return 1;
	state.depth--;
	at = state.nodes[state.depth & (MAPPERS_DEPTH - 1)];
	vma = vma_of_node(at);
	if (!vma || bpf_probe_read_kernel(&node, sizeof(node), (void *)at)) {
		state.torn = 1;
		return 1;
	}
	if (node.subtree_last < state.index)
		return 0;
	first = BPF_CORE_READ(vma, vm_pgoff);
	pages = (BPF_CORE_READ(vma, vm_end) - BPF_CORE_READ(vma, vm_start)) >> 12;
	if (first <= state.index) {
		push(node.rb.rb_right);
		if (state.index - first < pages && emit(vma, 0))
			return 1;
	}
	push(node.rb.rb_left);
	return 0;
}

static __always_inline void walk_tree(void)
{
	state.depth = 0;
	push((void *)state.tree);
	bpf_loop(MAPPERS_STEPS, tree_step, NULL, 0);
	if (state.depth)
		state.torn = 1;
}

static __always_inline void set_tree_of_family(struct anon_vma *anon)
{
	struct anon_vma___tree *tree = (void *)anon;

	state.anon = 1;
	state.tree = anon ? (u64)BPF_CORE_READ(tree, rb_root.rb_root.rb_node) : 0;
}

static __always_inline void set_tree_of_object(struct address_space *mapping)
{
	state.anon = 0;
	state.tree = mapping ? (u64)BPF_CORE_READ(mapping, i_mmap.rb_root.rb_node) : 0;
}

/* ---- questions ------------------------------------------------------------------------------ */

static __always_inline void probe(struct task_struct *task, struct vm_area_struct *vma,
				  struct file *file, struct address_space *mapping)
{
	struct mm_struct *mm = BPF_CORE_READ(vma, vm_mm);
	u32 shift;

	state.probe_page = (u64)BPF_CORE_READ(mapping, i_pages.xa_head);
	state.probe_entry = read_entry(mm, request.addr, &shift);
	state.witnesses[0] = (u64)task;
	state.witnesses[1] = (u64)mm;
	state.witnesses[2] = (u64)vma;
	state.witnesses[3] = (u64)file;
	state.witnesses[4] = (u64)BPF_CORE_READ(task, cred);
	state.witnesses[5] = (u64)BPF_CORE_READ(task, signal);
}

static long on_vma(struct task_struct *task, struct vm_area_struct *vma, void *unused)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);
	struct address_space *mapping = file ? BPF_CORE_READ(file, f_mapping) : NULL;
	struct anon_vma *anon = BPF_CORE_READ(vma, anon_vma), *root = NULL;

	emit(vma, MAPPER_ASKED);
	state.index = BPF_CORE_READ(vma, vm_pgoff) +
		      ((request.addr - BPF_CORE_READ(vma, vm_start)) >> 12);
	if (request.question == MAPPERS_OBJECT)
		set_tree_of_object(mapping);
	if (request.question == MAPPERS_PROBE && mapping)
		probe(task, vma, file, mapping);
	if (request.question == MAPPERS_FAMILY && anon) {
		/* The root is the first member (see walk_anon.h); all of a family are in its tree. */
		bpf_probe_read_kernel(&root, sizeof(root), anon);
		set_tree_of_family(root);
	}
	return 0;
}

#define MAPPING_ANON 1ull
#define MAPPING_FLAGS 3ull

static __always_inline u64 page_word(const u64 *words, u32 offset)
{
	return words[(offset / 8) & 7];
}

/* The page's own anon_vma or address_space, and its index there: what the kernel itself goes by. */
static __always_inline void ask_page(void)
{
	struct page *page = NULL;
	struct page___folio *folio = NULL;
	struct page___index *old = NULL;
	u64 size = bpf_core_type_size(struct page), words[8], head, tail = 0;
	u64 at = request.vmemmap + request.frame * size;

	if (bpf_probe_read_kernel(words, sizeof(words), (void *)at))
		return;
	head = page_word(words, bpf_core_field_offset(page->compound_head));
	if (head & 1) {
		tail = (at - (head - 1)) / size;
		if (bpf_probe_read_kernel(words, sizeof(words), (void *)(head - 1)))
			return;
	}
	state.page_mapping = page_word(words, bpf_core_field_offset(page->mapping));
	if (bpf_core_field_exists(folio->__folio_index))
		state.index = page_word(words, bpf_core_field_offset(folio->__folio_index));
	else if (bpf_core_field_exists(old->index))
		state.index = page_word(words, bpf_core_field_offset(old->index));
	else
		return;
	state.index += tail;
	if ((state.page_mapping & MAPPING_FLAGS) == MAPPING_ANON)
		set_tree_of_family((void *)(state.page_mapping & ~MAPPING_FLAGS));
	else if (!(state.page_mapping & MAPPING_FLAGS))
		set_tree_of_object((void *)state.page_mapping);
}

/* Is called for each task, or for those of one process. A leader that has exited has no memory: then a thread. */
SEC("iter/task")
int find_mappers(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task || state.seen)
		return 0;
	if (BPF_CORE_READ(task, tgid) != request.tgid || !BPF_CORE_READ(task, mm))
		return 0;
	state.seen = 1;
	state.page_struct_bytes = bpf_core_type_size(struct page);
	if (request.question == MAPPERS_FRAME)
		ask_page();
	else
		state.found = bpf_find_vma(task, request.addr, on_vma, NULL, 0);
	if (state.tree)
		walk_tree();
	return 0;
}
