/* SPDX-License-Identifier: MIT */
/*
 * Records of open files out of any iterator that writes them (files_format.h).
 */
#ifndef MEMOIR_KERNEL_FILES_STREAM_H
#define MEMOIR_KERNEL_FILES_STREAM_H

#include "kernel/files.h"

typedef uint32_t u32;
typedef uint64_t u64;

#include "kernel/files_format.h"

/* The kernel collects whole records in 32 KiB: with room for that no read() cuts one in two. */
#define FILES_READ_BYTES (64u * 1024)

/* What a record says, but of dma-bufs and sockets; the path as long as that lasts. */
struct open_file files_of_record(const struct file_record *record, const char *path);

/* Run the iterator behind a link once; `records` is room to work in, aligned to 8. */
int files_stream(int link, char records[FILES_READ_BYTES], open_file_fn each, void *arg);

#endif
