// SPDX-License-Identifier: MIT
/*
 * Starts the child, tells it what to do, and reads and writes its memory.
 */
#include "named_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <memoir/name.h>

#define PAGE 4096u
#define PAGES (4 * CHILD_MANY)

/* ---- the child ------------------------------------------------------------------------------ */

static int name_parts(char *memory, unsigned int parts)
{
	char name[32];
	int err = 0;

	for (unsigned int i = 0; i < parts && !err; i++) {
		snprintf(name, sizeof(name), "part %u of %u", i % 40, parts);
		/* Not to the page, and some of what is not there. */
		err = memoir_name(memory + (size_t)i * 2 * PAGE, PAGE + 100 + i, name);
	}
	return err;
}

static pid_t fork_again(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		for (;;)
			pause();
	}
	return pid;
}

/* Returns what is said to the parent: 0 is well, and so is a pid; else it failed. */
static int64_t do_step(char step, char *memory)
{
	static unsigned int renamed;
	struct memoir_name_counts counts = { .sz = sizeof(counts) };
	char name[32];
	uint64_t anchor;

	switch (step) {
	case CHILD_NAME:
		return name_parts(memory, CHILD_NAMES);
	case CHILD_MANY_NAMES:
		return name_parts(memory, CHILD_MANY);
	case CHILD_RENAME:
		snprintf(name, sizeof(name), "renamed %u", ++renamed);
		return memoir_name(memory + 10 * PAGE, 300, name);
	case CHILD_HIDE:
	case CHILD_SHOW:
		/* Where it is comes with the step. */
		if (read(STDIN_FILENO, &anchor, sizeof(anchor)) != sizeof(anchor))
			return -1;
		return mprotect((void *)(uintptr_t)anchor, PAGE,
				step == CHILD_HIDE ? PROT_NONE : PROT_READ | PROT_WRITE);
	case CHILD_FORK:
		return fork_again();
	default:
		return memoir_name_counts(&counts);
	}
}

static _Noreturn void be_child(int in, int out, pid_t parent)
{
	char *memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char step;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || memory == MAP_FAILED || dup2(in, STDIN_FILENO) < 0)
		_exit(1);
	madvise(memory, (size_t)PAGES * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i<PAGES; i += i> 400 ? 50 : i % 5 ? 1 : 2)
		memory[i * PAGE] = 1;
	while (read(STDIN_FILENO, &step, 1) == 1) {
		int64_t answer = do_step(step, memory);

		if (write(out, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

/* ---- its parent ----------------------------------------------------------------------------- */

static uint64_t find_anchor(pid_t pid)
{
	char path[64], line[512];
	uint64_t anchor = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "/memfd:memoir-names"))
			anchor = strtoull(line, NULL, 16);
	fclose(maps);
	return anchor;
}

void child_start(struct named_child *child)
{
	int to[2], from[2];
	pid_t parent = getpid();
	char path[64];

	*child = (struct named_child){ 0 };
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0)
		be_child(to[0], from[1], parent);
	close(to[0]);
	close(from[1]);
	child->tell_fd = to[1];
	child->told_fd = from[0];
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)child->pid);
	child->memory_fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(child->memory_fd >= 0);
}

void child_do(struct named_child *child, enum child_step step)
{
	int64_t answer = -1;
	char byte = (char)step;

	assert_int_equal(write(child->tell_fd, &byte, 1), 1);
	if (step == CHILD_HIDE || step == CHILD_SHOW)
		assert_int_equal(write(child->tell_fd, &child->anchor, sizeof(child->anchor)),
				 sizeof(child->anchor));
	assert_int_equal(read(child->told_fd, &answer, sizeof(answer)), sizeof(answer));
	assert_true(step == CHILD_FORK ? answer > 0 : answer == 0);
	if (!child->anchor)
		child->anchor = find_anchor(child->pid);
}

void child_end(struct named_child *child)
{
	close(child->tell_fd);
	close(child->told_fd);
	close(child->memory_fd);
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
}

void child_read(const struct named_child *child, uint64_t addr, void *bytes, size_t count)
{
	assert_int_equal(pread(child->memory_fd, bytes, count, (off_t)addr), count);
}

void child_write(const struct named_child *child, uint64_t addr, const void *bytes, size_t count)
{
	assert_int_equal(pwrite(child->memory_fd, bytes, count, (off_t)addr), count);
}

struct name_header child_header(const struct named_child *child)
{
	struct name_header header;

	child_read(child, child->anchor, &header, sizeof(header));
	return header;
}
