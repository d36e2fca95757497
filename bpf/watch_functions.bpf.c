// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Watching where functions may be traced: only the calls that it is about get slower.
 */
#include "watch.h"

#define ON_FUNCTION(function, nr)                                   \
	SEC("fexit/__x64_sys_" #function)                           \
	int BPF_PROG(on_##function, struct pt_regs *regs, long ret) \
	{                                                           \
		on_call(nr, regs, ret);                             \
		return 0;                                           \
	}

ON_FUNCTION(prctl, NR_PRCTL)
ON_FUNCTION(mmap, NR_MMAP)
ON_FUNCTION(munmap, NR_MUNMAP)
ON_FUNCTION(mremap, NR_MREMAP)
