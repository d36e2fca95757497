// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Watching by the tracepoint of all system calls, each of which gets a little slower.
 */
#include "watch.h"

#define TS_COMPAT 2u /* a 32-bit call */

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 nr = BPF_CORE_READ(regs, orig_ax);

	if (nr != NR_PRCTL && nr != NR_MMAP && nr != NR_MUNMAP && nr != NR_MREMAP)
		return 0;
	/* There the numbers mean other calls. */
	if (BPF_CORE_READ(task, thread_info.status) & TS_COMPAT)
		return 0;
	on_call(nr, regs, ret);
	return 0;
}
