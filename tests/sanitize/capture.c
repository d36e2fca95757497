// SPDX-License-Identifier: MIT
/*
 * Captures the whole machine by each engine with more threads than there may be CPUs: what the address
 * and the thread sanitizer are to look at. It starts two small processes and judges figures by them;
 * exactness in general is for the live tests. Prints TAP.
 *
 *     sanitize_capture NEIGHBOUR-PROGRAM
 */
#include "neighbour.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memoir/memoir.h>
#include <memoir/snapshot.h>

#define OWN_BYTES (8u << 20)
#define SHARED_BYTES (4u << 20)
#define SLACK_BYTES (1u << 20) /* a neighbouring mapping that the kernel merged with it */
#define CHILDREN 2
#define THREADS 4
#define CAPTURES 3

struct child {
	pid_t pid;
	struct neighbour at;
};

/* In the child of fork: becomes the neighbour, or ends. */
static void become_neighbour(const char *program, int memfd, int out)
{
	char own[32], shared[32];

	snprintf(own, sizeof(own), "%u", OWN_BYTES);
	snprintf(shared, sizeof(shared), "%u", SHARED_BYTES);
	if (dup2(out, STDOUT_FILENO) == STDOUT_FILENO && dup2(memfd, 3) == 3)
		execl(program, program, own, shared, NULL);
	_exit(127);
}

static int start_child(struct child *child, const char *program, int memfd)
{
	int fds[2];
	ssize_t got;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	child->pid = fork();
	if (child->pid == 0)
		become_neighbour(program, memfd, fds[1]);
	close(fds[1]);
	got = child->pid > 0 ? read(fds[0], &child->at, sizeof(child->at)) : -1;
	close(fds[0]);
	return got == sizeof(child->at) ? 0 : -1;
}

/* 0, or -1 with the children that were started still in the array. */
static int start_children(struct child *children, const char *program)
{
	/* Not close-on-exec: it may already be number 3, which dup2 would leave as it is. */
	int memfd = memfd_create("memoir-test", 0);
	int ret = memfd >= 0 && ftruncate(memfd, SHARED_BYTES) == 0 ? 0 : -1;

	for (int i = 0; i < CHILDREN && ret == 0; i++)
		ret = start_child(&children[i], program, memfd);
	if (memfd >= 0)
		close(memfd);
	return ret;
}

static void end_children(const struct child *children)
{
	for (int i = 0; i < CHILDREN; i++) {
		if (children[i].pid <= 0)
			continue;
		kill(children[i].pid, SIGKILL);
		waitpid(children[i].pid, NULL, 0);
	}
}

/* Sums a figure over what a process has in a range: the kernel may merge or split VMAs. */
static uint64_t sum_range(const struct memoir_snapshot *s, const struct memoir_process *process,
			  const void *start, size_t bytes, enum memoir_figure figure)
{
	uint64_t from = (uintptr_t)start, sum = 0;

	for (uint32_t i = 0; i < process->region_count; i++) {
		const struct memoir_region *r =
			memoir_snapshot_region(s, process->first_region + i);

		if (r->start < from + bytes && r->end > from)
			sum += r->figures.bytes[figure];
	}
	return sum;
}

/* NULL, or what is wrong. Swapped memory is still there, so it counts with what is resident. */
static const char *judge(const struct memoir_snapshot *s, const struct child *child)
{
	const struct memoir_process *p = memoir_snapshot_find_pid(s, child->pid);
	uint64_t own, half;

	if (!p || !p->readable)
		return "a child is missing";
	own = sum_range(s, p, child->at.own, OWN_BYTES, MEMOIR_PSS) +
	      sum_range(s, p, child->at.own, OWN_BYTES, MEMOIR_SWAP_PSS);
	if (own < OWN_BYTES || own > OWN_BYTES + SLACK_BYTES)
		return "a child's own memory is not all its own";
	half = sum_range(s, p, child->at.shared, SHARED_BYTES, MEMOIR_PSS);
	if (half != SHARED_BYTES / CHILDREN)
		return "memory that two children share is not split between them";
	return NULL;
}

static const char *capture_and_judge(struct memoir *memoir, const struct child *children,
				     struct memoir_error *error)
{
	struct memoir_snapshot *snapshot = NULL;
	const char *wrong = NULL;

	if (memoir_capture(memoir, NULL, &snapshot, error) < 0)
		return error->text;
	for (int i = 0; i < CHILDREN && !wrong; i++)
		wrong = judge(snapshot, &children[i]);
	memoir_snapshot_free(snapshot);
	return wrong;
}

/* One point of TAP; returns whether it is good. */
static bool test_engine(int number, enum memoir_engine engine, const struct child *children)
{
	const struct memoir_options options = {
		.sz = sizeof(options),
		.engine = engine,
		.threads = THREADS,
	};
	struct memoir_error error = { 0 };
	struct memoir *memoir = NULL;
	const char *name = memoir_engine_name(engine);
	const char *wrong = NULL;

	if (memoir_open(&options, &memoir, &error) < 0)
		wrong = error.text;
	for (int i = 0; i < CAPTURES && !wrong; i++)
		wrong = capture_and_judge(memoir, children, &error);
	memoir_close(memoir);
	if (error.code == -EOPNOTSUPP || error.code == -EPERM) {
		printf("ok %d - capture by %s # SKIP %s\n", number, name, error.text);
		return true;
	}
	printf("%s %d - capture by %s\n", wrong ? "not ok" : "ok", number, name);
	if (wrong)
		printf("# %s\n", wrong);
	return !wrong;
}

int main(int argc, char **argv)
{
	static const enum memoir_engine engines[] = { MEMOIR_ENGINE_AUTO, MEMOIR_ENGINE_TABLES,
						      MEMOIR_ENGINE_SCAN, MEMOIR_ENGINE_TEXT,
						      MEMOIR_ENGINE_SMAPS };
	const int count = (int)(sizeof(engines) / sizeof(engines[0]));
	struct child children[CHILDREN] = { { 0 } };
	bool good = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%d\n", count);
	if (argc != 2 || start_children(children, argv[1]) < 0) {
		printf("Bail out! the two children could not be started\n");
		end_children(children);
		return 1;
	}
	for (int i = 0; i < count; i++)
		good &= test_engine(i + 1, engines[i], children);
	end_children(children);
	return good ? 0 : 1;
}
