// SPDX-License-Identifier: MIT
/*
 * The list of dma-bufs of a build without BPF: there is none.
 */
#include "kernel/dmabufs.h"

#include <errno.h>

int dmabufs_each(const struct kroot *root, open_file_fn each, void *arg)
{
	(void)root;
	(void)each;
	(void)arg;
	return -EOPNOTSUPP;
}

int dmabufs_each_mapped(const struct kroot *root, open_file_fn each, void *arg)
{
	(void)root;
	(void)each;
	(void)arg;
	return -EOPNOTSUPP;
}
