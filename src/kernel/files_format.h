/* SPDX-License-Identifier: MIT */
/*
 * What bpf/files.bpf.c writes and files.c reads: a record for each open file that matters.
 * Included by both sides, so it may use nothing but the fixed-width types they define.
 */
#ifndef MEMOIR_KERNEL_FILES_FORMAT_H
#define MEMOIR_KERNEL_FILES_FORMAT_H

#include "walk_format.h"

#define MAGIC_DMABUF 0x444d4142
#define FILES_PATH_BYTES 4096
#define FILES_EXPORTER_BYTES 32            /* with the NUL */
#define FILES_IN_FLIGHT_UNKNOWN 0xffffffff /* fdinfo tells */

struct file_record {
	u64 mapping; /* f_mapping, of dma-bufs the inode: the identity of what is held */
	u64 inode, size_bytes;
	u64 pages, swapped_pages; /* of the mapping, in RAM and in swap */
	u64 blocks;               /* of 512 bytes, as st_blocks */
	u32 tgid, fd;
	u32 dev, magic, mode, nlink;
	u32 path_bytes; /* of the path behind the record, with its NUL, filled up to a multiple of 8 */
	u32 tid;
	u32 rdev;      /* of a device */
	u32 in_flight; /* of a unix socket: files in its queue, or FILES_IN_FLIGHT_UNKNOWN */
	u64 backing;   /* of a udmabuf: the mapping its first page is in; 0: none */
	u32 backing_known;
	u32 exporter_bytes; /* of a dma-buf, at the end of the path; 0: not known */
	u32 stacked;        /* what is told is of the file below, the path of the one above */
	u32 unused;
};

/* One that comes along with the tasks, without its path. */
struct walk_file_of_task {
	struct walk_head head;
	struct file_record file;
};

/* Where it stands. In a map, not on the stack: there the verifier would follow each value. */
struct file_lister {
	u64 task, files; /* kernel addresses */
	u64 fds, open;   /* of the table: its files, and the bitmap of those that are open */
	u64 bits;        /* of that, for the 64 fds at hand */
	u32 first;       /* of these */
	u32 count;       /* of all */
	u32 next;        /* the first one that was not looked at */
	u32 full;        /* the arena: the next read() goes on with this task */
};

/* Where the program puts a record and its path together. */
struct file_draft {
	struct file_record record;
	char path[2 * FILES_PATH_BYTES]; /* so that a mask can bound what is used of it */
};

#endif
