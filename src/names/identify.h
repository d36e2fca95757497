/* SPDX-License-Identifier: MIT */
/*
 * What memory is that the kernel gives no name: recognised by rules, each of which wants evidence.
 * A wrong kind is worse than none, so what is not proven stays as it is. Pure: memory is read through a
 * function of the caller's, and everything read is taken as hostile.
 */
#ifndef MEMOIR_NAMES_IDENTIFY_H
#define MEMOIR_NAMES_IDENTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kinds that rules can find; docs/KINDS.md says by what. */
enum identify_kind {
	IDENTIFY_NOTHING,
	IDENTIFY_THREAD_STACK,
	IDENTIFY_GLIBC_ARENA,
	IDENTIFY_PYTHON_ARENA,
	IDENTIFY_JAVA_HEAP,
	IDENTIFY_JAVA_METASPACE,
	IDENTIFY_JAVA_CODE,
	IDENTIFY_V8_HEAP,
	IDENTIFY_GO_HEAP,
	IDENTIFY_JEMALLOC,
	IDENTIFY_MIMALLOC,
	IDENTIFY_MUSL,
	IDENTIFY_JIT,
	IDENTIFY_IO_URING,
	IDENTIFY_PERF,
	IDENTIFY_KINDS,
};

/* What the kernel says a region is, as far as rules ask. */
enum identify_form {
	IDENTIFY_ANON,  /* private anonymous memory of which it says no more: what rules may tell */
	IDENTIFY_GUARD, /* the same without permissions, and empty */
	IDENTIFY_DEVICE, /* of a driver or an anonymous inode; rules may tell these too */
	IDENTIFY_FILE,   /* of a file */
	IDENTIFY_OTHER,
};

struct identify_region {
	uint64_t start, end;
	const char *path; /* or "[heap]"; NULL: none */
	char perms[5];    /* "rw-p" */
	uint8_t form;     /* enum identify_form */
	uint8_t kind;     /* enum identify_kind: what was found */
};

/* One address space. The caller fills in what stands first. */
struct identify_space {
	struct identify_region *regions; /* by address */
	size_t count;
	/* All of these bytes or a negative errno: -EPERM and -EACCES are remembered in `denied`. */
	int (*read)(void *arg, uint64_t addr, void *buf, size_t bytes);
	void *arg;

	bool denied;         /* something that a rule wanted to see may not be read */
	bool all_executable; /* all memory that is readable: the stack is, so that code shows nowhere */
	uint32_t programs;   /* whose files are mapped */
	size_t bytes_left;   /* that may still be read of this process */
	size_t allowed_left; /* and by the rule that is asked */
};

/*
 * Set the kind of each region that a rule knows. Reads at most 64 MiB of a process, of one region 256 KiB,
 * and for a rule that looks at the process as a whole 8 MiB.
 */
void identify(struct identify_space *space);

#endif
