// SPDX-License-Identifier: MIT
/*
 * Runs the BPF iterator of bpf/dmabufs.bpf.c; draws no conclusions.
 */
#include "kernel/dmabufs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/files_stream.h"

typedef uint32_t u32;
typedef uint64_t u64;

#include "kernel/files_format.h"

#include "dmabuf_maps.lskel.h"
#include "dmabufs.lskel.h"

static int run(int program, open_file_fn each, void *arg)
{
	int link = skel_link_create(program, 0, BPF_TRACE_ITER), err;
	char *records = link < 0 ? NULL : malloc(FILES_READ_BYTES);

	if (link < 0)
		return -errno;
	err = records ? files_stream(link, records, each, arg) : -ENOMEM;
	free(records);
	close(link);
	return err;
}

int dmabufs_each(const struct kroot *root, open_file_fn each, void *arg)
{
	struct dmabufs_bpf *skel;
	int err;

	if (!kroot_is_live(root))
		return -EOPNOTSUPP;
	skel = dmabufs_bpf__open_and_load();
	if (!skel)
		return errno == EPERM ? -EPERM : -EOPNOTSUPP;
	err = run(skel->progs.list_dmabufs.prog_fd, each, arg);
	dmabufs_bpf__destroy(skel);
	return err;
}

int dmabufs_each_mapped(const struct kroot *root, open_file_fn each, void *arg)
{
	struct dmabuf_maps_bpf *skel;
	int err;

	if (!kroot_is_live(root))
		return -EOPNOTSUPP;
	skel = dmabuf_maps_bpf__open_and_load();
	if (!skel)
		return errno == EPERM ? -EPERM : -EOPNOTSUPP;
	err = run(skel->progs.list_dmabuf_maps.prog_fd, each, arg);
	dmabuf_maps_bpf__destroy(skel);
	return err;
}
