// SPDX-License-Identifier: MIT
/*
 * Runs the BPF iterator of bpf/files.bpf.c and hands out its records; draws no conclusions.
 */
#include "kernel/files.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/grow.h"
#include "kernel/process.h"

typedef uint32_t u32;
typedef uint64_t u64;

#include "kernel/files_format.h"
#include "kernel/files_stream.h"

#include "files.lskel.h"

#define PAGE_BYTES 4096u
#define BLOCK_BYTES 512u
struct files {
	struct files_bpf *skel;
	int link;
	const struct kroot *root;
	char *kept; /* records, for the next files_each() */
	size_t kept_bytes, kept_room;
	bool is_kept;
	_Alignas(8) char records[FILES_READ_BYTES];
};

/* More are not kept: they are asked for again. */
#define KEPT_BYTES_MAX (4u << 20)

int files_open(const struct kroot *root, struct files **ret_files, struct memoir_error *error)
{
	struct files *files;
	int err = 0;

	if (process_may_iterate(root, error) < 0)
		return -EOPNOTSUPP;
	files = calloc(1, sizeof(*files));
	if (!files)
		return error_set(error, -ENOMEM, "out of memory");
	files->root = root;
	files->skel = files_bpf__open_and_load();
	files->link = files->skel ? skel_link_create(files->skel->progs.list_files.prog_fd, 0,
						     BPF_TRACE_ITER)
				  : -1;
	if (files->link < 0) {
		err = -errno;
		files_close(files);
		return error_set(
			error, err == -EPERM ? err : -EOPNOTSUPP,
			"the kernel refused memoir's iterator of open files (%s); it needs "
			"Linux 5.17, CAP_BPF and CAP_PERFMON",
			strerror(-err));
	}
	*ret_files = files;
	return 0;
}

void files_close(struct files *files)
{
	if (!files)
		return;
	if (files->link >= 0)
		close(files->link);
	if (files->skel)
		files_bpf__destroy(files->skel);
	free(files->kept);
	free(files);
}

struct open_file files_of_record(const struct file_record *record, const char *path)
{
	/* The page cache of hugetlbfs counted huge pages as one until 6.7. */
	uint64_t resident_bytes = record->magic == HUGETLBFS_MAGIC ? record->blocks * BLOCK_BYTES
								   : record->pages * PAGE_BYTES;
	bool dmabuf = record->magic == DMA_BUF_MAGIC;

	return (struct open_file){
		.pid = (pid_t)record->tgid,
		.tid = (pid_t)record->tid,
		.fd = (int)record->fd,
		.mapping = record->mapping,
		.dev = record->dev,
		.magic = record->magic,
		.mode = record->mode,
		.nlink = record->nlink,
		.inode = record->inode,
		.size_bytes = record->size_bytes,
		.resident_bytes = resident_bytes,
		.swapped_bytes = record->swapped_pages * PAGE_BYTES,
		.rdev = record->rdev,
		/* Pages of a dma-buf are not those of its inode. */
		.resident_known = !dmabuf,
		.path = path,
		.backing = record->backing,
		.backing_known = record->backing_known,
		.in_flight = record->in_flight,
	};
}

static struct open_file of_record(const struct file_record *record)
{
	const char *path = (const char *)(record + 1);
	struct open_file file = files_of_record(record, path);

	file.exporter = record->exporter_bytes ? path + strlen(path) + 1 : NULL;
	return file;
}

struct reader {
	open_file_fn each;
	void *arg;
};

static int read_records(const char *records, size_t bytes, void *arg)
{
	const struct reader *reader = arg;
	int err = 0;

	for (size_t at = 0; at < bytes && !err;) {
		const struct file_record *record = (const void *)(records + at);
		struct open_file file = of_record(record);

		err = reader->each(&file, reader->arg);
		at += sizeof(*record) + record->path_bytes;
	}
	return err;
}

/* Whole records, as many as there are at once. */
static int stream(int link, char records[FILES_READ_BYTES],
		  int (*take)(const char *records, size_t bytes, void *arg), void *arg)
{
	union bpf_attr attr = { .iter_create.link_fd = (unsigned int)link };
	int iter = skel_sys_bpf(BPF_ITER_CREATE, &attr, sizeof(attr));
	ssize_t got;
	int err = 0;

	if (iter < 0)
		return -errno;
	do {
		got = read(iter, records, FILES_READ_BYTES);
		/* EAGAIN: very many files were passed over. */
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			err = -errno;
		else if (got > 0)
			err = take(records, (size_t)got, arg);
	} while (got != 0 && !err);
	close(iter);
	return err;
}

int files_stream(int link, char records[FILES_READ_BYTES], open_file_fn each, void *arg)
{
	struct reader reader = { each, arg };

	return stream(link, records, read_records, &reader);
}

static int keep(const char *records, size_t bytes, void *arg)
{
	struct files *files = arg;
	char *kept;

	if (files->kept_bytes + bytes > KEPT_BYTES_MAX)
		return -EFBIG;
	kept = grow(files->kept, &files->kept_room, files->kept_bytes + bytes, 1);
	if (!kept)
		return -ENOMEM;
	files->kept = kept;
	memcpy(kept + files->kept_bytes, records, bytes);
	files->kept_bytes += bytes;
	return 0;
}

void files_ask(struct files *files)
{
	files->kept_bytes = 0;
	files->is_kept = stream(files->link, files->records, keep, files) == 0;
}

struct asking {
	const struct kroot *root;
	open_file_fn each;
	void *arg;
};

/* What the iterator leaves to fdinfo. */
static int ask_for_rest(const struct open_file *file, void *arg)
{
	const struct asking *asking = arg;
	struct open_file told = *file;

	if (file->in_flight != FILES_IN_FLIGHT_UNKNOWN)
		return asking->each(file, asking->arg);
	told.in_flight = files_in_flight_by_text(asking->root, file);
	return told.in_flight ? asking->each(&told, asking->arg) : 0;
}

void files_forget(struct files *files)
{
	free(files->kept);
	files->kept = NULL;
	files->kept_bytes = files->kept_room = 0;
	files->is_kept = false;
}

int files_each(struct files *files, open_file_fn each, void *arg)
{
	struct asking asking = { files->root, each, arg };
	struct reader reader = { ask_for_rest, &asking };

	return files->is_kept ? read_records(files->kept, files->kept_bytes, &reader)
			      : stream(files->link, files->records, read_records, &reader);
}
