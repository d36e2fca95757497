// SPDX-License-Identifier: MIT
/*
 * lib-trim [MIB [ROUNDS]]: pages out one process's memory by a bare loop over process_madvise(2) and by the library, in turn,
 * and prints the medians of ns for all of it, and what threads of the target saw meanwhile: one that touches a page of
 * other memory every 100 µs, and one that maps and unmaps a page every ms. "KEY N" lines. Needs root, and as much swap.
 * `floor` is what they see when nothing is paged out, for as long as `default` took. A way with pauses takes longer, so that more of what
 * the machine does besides falls into it: late_even is the longest lateness of as many touches, in any way.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <memoir/hint.h>

#include "timing.h"

#define PAGE 4096ul
#define PROBED (64ul << 20)
#define PROBES_MAX 200000u
#define EVERY_NS 100000
#define EVEN_PROBES 5000u
#define BARE_BYTES (32ul << 20)
#define MADV_PAGEOUT_ 21
#define NR_PIDFD_OPEN 434
#define NR_PROCESS_MADVISE 440

enum way { BARE, FAST, CHECK, FREEZE, DEFAULT, FLOOR, WAYS };
static const char *const names[WAYS] = { "bare", "race", "check", "freeze", "default", "floor" };

struct shared {
	_Atomic uint32_t refill, filled; /* rounds */
	_Atomic bool probing;
	char *memory, *probed;
	_Atomic uint32_t probes;
	uint32_t touch_ns[PROBES_MAX]; /* of the touch alone */
	uint32_t late_ns[PROBES_MAX];  /* until it was done, since it was due */
	_Atomic uint64_t map_most_ns;  /* of mapping and unmapping a page */
};

static struct shared *shared;
static size_t bytes = 1ul << 30;

