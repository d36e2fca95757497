// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The walk that takes no lock: it goes through the maple tree of a process by itself, a leaf at a time, and takes
 * back what it has sent of a VMA, or of one page table, if the address space was changed meanwhile. So nobody waits
 * for it, and no VMA costs a call of the iterator.
 *
 * Reads of memory that was freed are harmless: they are fault-protected, nothing is written, and what came of them is
 * taken back. A process that changes all the time is left to the walk that holds the lock (WALK_LEFT).
 */
#define LOCKLESS 1
#include "walk_base.h"

static __always_inline bool emit_left(void)
{
	struct walk_left *out = (void *)stream_end();

	if (!out)
		return false;
	__builtin_memset(out, 0, sizeof(*out));
	out->mm = walker.mm;
	out->tgid = walker.tgid;
	out->tid = walker.tid;
	out->from = walker.from;
	if (state.resume_addr && state.resume_mm == walker.mm) {
		out->start = state.resume_start;
		out->end = state.resume_end;
		out->addr = state.resume_addr;
	}
	state.resume_addr = 0;
	stream_add(&out->head, WALK_LEFT, sizeof(*out));
	return true;
}

static __always_inline u32 visit(u64 address)
{
	struct vm_area_struct *vma = as_vma(address);
	struct mm_struct *mm = vma->vm_mm;
	u64 start = vma->vm_start, end = vma->vm_end;
	u32 why;

	if ((u64)mm != walker.mm)
		return WALK_CHANGED;
	if (end <= walker.from)
		return 0;
	walker.start = start > walker.from ? start : walker.from;
	/* The one of which only a part was sent is another one now: what it covered has been told. */
	if (state.resume_addr && (walker.start != state.resume_start || end != state.resume_end)) {
		if (stands()) {
			walker.from = state.resume_end;
			state.resume_addr = 0;
		}
		return WALK_CHANGED;
	}
	why = send_vma(mm, vma);
	if (why)
		return why;
	walker.from = end;
	walker.tries = 0;
	return 0;
}

#define LEAF_ENDS 3 /* besides enum walk_stop */

/*
 * What is in a slot of walker.maple, and whether it is the last one: that ends where the leaf does, and behind it there
 * may be anything. A global function: the verifier goes through it once, and not for each slot.
 */
__attribute__((noinline)) int visit_slot(u32 i)
{
	u64 node = walker.maple & ~(MAPLE_NODE_BYTES - 1);
	u64 last = cast_at(node + MAPLE_PIVOTS + (u64)i * 8);
	u64 vma = cast_at(node + MAPLE_SLOTS_AT + (u64)i * 8);
	u32 why = vma > 4095 ? visit(vma) : 0;

	if (why)
		return why;
	return !last || last >= walker.warm_last ? LEAF_ENDS : 0;
}

/* The VMAs of the leaf that has walker.from. */
static __always_inline u32 visit_leaf(void)
{
	u32 why = 0;

	for (u32 i = 0; i < MAPLE_SLOTS && !why; i++)
		why = visit_slot(i);
	if (why && why != LEAF_ENDS)
		return why;
	if (!stands())
		return WALK_CHANGED;
	walker.from = walker.warm_last + 1;
	return 0;
}

static __always_inline void begin_moment(void)
{
	struct mm_struct *mm = NULL;
	u32 seq = read_word(walker.mm + bpf_core_field_offset(mm->mm_lock_seq));

	walker.root = read_word(walker.mm + bpf_core_field_offset(mm->mm_mt.ma_root));
	if (seq == walker.seq)
		return;
	walker.seq = seq;
	walker.pmds = 0;
	state.file.file = 0;
}

/* So that a read() ends after half a millisecond, also where nothing is sent. */
#define LEAVES_AT_ONCE 256

static long leaf_step(u32 i, void *unused)
{
	begin_moment();
	walker.stop = WALK_CHANGED;
	if (!(walker.seq & 1) && stands()) {
		warm_leaf(walker.root, walker.from);
		if (MAPLE_TYPE(walker.maple) == MAPLE_LEAF)
			walker.stop = visit_leaf();
	}
	if (walker.stop == WALK_CHANGED)
		return walker.tries++ >= config.patience;
	return walker.stop || !walker.from;
}

static __always_inline void begin_space(struct task_struct *task, u64 mm)
{
	struct mm_struct *layout_of_mm = NULL;

	walker.task = number_of(task);
	walker.mm = mm;
	walker.tgid = task->tgid;
	walker.tid = task->pid;
	walker.from = 0;
	walker.tries = 0;
	walker.seq = ~0u; /* odd: none yet */
	walker.pgd = read_word(mm + bpf_core_field_offset(layout_of_mm->pgd));
}

/* Returning 1 makes the kernel end this read() and begin the next one with the same task. */
SEC("iter/task")
int walk_vmas(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct mm_struct *layout_of_mm = NULL;
	u64 mm = 0;

	/* So that it is refused when it is loaded: the kernel doesn't count changes. */
	if (!bpf_core_field_exists(layout_of_mm->mm_lock_seq.sequence))
		return 2;
	if (task)
		mm = read_word(number_of(task) + bpf_core_field_offset(task->mm));
	/* The task in which the last read() ended let go of its memory. */
	if (walker.begun && (!task || number_of(task) != walker.task || mm != walker.mm)) {
		emit_left();
		walker.begun = 0;
	}
	if (!task || !mm || !speaks_for_process(task) ||
	    (config.scope == WALK_LISTED_MMS && !mm_wanted(mm)))
		return 0;
	if (!walker.begun)
		begin_space(task, mm);
	state.seq_kind = 2;
	bpf_loop(LEAVES_AT_ONCE, leaf_step, NULL, 0);
	walker.begun = walker.stop || walker.from;
	if (walker.stop == WALK_CHANGED && walker.tries > config.patience)
		walker.begun = !emit_left();
	return walker.begun ? 1 : 0;
}
