// SPDX-License-Identifier: MIT
/*
 * Enumerates the open files of all processes that are shared buffers again and again, by the library's
 * inside, and prints how long each time took: by BPF, its program loaded once, or "text".
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <memoir/memoir.h>

#include "kernel/files.h"
#include "kernel/process.h"
#include "timing.h"

#define ROUNDS 11

static int count_file(const struct open_file *file, void *arg)
{
	(void)file;
	++*(unsigned long *)arg;
	return 0;
}

#define PROCESSES_MAX 4096

/* What capture knows by then: which processes there are, and whether threads may have fds of their own. */
struct listing {
	struct kroot *root;
	pid_t pids[PROCESSES_MAX];
	bool single_thread[PROCESSES_MAX];
	size_t count;
};

static int list_process(pid_t pid, void *arg)
{
	struct listing *l = arg;
	struct process_stat stat;

	if (l->count == PROCESSES_MAX || process_stat(l->root, pid, &stat) != 0 ||
	    stat.kernel_thread)
		return 0;
	l->single_thread[l->count] = stat.threads == 1;
	l->pids[l->count++] = pid;
	return 0;
}

static int by_text(struct kroot *root)
{
	static struct listing l;
	struct internal_devs devs = { 0 };
	struct unix_queues queues = { 0 };
	struct files_text text = { root, &devs, .all = true, .queues = &queues };
	unsigned long found = 0;

	l.root = root;
	l.count = 0;
	internal_devs_find(root, &devs);
	int err = process_each(root, list_process, &l);
	uint64_t start = now_ns();

	for (size_t i = 0; i < l.count; i++)
		files_text_each(&text, l.pids[i], l.single_thread[i], count_file, &found);
	printf("lib_files_ns %" PRIu64 " found %lu\n", now_ns() - start, found);
	internal_devs_free(&devs);
	unix_queues_free(&queues);
	return err;
}

static int by_bpf(struct files *files)
{
	unsigned long found = 0;
	uint64_t start = now_ns();
	int err = files_each(files, count_file, &found);

	printf("lib_files_ns %" PRIu64 " found %lu\n", now_ns() - start, found);
	return err;
}

int main(int argc, char **argv)
{
	struct memoir_error error = { 0 };
	struct files *files = NULL;
	struct kroot *root;
	bool text = argc == 2 && strcmp(argv[1], "text") == 0;
	int err = kroot_open(NULL, &root);

	if (!err && !text)
		err = files_open(root, &files, &error);
	for (int i = 0; i < ROUNDS && !err; i++)
		err = text ? by_text(root) : by_bpf(files);
	if (err)
		fprintf(stderr, "lib-files: %s\n", error.text[0] ? error.text : strerror(-err));
	files_close(files);
	kroot_close(root);
	return err ? 1 : 0;
}