static void die(const char *what)
{
	fprintf(stderr, "lib-trim: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the target ------------------------------------------------------------------------------ */

static void *probe(void *unused)
{
	uint32_t seed = 1;

	(void)unused;
	prctl(PR_SET_TIMERSLACK, 1);
	for (uint64_t due = now_ns();;) {
		struct timespec at;

		due += EVERY_NS;
		at = (struct timespec){ (time_t)(due / 1000000000u), (long)(due % 1000000000u) };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		seed = seed * 1664525u + 1013904223u;
		uint64_t began = now_ns();

		shared->probed[(seed >> 8) % (PROBED / PAGE) * PAGE]++;
		uint64_t end = now_ns();
		uint32_t n = atomic_load(&shared->probes);

		if (atomic_load(&shared->probing) && n < PROBES_MAX) {
			shared->touch_ns[n] = (uint32_t)(end - began);
			shared->late_ns[n] = (uint32_t)(end - due);
			atomic_store(&shared->probes, n + 1);
		}
		/* What was missed is missed. */
		if (end > due + EVERY_NS)
			due = end;
	}
	return NULL;
}

/* What waits for the mmap lock, once a millisecond. */
static void *map_and_unmap(void *unused)
{
	(void)unused;
	for (;;) {
		uint64_t began = now_ns();
		void *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(page, PAGE);
		uint64_t took = now_ns() - began;

		if (atomic_load(&shared->probing) && took > atomic_load(&shared->map_most_ns))
			atomic_store(&shared->map_most_ns, took);
		usleep(1000);
	}
	return NULL;
}

/* Three quarters of each page compress. */
static void fill(uint32_t round)
{
	uint64_t x = 88172645463325252ull + round;

	for (size_t at = 0; at < bytes; at += PAGE) {
		uint64_t *words = (uint64_t *)(shared->memory + at);

		for (size_t i = 0; i < PAGE / 8; i++) {
			if (i % 4 == 0) {
				x ^= x << 13;
				x ^= x >> 7;
				x ^= x << 17;
			}
			words[i] = i % 4 ? i & 7 : x;
		}
	}
}

static _Noreturn void be_target(void)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	shared->probed =
		mmap(NULL, PROBED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (shared->probed == MAP_FAILED || shared->memory == MAP_FAILED)
		die("mmap");
	madvise(shared->memory, bytes, MADV_NOHUGEPAGE);
	madvise(shared->probed, PROBED, MADV_NOHUGEPAGE);
	memset(shared->probed, 1, PROBED);
	if (pthread_create(&thread, NULL, probe, NULL) != 0 ||
	    pthread_create(&thread, NULL, map_and_unmap, NULL) != 0)
		die("thread");
	for (;;) {
		uint32_t wanted = atomic_load(&shared->refill);

		if (atomic_load(&shared->filled) != wanted) {
			fill(wanted);
			atomic_store(&shared->filled, wanted);
		}
		usleep(1000);
	}
}

/* ---- the measuring --------------------------------------------------------------------------- */

static pid_t target;
static struct memoir *memoir;
static struct memoir_snapshot *snapshot;
static struct memoir_selection *selection;

static bool is_target(const struct memoir_process *process, void *arg)
{
	(void)arg;
	return process->pid == target;
}

static void refill(void)
{
	uint32_t round = atomic_load(&shared->refill) + 1;

	atomic_store(&shared->refill, round);
	while (atomic_load(&shared->filled) != round)
		usleep(1000);
	usleep(50000);
}

static void capture(void)
{
	struct memoir_capture_options options = { .sz = sizeof(options), .wants = is_target };
	struct memoir_error error = { 0 };

	memoir_snapshot_free(snapshot);
	if (memoir_capture(memoir, &options, &snapshot, &error) < 0) {
		fprintf(stderr, "lib-trim: %s\n", error.text);
		exit(1);
	}
}

static struct memoir_plan *plan(void)
{
	struct memoir_error error = { 0 };
	struct memoir_plan *made;

	if (memoir_plan(memoir, snapshot, selection, NULL, &made, &error) < 0) {
		fprintf(stderr, "lib-trim: %s\n", error.text);
		exit(1);
	}
	return made;
}

static void page_out_bare(void)
{
	int fd = (int)syscall(NR_PIDFD_OPEN, target, 0);

	for (size_t at = 0; at < bytes; at += BARE_BYTES) {
		struct iovec range = { shared->memory + at,
				       bytes - at < BARE_BYTES ? bytes - at : BARE_BYTES };

		if (syscall(NR_PROCESS_MADVISE, fd, &range, 1, MADV_PAGEOUT_, 0) < 0)
			die("process_madvise");
	}
	close(fd);
}

static void page_out(enum way way, const struct memoir_plan *made)
{
	struct memoir_apply_options options = {
		.sz = sizeof(options),
		.guard = way == FAST     ? MEMOIR_GUARD_RACE
			 : way == FREEZE ? MEMOIR_GUARD_FREEZE
					 : MEMOIR_GUARD_CHECK,
		.without_pauses = way != DEFAULT && way != FREEZE,
	};
	struct memoir_error error = { 0 };
	struct memoir_applied *applied;

	if (memoir_apply(memoir, made, &options, &applied, &error) < 0 || applied->failed) {
		fprintf(stderr, "lib-trim: %s\n",
			error.text[0] ? error.text : applied->processes[0].error.text);
		exit(1);
	}
	memoir_applied_free(applied);
}

struct sample {
	uint64_t ns, touch_p99, touch_most, late_p99, late_even, late_most, map_most;
};

static int compare(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* The median of the most in each EVEN_PROBES; where there were fewer, of all. */
static uint64_t median_most(const uint32_t *values, uint32_t count)
{
	uint32_t most[PROBES_MAX / EVEN_PROBES] = { 0 };
	uint32_t spans = count / EVEN_PROBES ? count / EVEN_PROBES : 1;
	uint32_t each = count < EVEN_PROBES ? count : EVEN_PROBES;

	for (uint32_t i = 0; i < spans * each; i++)
		if (values[i] > most[i / each])
			most[i / each] = values[i];
	qsort(most, spans, sizeof(most[0]), compare);
	return most[spans / 2];
}

/* The floor is looked at for as long as the way before it took: a maximum grows with the time. */
static struct sample run(enum way way)
{
	static uint64_t last_ns;
	struct sample sample;

	refill();
	capture();
	struct memoir_plan *made = plan();

	if (made->planned_bytes < bytes / 100 * 99)
		die("less is planned than there is");
	atomic_store(&shared->probes, 0);
	atomic_store(&shared->map_most_ns, 0);
	atomic_store(&shared->probing, true);
	uint64_t began = now_ns();

	if (way == FLOOR)
		usleep((useconds_t)(last_ns / 1000));
	else if (way == BARE)
		page_out_bare();
	else
		page_out(way, made);
	sample.ns = last_ns = now_ns() - began;
	atomic_store(&shared->probing, false);
	memoir_plan_free(made);
	usleep(1000);
	uint32_t n = atomic_load(&shared->probes);

	if (!n)
		die("nothing was probed");
	sample.late_even = median_most(shared->late_ns, n);
	qsort(shared->touch_ns, n, sizeof(uint32_t), compare);
	qsort(shared->late_ns, n, sizeof(uint32_t), compare);
	sample.touch_p99 = shared->touch_ns[(uint64_t)n * 99 / 100];
	sample.touch_most = shared->touch_ns[n - 1];
	sample.late_p99 = shared->late_ns[(uint64_t)n * 99 / 100];
	sample.late_most = shared->late_ns[n - 1];
	sample.map_most = atomic_load(&shared->map_most_ns);
	return sample;
}

static const struct {
	const char *name;
	size_t offset;
} figures[] = {
	{ "ns", offsetof(struct sample, ns) },
	{ "touch_p99_ns", offsetof(struct sample, touch_p99) },
	{ "touch_most_ns", offsetof(struct sample, touch_most) },
	{ "late_p99_ns", offsetof(struct sample, late_p99) },
	{ "late_even_ns", offsetof(struct sample, late_even) },
	{ "late_most_ns", offsetof(struct sample, late_most) },
	{ "map_most_ns", offsetof(struct sample, map_most) },
};

/* What planning is compared with: one scan of the pages and one reading of maps. */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, anyof, returned;
};

static uint64_t scan_ns(void)
{
	static char text[1 << 20];
	uint64_t runs[3 * 512];
	char path[64];
	uint64_t began = now_ns();

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)target);
	int fd = open(path, O_RDONLY);
	struct scan_arg arg = { .size = sizeof(arg),
				.start = (uintptr_t)shared->memory,
				.end = (uintptr_t)shared->memory + bytes,
				.vec = (uintptr_t)runs,
				.vec_len = 512,
				.anyof = 8 | 16,
				.returned = 8 | 16 };

	while (arg.start < arg.end) {
		if (syscall(SYS_ioctl, fd, 0xc0606610u, &arg) < 0)
			die("PAGEMAP_SCAN");
		arg.start = arg.walk_end;
	}
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)target);
	fd = open(path, O_RDONLY);
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
	return now_ns() - began;
}

