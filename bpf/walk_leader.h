/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Which tasks stand for a process.
 */
#ifndef MEMOIR_WALK_LEADER_H
#define MEMOIR_WALK_LEADER_H

/* A leader, or a thread whose leader has exited: such a process is seen through its threads. */
static __always_inline bool speaks_for_process(struct task_struct *task)
{
	return task->pid == task->tgid || !BPF_CORE_READ(task, group_leader, mm);
}

#endif
