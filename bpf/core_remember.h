/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What a program has the kernel remember for others. It looks a structure up in all its types by name, 0.3 ms each
 * time, and remembers one name for each of 31 hashes (core_mapping.h). A program that nobody waits for may so give back
 * what it took: looked for last, it is there when memoir is called again.
 */
#ifndef MEMOIR_CORE_REMEMBER_H
#define MEMOIR_CORE_REMEMBER_H

/* At the end of a program: relocations are gone through in their order. */
#define remember(type, member)                                                      \
	do {                                                                        \
		type *remembered_ = NULL;                                           \
		asm volatile("" ::"r"(bpf_core_field_offset(remembered_->member))); \
	} while (0)

#endif
