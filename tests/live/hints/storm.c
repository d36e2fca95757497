// SPDX-License-Identifier: MIT
/*
 * storm GUARD CALLS [exec|peer]: hints to a program that moves other memory over the selected range and back, unmaps
 * parts of it and maps them anew, all the time, and with `exec` begins anew now and then; with `peer` another process
 * that shares its address space does it. After each call the program
 * is asked to put everything back, and it is looked whether what was not selected was hinted: whether some of it
 * is in swap. Prints "calls N raced N missed N unreported N ended N": missed are calls that hit other memory,
 * unreported those of them that were not reported as raced. Needs swap.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <memoir/hint.h>

#define PAGE 4096ul
#define RANGE ((char *)0x200000000000ul) /* selected */
#define RANGE_PAGES 256ul
#define HOME ((char *)0x210000000000ul) /* of what is not selected */
#define OTHER_PAGES 64ul
#define SLICE_PAGES 4ul
#define SHARED_FD 200
#define PAGEMAP_SWAPPED (1ull << 62)
#define WAIT_STEPS 500000
#define EXEC_EVERY 64
#define OTHER_EVERY 4

/* Shared by both. */
struct shared {
	_Atomic uint32_t rest;   /* the number of the rest that is asked for */
	_Atomic uint32_t rested; /* the one that is kept: everything is in its place */
	_Atomic uint32_t go;     /* up to which it may go on */
	_Atomic uint32_t programs;
	_Atomic uint32_t exec;
};

static struct shared *shared;

