// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A BPF iterator that writes tasks into an array that user space maps, with their open files if it is asked for them
 * (walk_files.h), and what it knows of the kernel's structures for the walks. A program of its own: it is there, and has run, while the other is still verified.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

typedef __u32 u32;
typedef __u64 u64;

#include "walk_format.h"
#include "files_format.h"
#include "files_kernel.h"
#include "core_mapping.h"

#define STREAM_ARENAS WALK_ARENAS
#define STREAM_BYTES WALK_TASKS_BYTES
#define STREAM_SLACK_BYTES WALK_TASKS_SLACK_BYTES
#include "walk_stream.h"
#include "core_seq.h"
#include "walk_leader.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct walk_layout layout;
struct walk_state state;

#include "files_read.h"
#include "walk_files.h"

/*
 * The kernel looks a structure up in all its types by name, 0.4 ms each time, and remembers one name for each of 31
 * hashes. anon_vma has the same one as vm_area_struct, so it is not asked for: its members are where they stand behind
 * its rw_semaphore, which is as large as that of an mm. Whoever reads them looks whether they are (find_alone()).
 */
#define ANON_RWSEM 8 /* behind the root */

#define MM_ANONPAGES 1
#define MM_SWAPENTS 2

/* The kernel's counters of what an mm has, where each CPU has a part: Linux 6.2. */
static __always_inline void find_counters(const struct mm_struct *mm)
{
	if (!bpf_core_field_exists(mm->rss_stat[MM_ANONPAGES].counters))
		return;
	layout.mm_anon = bpf_core_field_offset(mm->rss_stat[MM_ANONPAGES].count);
	layout.mm_swap = bpf_core_field_offset(mm->rss_stat[MM_SWAPENTS].count);
	layout.counter_parts =
		bpf_core_field_offset(mm->rss_stat[MM_ANONPAGES].counters) - layout.mm_anon;
}

static __always_inline void find_layout(void)
{
	struct super_block *sb = NULL;
	struct mm_struct *mm = NULL;

	if (layout.known)
		return;
	layout.sb_flags = bpf_core_field_offset(sb->s_flags);
	layout.sb_magic = bpf_core_field_offset(sb->s_magic);
	layout.mapping_pages = mapping_offset(nrpages);
	layout.mapping_root = mapping_offset(i_mmap.rb_root.rb_node);
	layout.mapping_head = mapping_offset(i_pages.xa_head);
	/* A count of references, filled up to eight bytes, is before them. */
	layout.anon_children = ANON_RWSEM + bpf_core_field_size(mm->mmap_lock) + 8;
	layout.anon_vmas = layout.anon_children + 8;
	layout.anon_parent = layout.anon_vmas + 8;
	find_counters(mm);
	layout.known = 1;
}

static __always_inline u32 threads_of(struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	int threads = 0;

	bpf_probe_read_kernel(&threads, sizeof(threads), &signal->nr_threads);
	return threads;
}

static __always_inline void fill_task(struct walk_task *out, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	__builtin_memset(out, 0, sizeof(*out));
	out->task = (u64)task;
	out->mm = (u64)mm;
	out->css_set = (u64)BPF_CORE_READ(task, cgroups);
	out->start_ns = BPF_CORE_READ(leader, start_boottime);
	out->born_ns = task->start_boottime;
	if (mm) {
		out->page_table_bytes = BPF_CORE_READ(mm, pgtables_bytes.counter);
		out->start_brk = BPF_CORE_READ(mm, start_brk);
		out->brk = BPF_CORE_READ(mm, brk);
		out->start_stack = BPF_CORE_READ(mm, start_stack);
		out->map_count = BPF_CORE_READ(mm, map_count);
		out->seq = probe_seq(mm);
	}
	out->threads = threads_of(task);
	out->tgid = task->tgid;
	out->tid = task->pid;
	out->ppid = BPF_CORE_READ(task, real_parent, tgid);
	out->uid = BPF_CORE_READ(task, cred, uid.val);
	out->bits = task->flags & 0x00200000 /* PF_KTHREAD */ ? WALK_KTHREAD : 0;
	BPF_CORE_READ_INTO(&out->comm, leader, comm);
	stream_add(&state, &out->head, WALK_TASK, sizeof(*out));
}

/* Returning 1 makes the kernel end this read() and begin the next one with the same task. */
SEC("iter/task")
int walk_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct arena *arena = stream_arena(&state);
	struct walk_task *out;
	bool speaks;

	find_layout();
	if (!task || !arena)
		return 0;
	speaks = speaks_for_process(task);
	/* Of one whose files found no room all else was sent before; it may be gone since. */
	if (!lister.full || lister.task != (u64)task) {
		lister.next = 0;
		out = speaks ? stream_end(&state, arena) : NULL;
		if (out)
			fill_task(out, task);
		else if (speaks)
			return 1;
	}
	if (wants_files && (speaks || has_own_files(task)))
		return send_files(task) ? 0 : 1;
	return 0;
}
