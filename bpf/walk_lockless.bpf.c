// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The walk that takes no lock: it goes through the maple tree of a process by itself, a leaf at a time, and takes
 * back what it has sent of a VMA, or of one page table, if the address space was changed meanwhile. So nobody waits
 * for it, and no VMA costs a call of the kernel's iterator.
 *
 * Reads of memory that was freed are harmless: they are fault-protected, nothing is written, and what came of them is
 * taken back. A process that changes all the time is left to the walk that holds the lock (WALK_LEFT).
 */
#define LOCKLESS 1
#include "walk_base.h"

__attribute__((noinline)) int emit_left(struct walker *walker)
{
	struct walk_left *out = walker ? (void *)stream_end(&walker->state) : NULL;

	if (!out || !walker)
		return false;
	__builtin_memset(out, 0, sizeof(*out));
	out->mm = walker->mm;
	out->tgid = walker->tgid;
	out->tid = walker->tid;
	out->from = walker->from;
	if (walker->state.resume_addr && walker->state.resume_mm == walker->mm) {
		out->start = walker->state.resume_start;
		out->end = walker->state.resume_end;
		out->addr = walker->state.resume_addr;
	}
	walker->state.resume_addr = 0;
	stream_add(&walker->state, &out->head, WALK_LEFT, sizeof(*out));
	return true;
}

static __always_inline u32 visit(struct walker *walker, u64 address)
{
	struct vm_area_struct *vma = as_vma(address);
	struct mm_struct *mm = vma->vm_mm;
	u64 start = vma->vm_start, end = vma->vm_end;
	u32 why;

	if ((u64)mm != walker->mm)
		return WALK_CHANGED;
	if (end <= walker->from)
		return 0;
	walker->start = start > walker->from ? start : walker->from;
	/* The one of which only a part was sent is another one now: what it covered has been told. */
	if (walker->state.resume_addr &&
	    (walker->start != walker->state.resume_start || end != walker->state.resume_end)) {
		if (stands(walker)) {
			walker->from = walker->state.resume_end;
			walker->state.resume_addr = 0;
		}
		return WALK_CHANGED;
	}
	why = send_vma(walker, mm, vma);
	if (why)
		return why;
	walker->from = end;
	walker->tries = 0;
	return 0;
}

#define LEAF_ENDS 4 /* besides enum walk_stop */

/*
 * What is in a slot of walker.maple, and whether it is the last one: that ends where the leaf does, and behind it there
 * may be anything. A global function: the verifier goes through it once, and not for each slot.
 */
__attribute__((noinline)) int visit_slot(struct walker *walker, u32 i)
{
	u64 node, last, vma;
	u32 why;

	if (!walker)
		return 0;
	node = walker->maple & ~(MAPLE_NODE_BYTES - 1);
	last = read_word(node + MAPLE_PIVOTS + (u64)i * 8);
	vma = read_word(node + MAPLE_SLOTS_AT + (u64)i * 8);
	why = vma > 4095 ? visit(walker, vma) : 0;
	if (why)
		return why;
	return !last || last >= walker->warm_last ? LEAF_ENDS : 0;
}

/* The VMAs of the leaf that has walker.from. */
static __always_inline u32 visit_leaf(struct walker *walker)
{
	u32 why = 0;

	for (u32 i = 0; i < MAPLE_SLOTS && !why; i++)
		why = visit_slot(walker, i);
	if (why && why != LEAF_ENDS)
		return why;
	if (!stands(walker))
		return WALK_CHANGED;
	walker->from = walker->warm_last + 1;
	return 0;
}

static __always_inline void begin_moment(struct walker *walker)
{
	struct mm_struct *mm = NULL;
	u32 seq = read_word(walker->mm + bpf_core_field_offset(mm->mm_lock_seq));

	walker->root = read_word(walker->mm + bpf_core_field_offset(mm->mm_mt.ma_root));
	if (seq == walker->seq)
		return;
	walker->seq = seq;
	walker->pmds = 0;
	walker->state.file.file = 0;
}

/* So that a call ends after half a millisecond, also where nothing is sent: nothing else runs on its CPU meanwhile. */
#define LEAVES_AT_ONCE 256

static long leaf_step(u32 i, struct walker **self)
{
	struct walker *walker = *self;
	begin_moment(walker);
	walker->stop = WALK_CHANGED;
	if (!(walker->seq & 1) && stands(walker)) {
		warm_leaf(walker, walker->root, walker->from);
		if (MAPLE_TYPE(walker->maple) == MAPLE_LEAF)
			walker->stop = visit_leaf(walker);
	}
	if (walker->stop == WALK_CHANGED)
		return walker->tries++ >= config.patience;
	return walker->stop || !walker->from;
}

/* Whether the task is the one that was listed, or something else is where it was. */
static __always_inline bool is_same(u64 at, u64 ids, u64 born)
{
	struct task_struct *task = NULL;

	return (u32)read_word(at + bpf_core_field_offset(task->pid)) == (u32)ids &&
	       read_word(at + bpf_core_field_offset(task->start_boottime)) == born;
}

static __always_inline u64 pgd_of(u64 mm)
{
	struct mm_struct *layout_of_mm = NULL;

	return read_word(mm + bpf_core_field_offset(layout_of_mm->pgd));
}

static __always_inline void begin_space(struct walker *walker, u64 task, u64 ids, u64 mm)
{
	walker->task = task;
	walker->mm = mm;
	walker->tid = ids;
	walker->tgid = ids >> 32;
	walker->from = 0;
	walker->tries = 0;
	walker->seq = ~0u; /* odd: none yet */
	walker->pgd = pgd_of(mm);
}

/*
 * One task, by its address, and what tells that it still is that one. It is attached to nothing, but called from user
 * space, which says who is walked: so a walk costs no iterator of tasks, and two can walk at the same time.
 */
SEC("raw_tp/none")
int walk_vmas(struct bpf_raw_tracepoint_args *ctx)
{
	struct walker *walker = &walkers[ctx->args[WALK_WALKER] & (WALK_WALKERS - 1)];
	u64 task = ctx->args[WALK_TASK_AT], ids = ctx->args[WALK_IDS], mm;
	struct task_struct *layout_of_task = NULL;
	struct mm_struct *layout_of_mm = NULL;
	bool begun = walker->state.begun, same = is_same(task, ids, ctx->args[WALK_BORN]);

	/* Where the kernel doesn't count changes there is no such member, and the program is refused when it is loaded. */
	walker->number = bpf_core_field_offset(layout_of_mm->mm_lock_seq.sequence);
	mm = same ? read_word(task + bpf_core_field_offset(layout_of_task->mm)) : 0;
	/* It let go of its memory since the last call; what it has now may lie in the same place, but for its top table. */
	if (begun && (mm != walker->mm || pgd_of(mm) != walker->pgd)) {
		walker->state.begun = !emit_left(walker);
		if (walker->state.begun)
			return 0;
	}
	/* The process may be there still, as another thread: but what was begun has been told, or will be. */
	if (!mm)
		return begun ? 0 : WALK_GONE;
	if (config.scope == WALK_LISTED_MMS && !mm_wanted(walker, mm))
		return 0;
	if (!walker->state.begun)
		begin_space(walker, task, ids, mm);
	walker->state.seq_kind = 2;
	walker->steps = STEPS_AT_ONCE;
	repeat(walker, LEAVES_AT_ONCE, leaf_step);
	walker->state.begun = walker->stop || walker->from;
	if (walker->stop == WALK_CHANGED && walker->tries > config.patience)
		walker->state.begun = !emit_left(walker);
	return 0;
}