static uint64_t plan_ns(void)
{
	uint64_t began = now_ns();
	struct memoir_plan *made = plan();
	uint64_t took = now_ns() - began;

	memoir_plan_free(made);
	return took;
}

#define ROUNDS_MAX 31

static uint64_t median(const struct sample *samples, size_t count, size_t offset)
{
	uint64_t values[ROUNDS_MAX] = { 0 };

	for (size_t i = 0; i < count; i++)
		memcpy(&values[i], (const char *)&samples[i] + offset, sizeof(values[i]));
	return median_u64(values, count);
}

static void measure_planning(void)
{
	struct sample plans[ROUNDS_MAX], scans[ROUNDS_MAX];

	refill();
	capture();
	for (size_t i = 0; i < ROUNDS_MAX; i++) {
		plans[i].ns = plan_ns();
		scans[i].ns = scan_ns();
	}
	printf("plan_ns %llu\nscan_and_maps_ns %llu\n",
	       (unsigned long long)median(plans, ROUNDS_MAX, 0),
	       (unsigned long long)median(scans, ROUNDS_MAX, 0));
}

int main(int argc, char **argv)
{
	static struct sample samples[WAYS][ROUNDS_MAX];
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 5;
	char selector[128];
	const char *selectors[] = { selector };

	if (argc > 1)
		bytes = strtoul(argv[1], NULL, 10) << 20;
	if (!rounds || rounds > ROUNDS_MAX || !bytes)
		return 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("mmap");
	target = fork();
	if (target == 0)
		be_target();
	if (memoir_open(NULL, &memoir, NULL) < 0)
		die("memoir_open");
	refill();
	snprintf(selector, sizeof(selector), "%d:%lx-%lx", (int)target,
		 (unsigned long)shared->memory, (unsigned long)(shared->memory + bytes));
	if (memoir_selection_parse(selectors, 1, &selection, NULL) < 0)
		die(selector);
	measure_planning();
	for (size_t i = 0; i < rounds; i++)
		for (int way = 0; way < WAYS; way++)
			samples[way][i] = run((enum way)way);
	for (int way = 0; way < WAYS; way++)
		for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
			printf("%s_%s %llu\n", names[way], figures[i].name,
			       (unsigned long long)median(samples[way], rounds, figures[i].offset));
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	memoir_snapshot_free(snapshot);
	memoir_selection_free(selection);
	memoir_close(memoir);
	return 0;
}
