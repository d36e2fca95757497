// SPDX-License-Identifier: MIT
/*
 * Processes that change between being listed and being walked. One ends, and its memory lives on in a peer (as that of a
 * program which has called vfork() does when the child, though listed first, is done): all of it is captured, by the peer.
 * One calls exec: it is captured as what it is now. That it is just then is seen to by the linker's --wrap.
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <memoir/snapshot.h>

#include "kernel/walk.h"

#define OWN_BYTES (4u << 20)
#define STACK_BYTES 65536
#define LIFETIME_S 60

struct pair {
	pid_t first;
	volatile pid_t *peer; /* shared with it: 0 until it lives */
};

static void (*happens_before_walk)(pid_t pid);
static pid_t happens_to;

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void let_happen(void)
{
	if (happens_before_walk)
		happens_before_walk(happens_to);
	happens_before_walk = NULL;
}

/* ---- between memoir and what it calls ------------------------------------------------------- */

int __real_walk_vmas(struct walk *walk, enum walk_scope scope, bool tables,
		     const struct walk_visitor *visitor, void *arg);
int __wrap_walk_vmas(struct walk *walk, enum walk_scope scope, bool tables,
		     const struct walk_visitor *visitor, void *arg);

int __wrap_walk_vmas(struct walk *walk, enum walk_scope scope, bool tables,
		     const struct walk_visitor *visitor, void *arg)
{
	let_happen();
	return __real_walk_vmas(walk, scope, tables, visitor, arg);
}

int __real_walk_vmas_of(struct walk *walk, pid_t pid, bool tables,
			const struct walk_visitor *visitor, void *arg);
int __wrap_walk_vmas_of(struct walk *walk, pid_t pid, bool tables,
			const struct walk_visitor *visitor, void *arg);

int __wrap_walk_vmas_of(struct walk *walk, pid_t pid, bool tables,
			const struct walk_visitor *visitor, void *arg)
{
	let_happen();
	return __real_walk_vmas_of(walk, pid, tables, visitor, arg);
}

/* ---- a process and its peer ----------------------------------------------------------------- */

/* Only system calls: it runs beside another on the same memory. */
static int be_peer(void *arg)
{
	*(volatile pid_t *)arg = getpid();
	alarm(LIFETIME_S);
	pause();
	return 0;
}

static void be_first(volatile pid_t *peer)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));
	char *own =
		mmap(NULL, OWN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	alarm(LIFETIME_S);
	if (own == MAP_FAILED)
		_exit(1);
	memset(own, 1, OWN_BYTES);
	/* The test may not go on before the memory is there. */
	if (clone(be_peer, stack + sizeof(stack), CLONE_VM | SIGCHLD, (void *)peer) < 0)
		_exit(1);
	for (;;)
		pause();
}

