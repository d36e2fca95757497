// SPDX-License-Identifier: MIT
/*
 * The list of open files of a build without BPF: it says so, and text is read instead.
 */
#include "kernel/files.h"

#include "base/error.h"

#include <errno.h>

int files_open(const struct kroot *root, struct files **ret_files, struct memoir_error *error)
{
	(void)root;
	(void)ret_files;
	return error_set(error, -EOPNOTSUPP, "this memoir was built without BPF");
}

int files_listed_each(struct walk *walk, bool with_paths, open_file_fn each, void *arg)
{
	(void)walk;
	(void)with_paths;
	(void)each;
	(void)arg;
	return -ENODATA;
}

void files_close(struct files *files)
{
	(void)files;
}

void files_ask(struct files *files)
{
	(void)files;
}

void files_forget(struct files *files)
{
	(void)files;
}

int files_each(struct files *files, open_file_fn each, void *arg)
{
	(void)files;
	(void)each;
	(void)arg;
	return -EOPNOTSUPP;
}
