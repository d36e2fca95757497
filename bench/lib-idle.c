// SPDX-License-Identifier: MIT
/*
 * What memoir idle costs in its default means: its own CPU time, as the command spends it, and what the watched
 * process pays, which touches all of its memory after its accessed bits were cleared, and before.
 *
 *     lib-idle [BYTES]    of 4 KiB pages; 1 GiB unless said
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <memoir/idle.h>
#include <memoir/memoir.h>
#include <memoir/select.h>
#include <memoir/snapshot.h>

#include "timing.h"

#define PAGE_BYTES 4096ul
#define ROUNDS 9
#define INTERVAL_NS 60e9 /* the bar: 1 % of one CPU, looked at every 60 s */

static void fail(const char *what)
{
	fprintf(stderr, "lib-idle: %s\n", what);
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the watched process -------------------------------------------------------------------- */

struct target {
	pid_t pid;
	int ask, answer;
};

/* Touch every page when asked, and say what CPU time that took. */
static void serve(size_t bytes, int asked, int answer)
{
	char *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (memory == MAP_FAILED)
		_exit(1);
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	memset(memory, 1, bytes);
	do {
		uint64_t before = clock_ns(CLOCK_PROCESS_CPUTIME_ID), took;

		for (size_t i = 0; i < bytes; i += PAGE_BYTES)
			(void)*(volatile char *)(memory + i);
		took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
		if (write(answer, &took, sizeof(took)) != sizeof(took))
			_exit(1);
	} while (read(asked, &byte, 1) == 1);
	_exit(0);
}

static uint64_t touched_ns(const struct target *target)
{
	uint64_t took;

	if (read(target->answer, &took, sizeof(took)) != sizeof(took))
		fail("the watched process ended");
	return took;
}

static uint64_t touch_all(const struct target *target)
{
	if (write(target->ask, "t", 1) != 1)
		fail("the watched process ended");
	return touched_ns(target);
}

static struct target start_target(size_t bytes)
{
	int ask[2], answer[2];

	if (pipe(ask) < 0 || pipe(answer) < 0)
		fail(strerror(errno));
	pid_t pid = fork();

	if (pid < 0)
		fail(strerror(errno));
	if (pid == 0) {
		close(ask[1]);
		serve(bytes, ask[0], answer[1]);
	}
	struct target target = { pid, ask[1], answer[0] };

	touched_ns(&target);
	return target;
}

/* ---- what is measured ----------------------------------------------------------------------- */

struct cost {
	uint64_t own_ns, plain_ns, after_ns, stall_ns;
};

static bool is_target(const struct memoir_process *process, void *arg)
{
	return process->pid == *(pid_t *)arg;
}

static struct memoir_snapshot *capture(struct memoir *memoir, pid_t *pid)
{
	struct memoir_capture_options options = {
		.sz = sizeof(options),
		.wants = is_target,
		.wants_arg = pid,
		.without_sets = true,
	};
	struct memoir_snapshot *snapshot;
	struct memoir_error error = { 0 };

	if (memoir_capture(memoir, &options, &snapshot, &error) < 0)
		fail(error.text);
	return snapshot;
}

static uint64_t own_cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* All that the command does, from opening the context on. */
static struct cost measure(struct target *target)
{
	struct memoir_idle_options options = { .sz = sizeof(options) };
	struct memoir_idle_figures figures;
	struct memoir_error error = { 0 };
	struct cost cost = { 0 };
	struct memoir_idle *idle;
	struct memoir *memoir;

	touch_all(target);
	cost.plain_ns = touch_all(target);
	uint64_t before = own_cpu_ns();

	if (memoir_open(NULL, &memoir, &error) < 0)
		fail(error.text);
	struct memoir_snapshot *snapshot = capture(memoir, &target->pid);

	if (memoir_idle_begin(memoir, snapshot, NULL, &options, &idle, &error) < 0)
		fail(error.text);
	memoir_snapshot_free(snapshot);
	cost.own_ns = own_cpu_ns() - before;
	cost.after_ns = touch_all(target);
	before = own_cpu_ns();
	if (memoir_idle_read(idle, &error) < 0)
		fail(error.text);
	cost.stall_ns = memoir_idle_stall_ns(idle);
	snapshot = capture(memoir, &target->pid);
	if (memoir_idle_of(idle, target->pid, 0, UINT64_MAX, &figures) < 0 ||
	    figures.touched_bytes < figures.rss_bytes / 2)
		fail("what was touched is not seen");
	memoir_snapshot_free(snapshot);
	memoir_idle_free(idle);
	memoir_close(memoir);
	cost.own_ns += own_cpu_ns() - before;
	return cost;
}

int main(int argc, char **argv)
{
	size_t bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 1ul << 30;
	struct target target = start_target(bytes);
	uint64_t own[ROUNDS], plain[ROUNDS], after[ROUNDS], stall[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++) {
		struct cost cost = measure(&target);

		own[i] = cost.own_ns;
		plain[i] = cost.plain_ns;
		after[i] = cost.after_ns;
		stall[i] = cost.stall_ns;
	}
	close(target.ask);
	waitpid(target.pid, NULL, 0);
	uint64_t own_ns = median_u64(own, ROUNDS), plain_ns = median_u64(plain, ROUNDS),
		 after_ns = median_u64(after, ROUNDS);
	uint64_t more_ns = after_ns > plain_ns ? after_ns - plain_ns : 0;

	printf("idle_own_ns %" PRIu64 "\ntouch_ns %" PRIu64 "\ntouch_after_ns %" PRIu64
	       "\nidle_stall_ns %" PRIu64 "\n",
	       own_ns, plain_ns, after_ns, median_u64(stall, ROUNDS));
	printf("idle_ppm %" PRIu64 "\n",
	       (uint64_t)((double)(own_ns + more_ns) / INTERVAL_NS * 1e6));
	return 0;
}