static struct pair begin_pair(void)
{
	volatile pid_t *peer = mmap(NULL, sizeof(*peer), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t first;

	assert_true(peer != MAP_FAILED);
	/* So that the peer becomes our child. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	first = fork();
	assert_true(first >= 0);
	if (first == 0)
		be_first(peer);
	while (!*peer)
		assert_int_equal(waitpid(first, NULL, WNOHANG), 0);
	return (struct pair){ first, peer };
}

/* ---- a process that calls exec -------------------------------------------------------------- */

static int execs[2]; /* a byte that it is to, and one that comes back from what it has become */

static pid_t begin_execing(void)
{
	pid_t pid;
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, execs), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(execs[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(execs[1], &byte, 1) == 1 && dup2(execs[1], STDIN_FILENO) == STDIN_FILENO &&
		    dup2(execs[1], STDOUT_FILENO) == STDOUT_FILENO)
			execlp("cat", "cat", NULL);
		_exit(1);
	}
	close(execs[1]);
	return pid;
}

static void let_exec(pid_t pid)
{
	char bytes[2] = { 0 };

	(void)pid;
	assert_int_equal(write(execs[0], bytes, 2), 2);
	assert_int_equal(read(execs[0], bytes, 1), 1);
}

/* ---- captures of them ------------------------------------------------------------------------- */

static bool is_asked_for(const struct memoir_process *process, void *arg)
{
	return process->pid == *(const pid_t *)arg;
}

static bool has_kind(const struct memoir_snapshot *snapshot, const struct memoir_process *process,
		     enum memoir_kind kind)
{
	for (uint32_t i = 0; i < process->region_count; i++)
		if (memoir_snapshot_region(snapshot, process->first_region + i)->kind == kind)
			return true;
	return false;
}

static uint64_t resident_of(struct memoir *memoir, pid_t pid, bool only)
{
	const struct memoir_capture_options options = {
		.sz = sizeof(options),
		.wants = only ? is_asked_for : NULL,
		.wants_arg = &pid,
	};
	struct memoir_error error = { 0 };
	struct memoir_snapshot *snapshot;

	if (memoir_capture(memoir, &options, &snapshot, &error) < 0)
		fail_msg("%s", error.text);
	const struct memoir_process *process = memoir_snapshot_find_pid(snapshot, pid);
	uint64_t bytes = process && process->readable ? process->figures.bytes[MEMOIR_RSS] : 0;

	assert_true(!bytes || has_kind(snapshot, process, MEMOIR_KIND_STACK));
	assert_true(!bytes || has_kind(snapshot, process, MEMOIR_KIND_HEAP));
	memoir_snapshot_free(snapshot);
	return bytes;
}

static void look_at_pair(enum memoir_engine engine, bool only)
{
	const struct memoir_options options = { .sz = sizeof(options), .engine = engine };
	struct pair pair = begin_pair();
	/* With a smaller pid than its peer's the process was listed as the one that has the memory. */
	bool in_order = pair.first < *pair.peer;
	struct memoir *memoir;
	uint64_t before, after;

	assert_int_equal(memoir_open(&options, &memoir, NULL), 0);
	before = resident_of(memoir, pair.first, only);
	happens_before_walk = end;
	happens_to = pair.first;
	after = resident_of(memoir, pair.first, only);
	memoir_close(memoir);
	end(*pair.peer);
	munmap((void *)pair.peer, sizeof(*pair.peer));
	assert_null(happens_before_walk);
	assert_true(!in_order || before >= OWN_BYTES);
	assert_true(!in_order || after == before);
}

static void look_at_execing(enum memoir_engine engine, bool only)
{
	const struct memoir_options options = { .sz = sizeof(options), .engine = engine };
	pid_t pid = begin_execing();
	struct memoir *memoir;
	uint64_t meanwhile, after;

	assert_int_equal(memoir_open(&options, &memoir, NULL), 0);
	happens_before_walk = let_exec;
	meanwhile = resident_of(memoir, pid, only);
	assert_null(happens_before_walk);
	after = resident_of(memoir, pid, only);
	memoir_close(memoir);
	end(pid);
	close(execs[0]);
	assert_true(after > 0);
	assert_int_equal(meanwhile, after);
}

static bool works(enum memoir_engine engine)
{
	const struct memoir_options options = { .sz = sizeof(options), .engine = engine };
	const struct memoir_capture_options capture = { .sz = sizeof(capture) };
	struct memoir_snapshot *snapshot = NULL;
	struct memoir_error error = { 0 };
	struct memoir *memoir;

	assert_int_equal(memoir_open(&options, &memoir, NULL), 0);
	int err = memoir_capture(memoir, &capture, &snapshot, &error);

	if (err)
		print_message("skipped: %s\n", error.text);
	memoir_snapshot_free(snapshot);
	memoir_close(memoir);
	return !err;
}

static void look_with(enum memoir_engine engine, void (*look)(enum memoir_engine engine, bool only))
{
	if (!works(engine))
		skip();
	look(engine, false);
	look(engine, true);
}

static void a_peer_has_all_by_tables(void **state)
{
	(void)state;
	look_with(MEMOIR_ENGINE_TABLES, look_at_pair);
}

static void a_peer_has_all_by_scan(void **state)
{
	(void)state;
	look_with(MEMOIR_ENGINE_SCAN, look_at_pair);
}

static void who_execs_is_what_it_became_by_tables(void **state)
{
	(void)state;
	look_with(MEMOIR_ENGINE_TABLES, look_at_execing);
}

static void who_execs_is_what_it_became_by_scan(void **state)
{
	(void)state;
	look_with(MEMOIR_ENGINE_SCAN, look_at_execing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_has_all_by_tables),
		cmocka_unit_test(a_peer_has_all_by_scan),
		cmocka_unit_test(who_execs_is_what_it_became_by_tables),
		cmocka_unit_test(who_execs_is_what_it_became_by_scan),
	};

	return cmocka_run_group_tests_name("since_listed", tests, NULL, NULL);
}
