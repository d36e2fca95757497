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
#if SUMS
#include "walk_counters.h"
#endif

ONCE int emit_left(struct walker *walker NONNULL, struct arena *arena NONNULL)
{
	struct walk_left *out = stream_end(&walker->state, arena);

	if (!out)
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

static __always_inline u32 visit(struct walker *walker, struct arena *arena, u64 address)
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
	look_at(walker, vma);
#if SUMS
	walker->only_huge = is_counted(walker, vma);
	if (walker->only_huge && !may_be_huge(walker, end))
		return 0;
#endif
	why = send_vma(walker, arena, mm, vma);
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
ONCE int visit_slot(struct walker *walker NONNULL, struct arena *arena NONNULL, u32 i)
{
	u64 node, last, vma;
	u32 why;

	node = walker->maple & ~(MAPLE_NODE_BYTES - 1);
	last = read_word(node + MAPLE_PIVOTS + (u64)i * 8);
	vma = read_word(node + MAPLE_SLOTS_AT + (u64)i * 8);
	walker->next_end =
		i < MAPLE_SLOTS - 2 ? read_word(node + MAPLE_PIVOTS + (u64)i * 8 + 8) : 0;
	why = vma > 4095 ? visit(walker, arena, vma) : 0;
	if (why)
		return why;
	return !last || last >= walker->warm_last ? LEAF_ENDS : 0;
}

static long slot_step(u32 i, struct turn *turn)
{
	turn->walker->stop = visit_slot(turn->walker, turn->arena, i);
	return turn->walker->stop != 0;
}

/* The VMAs of the leaf that has walker.from. */
static __always_inline u32 visit_leaf(struct walker *walker, struct arena *arena)
{
	walker->stop = 0;
	repeat_with(walker, arena, MAPLE_SLOTS, slot_step);
	if (walker->stop && walker->stop != LEAF_ENDS)
		return walker->stop;
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
	walker->pmds = walker->sent_end = 0;
	walker->state.file.file = 0;
}

/* So that a call ends after half a millisecond, also where nothing is sent: nothing else runs on its CPU meanwhile. */
#define LEAVES_AT_ONCE 256

static long leaf_step(u32 i, struct turn *turn)
{
	struct walker *walker = turn->walker;

	begin_moment(walker);
	walker->stop = WALK_CHANGED;
	if (!(walker->seq & 1) && stands(walker)) {
		warm_leaf(walker, walker->root, walker->from);
		if (MAPLE_TYPE(walker->maple) == MAPLE_LEAF)
			walker->stop = visit_leaf(walker, turn->arena);
	}
	if (walker->stop == WALK_CHANGED)
		return walker->tries++ >= config.patience;
	return walker->stop || !walker->from;
}

/* The address space of a task, if that is the one that was listed, and nothing else is where it was. */
ONCE u64 mm_of(u64 at, u64 ids, u64 born)
{
	struct task_struct *task = NULL;

	if ((u32)read_word(at + bpf_core_field_offset(task->pid)) != (u32)ids ||
	    read_word(at + bpf_core_field_offset(task->start_boottime)) != born)
		return 0;
	return read_word(at + bpf_core_field_offset(task->mm));
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
	struct arena *arena = stream_arena(&walker->state);
	u64 task = ctx->args[WALK_TASK_AT], ids = ctx->args[WALK_IDS];
	u64 mm = mm_of(task, ids, ctx->args[WALK_BORN]);
	struct mm_struct *layout_of_mm = NULL;

	if (!arena)
		return 0;
	/* Where the kernel doesn't count changes there is no such member, and the program is refused when it is loaded. */
	walker->number = bpf_core_field_offset(layout_of_mm->mm_lock_seq.sequence);
	if (!walker->state.begun && !mm)
		return WALK_GONE;
	/* It let go of its memory since the last call; what it has now may lie in the same place, but for its top table. */
	if (walker->state.begun && (mm != walker->mm || pgd_of(mm) != walker->pgd)) {
		walker->state.begun = !emit_left(walker, arena);
		/* The process may be there still, as another thread: but what was begun has been told, or will be. */
		if (walker->state.begun || !mm)
			return 0;
	}
#if !SUMS
	if (config.scope == WALK_LISTED_MMS && !mm_wanted(walker, mm))
		return 0;
#endif
	if (!walker->state.begun) {
		begin_space(walker, task, ids, mm);
#if SUMS
		emit_counters(walker, arena);
#endif
	}
	walker->state.seq_kind = 2;
	walker->steps = STEPS_AT_ONCE;
	repeat_with(walker, arena, LEAVES_AT_ONCE, leaf_step);
	walker->state.begun = walker->stop || walker->from;
	if (walker->stop == WALK_CHANGED && walker->tries > config.patience)
		walker->state.begun = !emit_left(walker, arena);
	return 0;
}