static void die(const char *what)
{
	fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *map_at(char *addr, size_t pages, int protection)
{
	void *mem = mmap(addr, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0);

	if (mem == MAP_FAILED)
		die("mmap");
	return mem;
}

/* ---- the program ----------------------------------------------------------------------------- */

static void fill(char *mem, size_t pages, int value)
{
	for (size_t i = 0; i < pages; i++)
		memset(mem + i * PAGE, value + (int)(i & 63), 16);
}

static void make_other(void)
{
	map_at(HOME, OTHER_PAGES, PROT_READ | PROT_WRITE);
	fill(HOME, OTHER_PAGES, 1);
	/* So it is told from what is selected. */
	if (mprotect(HOME, OTHER_PAGES * PAGE, PROT_READ) < 0)
		die("mprotect");
}

static void move_other(char *from, char *to)
{
	if (mremap(from, OTHER_PAGES * PAGE, OTHER_PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   to) != to)
		die("mremap");
}

/* Over a part of the range, which is then made anew. */
static void visit(uint32_t round)
{
	char *part = RANGE + (round * OTHER_PAGES % RANGE_PAGES) * PAGE;

	move_other(HOME, part);
	for (volatile int i = 0; i < 10000; i++)
		;
	move_other(part, HOME);
	map_at(part, OTHER_PAGES, PROT_READ | PROT_WRITE);
	fill(part, OTHER_PAGES, 7);
	if (munmap(part + PAGE, PAGE) < 0)
		die("munmap");
	map_at(part + PAGE, 1, PROT_READ | PROT_WRITE);
	part[PAGE] = 1;
}

static void rest(uint32_t number)
{
	volatile char sum = 0;

	/* Back into RAM, whoever put it out: the hint of each call is to be seen by itself. */
	atomic_store(&shared->rested, number);
	while (atomic_load(&shared->go) < number)
		;
	for (size_t i = 0; i < OTHER_PAGES; i++)
		sum += HOME[i * PAGE];
	for (size_t i = 0; i < RANGE_PAGES; i++)
		RANGE[i * PAGE]++;
	atomic_store(&shared->rested, 0);
}

static _Noreturn void be_busy(char **argv)
{
	for (uint32_t round = 0;; round++) {
		uint32_t wanted = atomic_load(&shared->rest);

		if (wanted > atomic_load(&shared->go))
			rest(wanted);
		if (atomic_exchange(&shared->exec, 0)) {
			char *again[] = { argv[0], (char *)"program", NULL };

			execv("/proc/self/exe", again);
			die("exec");
		}
		visit(round);
	}
}

static int be_peer(void *argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_busy(argv);
}

static _Noreturn void be_program(char **argv, bool by_peer)
{
	static char stack[64 * 1024];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	map_at(RANGE, RANGE_PAGES, PROT_READ | PROT_WRITE);
	fill(RANGE, RANGE_PAGES, 7);
	make_other();
	atomic_fetch_add(&shared->programs, 1);
	if (!by_peer)
		be_busy(argv);
	if (clone(be_peer, stack + sizeof(stack), CLONE_VM | SIGCHLD, argv) < 0)
		die("clone");
	for (;;)
		pause();
}

/* ---- the test -------------------------------------------------------------------------------- */

struct test {
	pid_t pid;
	uint64_t wanted, calls, raced, missed, unreported, ended;
	uint32_t number, plans;
	uint32_t program; /* that the plan is of */
	bool with_exec;
	struct memoir *memoir;
	char *selector;
	enum memoir_guard guard;
};

static void wait_a_moment(void)
{
	const struct timespec moment = { .tv_nsec = 5000 };

	nanosleep(&moment, NULL);
}

/* Everything in its place, and no more of it until go(). */
static void have_rest(struct test *t)
{
	atomic_store(&shared->rest, ++t->number);
	for (int i = 0; i < WAIT_STEPS; i++) {
		if (atomic_load(&shared->rested) == t->number)
			return;
		wait_a_moment();
	}
	errno = ETIMEDOUT;
	die("the program does not rest");
}

static void have_go(struct test *t)
{
	atomic_store(&shared->go, t->number);
	for (int i = 0; i < WAIT_STEPS && atomic_load(&shared->rested); i++)
		wait_a_moment();
}

static size_t swapped_pages(pid_t pid, const char *mem, size_t pages)
{
	uint64_t words[RANGE_PAGES];
	char path[64];
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	int fd = open(path, O_RDONLY);

	if (fd < 0 || pread(fd, words, pages * sizeof(*words),
			    (off_t)((uintptr_t)mem / PAGE * sizeof(*words))) !=
			      (ssize_t)(pages * sizeof(*words)))
		die(path);
	close(fd);
	for (size_t i = 0; i < pages; i++)
		count += words[i] & PAGEMAP_SWAPPED ? 1 : 0;
	return count;
}

static void called(const struct memoir_hint_call *call, void *arg)
{
	struct test *t = arg;
	bool missed;

	have_rest(t);
	missed = swapped_pages(t->pid, HOME, OTHER_PAGES) > 0;
	/* Of another program than was planned for nothing at all was meant. */
	if (atomic_load(&shared->programs) != t->program)
		missed |= swapped_pages(t->pid, RANGE, RANGE_PAGES) > 0;
	t->calls++;
	t->raced += call->raced;
	t->missed += missed;
	t->unreported += missed && !call->raced;
	if (t->with_exec && t->calls % EXEC_EVERY == 0)
		atomic_store(&shared->exec, 1);
	have_go(t);
}

static bool enough(void *arg)
{
	struct test *t = arg;

	return t->calls >= t->wanted;
}

static bool is_target(const struct memoir_process *process, void *arg)
{
	return process->pid == ((struct test *)arg)->pid;
}

static struct memoir_plan *make_plan(struct test *t)
{
	struct memoir_capture_options capture = {
		.sz = sizeof(capture),
		.wants = is_target,
		.wants_arg = t,
		.without_holders = true,
		.without_kinds = true,
	};
	const char *selectors[] = { t->selector };
	struct memoir_selection *selection;
	struct memoir_error error = { 0 };
	struct memoir_snapshot *snapshot;
	struct memoir_plan *plan;

	have_rest(t);
	t->program = atomic_load(&shared->programs);
	if (memoir_capture(t->memoir, &capture, &snapshot, &error) < 0 ||
	    memoir_selection_parse(selectors, 1, &selection, &error) < 0 ||
	    memoir_plan(t->memoir, snapshot, selection, NULL, &plan, &error) < 0) {
		fprintf(stderr, "storm: %s\n", error.text);
		exit(1);
	}
	memoir_selection_free(selection);
	memoir_snapshot_free(snapshot);
	have_go(t);
	return plan;
}

/* Between plan and hints too: what is planned for one program must not reach the next, whose memory is alike. */
static void have_other_program(struct test *t)
{
	atomic_store(&shared->exec, 1);
	for (int i = 0; i < WAIT_STEPS && atomic_load(&shared->programs) == t->program; i++)
		wait_a_moment();
}

/* Apply a plan until the program is another one. */
static void apply(struct test *t)
{
	struct memoir_apply_options options = {
		.sz = sizeof(options),
		.guard = t->guard,
		.slice_bytes = SLICE_PAGES * PAGE,
		.stop = enough,
		.stop_arg = t,
		.called = called,
		.called_arg = t,
	};
	struct memoir_plan *plan = make_plan(t);
	struct memoir_applied *applied;
	struct memoir_error error = { 0 };
	bool again = true;

	if (t->with_exec && ++t->plans % OTHER_EVERY == 0)
		have_other_program(t);
	while (again && !enough(t)) {
		if (memoir_apply(t->memoir, plan, &options, &applied, &error) < 0 ||
		    applied->failed) {
			fprintf(stderr, "storm: %s\n",
				error.text[0] ? error.text : applied->processes[0].error.text);
			exit(1);
		}
		again = plan->process_count && !applied->processes[0].ended &&
			atomic_load(&shared->programs) == t->program;
		t->ended += applied->processes[0].ended;
		memoir_applied_free(applied);
	}
	memoir_plan_free(plan);
}

static void be_test(struct test *t)
{
	char selector[128];

	snprintf(selector, sizeof(selector), "%d:%lx-%lx", (int)t->pid, (unsigned long)RANGE,
		 (unsigned long)(RANGE + RANGE_PAGES * PAGE));
	t->selector = selector;
	if (memoir_open(NULL, &t->memoir, NULL) < 0)
		die("memoir_open");
	while (t->calls < t->wanted)
		apply(t);
	memoir_close(t->memoir);
	printf("calls %llu raced %llu missed %llu unreported %llu ended %llu programs %u\n",
	       (unsigned long long)t->calls, (unsigned long long)t->raced,
	       (unsigned long long)t->missed, (unsigned long long)t->unreported,
	       (unsigned long long)t->ended, atomic_load(&shared->programs));
}

static enum memoir_guard guard_by_name(const char *name)
{
	for (int i = 0; i < MEMOIR_GUARDS; i++)
		if (strcmp(memoir_guard_name((enum memoir_guard)i), name) == 0)
			return (enum memoir_guard)i;
	fprintf(stderr, "storm: no guard %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct test t = { 0 };

	if (argc == 2 && strcmp(argv[1], "program") == 0) {
		shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
		if (shared == MAP_FAILED)
			die("shared memory");
		be_program(argv, false);
	}
	if (argc < 3) {
		fprintf(stderr, "usage: storm GUARD CALLS [exec|peer]\n");
		return 2;
	}
	int fd = memfd_create("storm", 0);

	if (fd < 0 || dup2(fd, SHARED_FD) < 0 || ftruncate(SHARED_FD, PAGE) < 0)
		die("memfd");
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
	if (shared == MAP_FAILED)
		die("shared memory");
	t.guard = guard_by_name(argv[1]);
	t.wanted = strtoull(argv[2], NULL, 10);
	t.with_exec = argc > 3 && strcmp(argv[3], "exec") == 0;
	t.pid = fork();
	if (t.pid == 0)
		be_program(argv, argc > 3 && strcmp(argv[3], "peer") == 0);
	be_test(&t);
	kill(t.pid, SIGKILL);
	waitpid(t.pid, NULL, 0);
	return 0;
}
