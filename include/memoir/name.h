/* SPDX-License-Identifier: MIT */
/**
 * libmemoir-name: names for ranges of a program's own anonymous memory, on every kernel.
 *
 * Every function may be called from any thread, from a signal handler, and in a child of fork or vfork
 * at once. A call that meets another one under way waits for it; but one in a handler that interrupted
 * it, or that has waited for 0.1 s, is carried out by that other call, in order, when that goes on. A
 * handler must not jump out of such a call, nor may a thread be cancelled asynchronously in it.
 *
 * Where names live is chosen by the environment variable MEMOIR_NAMES, which is not looked at in
 * programs that gain privileges by exec:
 * - `kernel`: PR_SET_VMA_ANON_NAME (Linux 5.17 with CONFIG_ANON_VMA_NAME): whole pages, about 1 µs;
 * - `table`: the process's own name table (docs/NAME-TABLE.md): any bytes, some 50 ns, no system call;
 *   whether there is anonymous memory is not looked at: names of other memory are dropped by readers, and
 *   those of addresses from 2^63 on, which no program has, at once;
 * - `both`: the table, and the kernel where it takes the name;
 * - `off`: nothing is kept;
 * - `auto`, or anything else: `kernel` where that works, else `table`.
 * fork copies all names; exec drops them.
 */
#ifndef MEMOIR_NAME_H
#define MEMOIR_NAME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Room for the longest name and its NUL. */
#define MEMOIR_NAME_MAX 80

/**
 * @brief Name [addr, addr + len). Naming part of a named range splits it; neighbours of one name become one.
 * @param name printable ASCII but none of \ ` $ [ ], copied; NULL takes names away
 * @return 0; -EINVAL: the name is too long or has other characters, or the range wraps around;
 *         -ENOMEM: no memory for the table; -EAGAIN: interrupted calls are waiting already, and there
 *         is no room for more; in `kernel` mode what prctl(2) says (-EINVAL also for an address that is
 *         not a page's, -ENOMEM: not all mapped, -EBADF: mapped from a file)
 */
int memoir_name(void *addr, size_t len, const char *name);

/**
 * @brief Map len bytes of private anonymous memory, readable and writable, and name it.
 * @param name NULL for no name
 * @return 0; -EINVAL, -ENOMEM: as memoir_name() and mmap(2); then nothing is mapped
 */
int memoir_map(size_t len, const char *name, void **ret_addr);

/** munmap(2) that takes the names away too. 0; -EINVAL: not whole pages, or no such range. */
int memoir_unmap(void *addr, size_t len);

/**
 * @brief mremap(2) with MREMAP_MAYMOVE: names go along; what is added has the name of the last byte.
 * @return 0; -EINVAL, -ENOMEM, -EFAULT as mremap(2): then memory and names are as they were
 */
int memoir_remap(void *addr, size_t old_len, size_t new_len, void **ret_addr);

/**
 * @brief The same with the flags of mremap(2); new_addr is looked at with MREMAP_FIXED only.
 *
 * With MREMAP_DONTUNMAP the names stay at the old addresses as well. An old_len of 0 is the kernel's matter.
 */
int memoir_remap_flags(void *addr, size_t old_len, size_t new_len, int flags, void *new_addr,
		       void **ret_addr);

enum memoir_name_places {
	MEMOIR_NAMES_IN_TABLE = 1,
	MEMOIR_NAMES_IN_KERNEL = 2,
};

/** Where names are kept: values of enum memoir_name_places, or-ed; 0: nowhere. The first call finds out. */
unsigned int memoir_name_places(void);

/** The id of a name, the same everywhere: XXH3-64 of its bytes without the NUL. */
uint64_t memoir_name_hash(const char *name);

/** What a name table holds; all 0 where there is none. */
struct memoir_name_counts {
	size_t sz;            /**< sizeof(struct memoir_name_counts), set by the caller */
	uint64_t ranges;      /**< named ranges, and what memoir/track.h announces */
	uint64_t names;       /**< distinct names that some range has */
	uint64_t name_bytes;  /**< what these take, NULs included */
	uint64_t table_bytes; /**< memory of the table in use, all of it: ranges, names, spare */
};

/** Count. 0; -EINVAL: sz is not that of this version; -EAGAIN: called within another call. */
int memoir_name_counts(struct memoir_name_counts *ret_counts);

#ifdef __cplusplus
}
#endif

#endif
