/* SPDX-License-Identifier: MIT */
/*
 * What bpf/files.bpf.c writes and files.c reads: a record for each open file that matters.
 * Included by both sides, so it may use nothing but the fixed-width types they define.
 */
#ifndef MEMOIR_KERNEL_FILES_FORMAT_H
#define MEMOIR_KERNEL_FILES_FORMAT_H

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
};

/* Where the program puts a record and its path together. */
struct file_draft {
	struct file_record record;
	char path[2 * FILES_PATH_BYTES]; /* so that a mask can bound what is used of it */
};

#endif
