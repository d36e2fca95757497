/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Sees programs name memory, also where the kernel refuses it, and of those that were refused what becomes
 * of the named memory. It only looks on: no call has another result for it.
 *
 * All but where on_call() is called from, which watch_calls.bpf.c and watch_functions.bpf.c differ in.
 */
#ifndef MEMOIR_WATCH_H
#define MEMOIR_WATCH_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;

#include "watch_format.h"
#include "watch_kernel.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0

enum { NR_MMAP = 9, NR_MUNMAP = 11, NR_MREMAP = 25, NR_PRCTL = 157 };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WATCH_RING_BYTES);
} ring SEC(".maps");

/* Processes that were refused a name, and the life that they are in. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WATCH_PROCESSES);
	__type(key, u32);
	__type(value, u64);
} refused SEC(".maps");

struct watch_lost lost;

static __always_inline void count(u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

static __always_inline u64 life_of(u32 tgid)
{
	u64 *life = bpf_map_lookup_elem(&refused, &tgid);

	return life ? *life : 0;
}

static __always_inline u64 begin_life(u32 tgid)
{
	u64 now = bpf_ktime_get_ns(), life = life_of(tgid);

	if (life)
		return life;
	bpf_map_update_elem(&refused, &tgid, &now, BPF_NOEXIST);
	/* Another thread may have been first. */
	life = life_of(tgid);
	if (!life)
		count(&lost.processes);
	return life;
}

static __always_inline void fill(struct watch_record *record, u32 what, struct task_struct *task,
				 u64 life)
{
	__builtin_memset(record, 0, sizeof(*record));
	record->what = what;
	record->tgid = BPF_CORE_READ(task, tgid);
	record->tid = (u32)bpf_get_current_pid_tgid();
	record->life = life;
	record->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	record->time_ns = bpf_ktime_get_ns();
	bpf_probe_read_kernel(record->comm, sizeof(record->comm), &task->comm);
}

/* ---- names ---------------------------------------------------------------------------------- */

static __always_inline void on_name(u64 start, u64 bytes, u64 name_addr, s32 answer)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u64 life = answer && name_addr ? begin_life(tgid) : life_of(tgid);
	struct watch_name *out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);

	if (!out) {
		count(&lost.names);
		return;
	}
	fill(&out->record, WATCH_NAME, task, life);
	out->record.start = start;
	out->record.bytes = bytes;
	out->record.name_addr = name_addr;
	out->record.answer = answer;
	out->name[0] = 0;
	if (name_addr)
		out->record.name_bytes =
			bpf_probe_read_user_str(out->name, sizeof(out->name), (void *)name_addr);
	bpf_ringbuf_submit(out, 0);
}

/* ---- mappings ------------------------------------------------------------------------------- */

static __always_inline void on_mapping(u32 what, u64 start, u64 bytes, u64 to, u64 to_bytes)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 life = life_of(bpf_get_current_pid_tgid() >> 32);
	struct watch_record *out;

	if (!life)
		return;
	out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);
	if (!out) {
		count(&lost.changes);
		return;
	}
	fill(out, what, task, life);
	out->start = start;
	out->bytes = bytes;
	out->to = to;
	out->to_bytes = to_bytes;
	bpf_ringbuf_submit(out, 0);
}

/* What a call returns is an error, not an address. */
static __always_inline int failed(long ret)
{
	return (unsigned long)ret >= (unsigned long)-4095;
}

static __always_inline void on_call(u64 nr, struct pt_regs *regs, long ret)
{
	if (nr == NR_PRCTL && BPF_CORE_READ(regs, di) == PR_SET_VMA &&
	    BPF_CORE_READ(regs, si) == PR_SET_VMA_ANON_NAME)
		on_name(BPF_CORE_READ(regs, dx), BPF_CORE_READ(regs, r10), BPF_CORE_READ(regs, r8),
			ret);
	else if (nr == NR_MUNMAP && !ret)
		on_mapping(WATCH_UNMAP, BPF_CORE_READ(regs, di), BPF_CORE_READ(regs, si), 0, 0);
	else if (nr == NR_MMAP && !failed(ret))
		on_mapping(WATCH_UNMAP, ret, BPF_CORE_READ(regs, si), 0, 0);
	else if (nr == NR_MREMAP && !failed(ret))
		on_mapping(WATCH_MOVE, BPF_CORE_READ(regs, di), BPF_CORE_READ(regs, si), ret,
			   BPF_CORE_READ(regs, dx));
}

/* ---- processes ------------------------------------------------------------------------------ */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 tgid = BPF_CORE_READ(child, tgid), parent_tgid = BPF_CORE_READ(parent, tgid);
	u64 parent_life = tgid == parent_tgid ? 0 : life_of(parent_tgid), life;
	struct watch_record *out;

	/* A vfork child has no memory of its own. */
	if (!parent_life || BPF_CORE_READ(child, mm) == BPF_CORE_READ(parent, mm))
		return 0;
	life = begin_life(tgid);
	if (!life)
		return 0;
	out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);
	if (!out) {
		count(&lost.changes);
		return 0;
	}
	fill(out, WATCH_FORK, child, life);
	out->other_tgid = parent_tgid;
	out->other_life = parent_life;
	bpf_ringbuf_submit(out, 0);
	return 0;
}

static __always_inline void end_life(struct task_struct *task)
{
	u32 tgid = BPF_CORE_READ(task, tgid);
	u64 life = life_of(tgid);
	struct watch_record *out;

	if (!life)
		return;
	bpf_map_delete_elem(&refused, &tgid);
	out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);
	if (!out) {
		count(&lost.changes);
		return;
	}
	fill(out, WATCH_GONE, task, life);
	bpf_ringbuf_submit(out, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	end_life(task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	/* Not while another thread lives on. */
	if (!BPF_CORE_READ(task, signal, live.counter))
		end_life(task);
	return 0;
}

#endif
