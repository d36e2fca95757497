// SPDX-License-Identifier: MIT
/*
 * Whom the walk without locks visits, against /proc/PID/maps: of many processes, which two walkers take turns at, each
 * once; of one that has become another task or program since it was listed what it is now; and all of one that has very
 * many page tables, though there is nothing in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "two_walks.h"

#define PAGE 4096ul
#define PAGES_AT ((char *)0x200000000000ul) /* VMAs of one page */
#define MEMFD_AT ((char *)0x300000000000ul)
#define GIB (1ul << 30)
#define EMPTY_GIBS \
	16500ul /* with a page table each that has no entries: 8 million places to look at */
#define CROWD 300u
#define CROWD_WALKS 20u
#define CROWD_WALKS_MAX 300u /* until both walkers had a share in one */

struct listed {
	pid_t pid;
	uint64_t mm;
	uint32_t tid;
};

static void find_mm(const struct walk_task *task, void *arg)
{
	struct listed *listed = arg;

	if (task->tgid != (uint32_t)listed->pid || !task->mm)
		return;
	listed->mm = task->mm;
	listed->tid = task->tid;
}

/* ---- what a walk says ------------------------------------------------------------------------ */

/* What a walk said of some processes, and whether each came at one go. */
struct seen {
	pid_t pid;
	uint64_t mm, last_end;
	size_t vmas, times, disorder;
	bool path;   /* that of its own memfd has come */
	bool second; /* by the second walker */
};

struct crowd {
	const struct walk *walk;
	struct seen *seen, *last;
	size_t count;
};

/* What it is told of lies in its own arena. */
static bool is_second(const struct walk *walk, const void *record)
{
	const char *own = walk->arena + WALK_ARENAS * WALK_ARENA_STRIDE;

	return (const char *)record >= own && (const char *)record < own + WALK_ARENA_STRIDE;
}

static void take_of_crowd(const struct walk_vma *vma, const struct walk_object *object,
			  const char *path, const char *name, void *arg)
{
	struct crowd *crowd = arg;
	struct seen *seen = crowd->last;
	char own[64];

	(void)object;
	(void)name;
	if (!seen || (uint32_t)seen->pid != vma->tgid) {
		seen = NULL;
		for (size_t i = 0; i < crowd->count && !seen; i++)
			if ((uint32_t)crowd->seen[i].pid == vma->tgid)
				seen = &crowd->seen[i];
		if (seen)
			seen->times++;
		crowd->last = seen;
	}
	if (!seen)
		return;
	seen->disorder += vma->start < seen->last_end || (seen->mm && vma->mm != seen->mm);
	seen->last_end = vma->end;
	seen->mm = vma->mm;
	seen->vmas++;
	snprintf(own, sizeof(own), "/memfd:%d (deleted)", (int)seen->pid);
	if (strcmp(path, own) == 0)
		seen->path = true;
	seen->second = is_second(crowd->walk, vma);
}

static const struct walk_visitor crowd_visitor = { .vma = take_of_crowd };

/* One process by walk_vmas(), or by walk_vmas_of(). */
static struct seen see(struct walk *walk, pid_t pid, bool only)
{
	struct seen seen = { .pid = pid };
	struct crowd crowd = { .walk = walk, .seen = &seen, .count = 1 };
	int err = only ? walk_vmas_of(walk, pid, false, &crowd_visitor, &crowd)
		       : walk_vmas(walk, WALK_ALL, false, &crowd_visitor, &crowd);

	assert_int_equal(err, 0);
	assert_int_equal(seen.disorder, 0);
	return seen;
}

static size_t count_maps(pid_t pid, pid_t tid)
{
	char line[8192];
	size_t count = 0;
	FILE *file;

	snprintf(line, sizeof(line), "/proc/%d/task/%d/maps", (int)pid, (int)tid);
	file = fopen(line, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += !strstr(line, "[vsyscall]");
	fclose(file);
	return count;
}

static uint64_t list(struct walk *walk, pid_t pid)
{
	struct listed listed = { .pid = pid };

	assert_int_equal(walk_tasks(walk, find_mm, &listed), 0);
	return listed.mm;
}

/* A process that answers each byte, does what it is asked for at the first one, and ends at the end. */
struct partner {
	pid_t pid;
	int to, from;
};

enum change { CALLS_EXEC, THREAD_CALLS_EXEC, LEADER_EXITS };

static void *call_exec(void *unused)
{
	char byte;

	(void)unused;
	if (read(STDIN_FILENO, &byte, 1) == 1)
		execl("/bin/cat", "cat", "-u", NULL);
	_exit(3);
}

static void *answer(void *unused)
{
	char byte;

	(void)unused;
	while (read(STDIN_FILENO, &byte, 1) == 1)
		if (write(STDOUT_FILENO, &byte, 1) != 1)
			break;
	_exit(0);
}

static void be_partner(enum change change)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (change == CALLS_EXEC)
		call_exec(NULL);
	if (pthread_create(&thread, NULL, change == LEADER_EXITS ? answer : call_exec, NULL) != 0)
		_exit(3);
	if (change == LEADER_EXITS) {
		raise(SIGSTOP);
		pthread_exit(NULL);
	}
	for (;;)
		pause();
}

static struct partner start_partner(enum change change)
{
	int to[2], from[2];
	struct partner partner;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	partner.pid = fork();
	assert_true(partner.pid >= 0);
	if (partner.pid == 0) {
		if (dup2(to[0], STDIN_FILENO) < 0 || dup2(from[1], STDOUT_FILENO) < 0)
			_exit(3);
		be_partner(change);
	}
	close(to[0]);
	close(from[1]);
	partner.to = to[1];
	partner.from = from[0];
	return partner;
}

/* So that it has done what it was asked for. It waits for the next byte then, or is about to. */
static void converse(const struct partner *partner)
{
	char byte = 'x';

	assert_int_equal(write(partner->to, &byte, 1), 1);
	assert_int_equal(read(partner->from, &byte, 1), 1);
}

static void change_program(const struct partner *partner)
{
	char byte = 'x';

	assert_int_equal(write(partner->to, &byte, 1), 1);
	converse(partner); /* cat answers */
}

static void end_partner(struct partner *partner)
{
	close(partner->to);
	close(partner->from);
	kill(partner->pid, SIGKILL);
	waitpid(partner->pid, NULL, 0);
}

static void who_calls_exec_meanwhile_is_seen(void **state)
{
	const enum change changes[] = { THREAD_CALLS_EXEC, CALLS_EXEC };
	struct walks *walks = walks_of(state);

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct partner partner = start_partner(changes[i]);
		uint64_t mm = list(walks->free, partner.pid);

		change_program(&partner);

		struct seen seen = see(walks->free, partner.pid, false);
		size_t vmas = count_maps(partner.pid, partner.pid);

		end_partner(&partner);
		assert_true(mm && seen.mm && seen.mm != mm);
		assert_int_equal(seen.times, 1);
		assert_int_equal(seen.vmas, vmas);
	}
}

/* Whose mm is not listed any more is nobody that was asked for; listed again it is. */
static void who_calls_exec_meanwhile_is_not_taken_for_who_was_listed(void **state)
{
	const enum change changes[] = { THREAD_CALLS_EXEC, CALLS_EXEC };
	struct walks *walks = walks_of(state);

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct partner partner = start_partner(changes[i]);

		walk_wanted_clear(walks->free);
		assert_int_equal(walk_wanted_add(walks->free, list(walks->free, partner.pid)), 0);
		change_program(&partner);

		struct seen before = see(walks->free, partner.pid, true);

		assert_int_equal(walk_wanted_add(walks->free, list(walks->free, partner.pid)), 0);

		struct seen after = see(walks->free, partner.pid, true);
		/* Without having been listed since the last walk of all. */
		struct seen of_all = see(walks->free, partner.pid, false);
		struct seen again = see(walks->free, partner.pid, true);
		size_t vmas = count_maps(partner.pid, partner.pid);

		end_partner(&partner);
		walk_wanted_clear(walks->free);
		assert_int_equal(before.vmas, 0);
		assert_int_equal(after.vmas, vmas);
		assert_int_equal(of_all.vmas, vmas);
		assert_int_equal(again.vmas, vmas);
	}
}

static char state_of(pid_t pid)
{
	char text[512];
	const char *end_of_comm;
	FILE *file;

	snprintf(text, sizeof(text), "/proc/%d/task/%d/stat", (int)pid, (int)pid);
	file = fopen(text, "re");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	end_of_comm = strrchr(text, ')');
	assert_non_null(end_of_comm);
	return end_of_comm[2];
}

/* Its threads have the memory still, and one of them speaks for it. */
static void whose_first_thread_exits_meanwhile_is_seen(void **state)
{
	struct walks *walks = walks_of(state);
	struct partner partner = start_partner(LEADER_EXITS);
	int status;

	assert_int_equal(waitpid(partner.pid, &status, WUNTRACED), partner.pid);

	uint64_t mm = list(walks->free, partner.pid);

	kill(partner.pid, SIGCONT);
	while (state_of(partner.pid) != 'Z')
		sched_yield();
	converse(&partner);

	struct seen seen = see(walks->free, partner.pid, false);
	struct listed thread = { .pid = partner.pid };

	assert_int_equal(walk_tasks(walks->free, find_mm, &thread), 0);

	size_t vmas = count_maps(partner.pid, (pid_t)thread.tid);

	end_partner(&partner);
	assert_true(mm && seen.mm == mm);
	assert_int_not_equal(thread.tid, (uint32_t)partner.pid);
	assert_int_equal(seen.times, 1);
	assert_int_equal(seen.vmas, vmas);
}

static char *map_at(char *at, int protection, int flags, int fd)
{
	char *mem = mmap(at, PAGE, protection, flags | MAP_FIXED_NOREPLACE, fd, 0);

	if (mem != at)
		_exit(3);
	return mem;
}

/* Each of another size, with a file of its own. */
static void stand_in_crowd(unsigned int i)
{
	char name[32];
	int memfd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(name, sizeof(name), "%d", (int)getpid());
	memfd = memfd_create(name, MFD_CLOEXEC);
	if (memfd < 0 || ftruncate(memfd, (off_t)PAGE) < 0)
		_exit(3);
	map_at(MEMFD_AT, PROT_READ, MAP_SHARED, memfd);
	close(memfd);
	for (unsigned int k = 0; k < i % 40; k++)
		*map_at(PAGES_AT + 2 * k * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1) = 1;
	for (;;)
		raise(SIGSTOP);
}

static void begin_crowd(pid_t pids[CROWD], size_t vmas[CROWD])
{
	int status;

	for (unsigned int i = 0; i < CROWD; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			stand_in_crowd(i);
	}
	for (unsigned int i = 0; i < CROWD; i++) {
		assert_int_equal(waitpid(pids[i], &status, WUNTRACED), pids[i]);
		assert_true(WIFSTOPPED(status));
		vmas[i] = count_maps(pids[i], pids[i]);
	}
}

/* How many of them the second walker has walked. */
static size_t walk_crowd(struct walk *walk, const pid_t pids[CROWD], const size_t vmas[CROWD],
			 bool tables)
{
	struct seen seen[CROWD] = { 0 };
	struct crowd crowd = { .walk = walk, .seen = seen, .count = CROWD };
	size_t second = 0;

	for (unsigned int i = 0; i < CROWD; i++)
		seen[i].pid = pids[i];
	assert_int_equal(walk_vmas(walk, WALK_ALL, tables, &crowd_visitor, &crowd), 0);
	for (unsigned int i = 0; i < CROWD; i++) {
		assert_int_equal(seen[i].times, 1);
		assert_int_equal(seen[i].disorder, 0);
		assert_int_equal(seen[i].vmas, vmas[i]);
		assert_true(seen[i].path);
		second += seen[i].second;
	}
	return second;
}

static void two_walkers_show_each_process_once(void **state)
{
	struct walks *walks = walks_of(state);
	pid_t pids[CROWD];
	size_t vmas[CROWD];
	bool shared = false;

	begin_crowd(pids, vmas);
	for (unsigned int i = 0; i < CROWD_WALKS || (!shared && i < CROWD_WALKS_MAX); i++) {
		/* Now and then it is left to the walk, which has none that nobody went by. */
		if (i % 4 == 0)
			assert_int_equal(walk_tasks(walks->free, NULL, NULL), 0);

		size_t second = walk_crowd(walks->free, pids, vmas, i % 2);

		shared |= second > 0 && second < CROWD;
	}
	/* Under the lock there is one. */
	assert_int_equal(walk_crowd(walks->locked, pids, vmas, true), 0);
	for (unsigned int i = 0; i < CROWD; i++)
		kill(pids[i], SIGKILL);
	for (unsigned int i = 0; i < CROWD; i++)
		waitpid(pids[i], NULL, 0);
	assert_true(shared);
}

/* ---- very many page tables ------------------------------------------------------------------ */

/* The huge zero page takes a table of PMDs and nothing below it; given up, it leaves that. What is behind counts. */
static void have_empty_tables(int ready)
{
	char *mem = mmap(NULL, (EMPTY_GIBS + 2) * GIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *last = NULL, sum = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mem != MAP_FAILED && madvise(mem, (EMPTY_GIBS + 2) * GIB, MADV_HUGEPAGE) == 0) {
		for (size_t i = 0; i < EMPTY_GIBS; i++)
			sum += *(volatile char *)(mem + i * GIB + GIB / 2);
		madvise(mem, EMPTY_GIBS * GIB, MADV_DONTNEED);
		last = mem + EMPTY_GIBS * GIB + GIB / 2;
		*last = 1 + sum;
	}
	if (write(ready, &last, sizeof(last)) != sizeof(last))
		_exit(3);
	for (;;)
		pause();
}

struct search {
	uint64_t mm, of; /* of the last VMA */
	uint64_t address;
	size_t found;
};

static void search_vma(const struct walk_vma *vma, const struct walk_object *object,
		       const char *path, const char *name, void *arg)
{
	struct search *search = arg;

	(void)object;
	(void)path;
	(void)name;
	search->of = vma->mm;
}

static void search_table(uint64_t addr, const uint64_t *entries, size_t count, void *arg)
{
	struct search *search = arg;

	for (size_t i = 0; i < count; i++)
		search->found += search->of == search->mm && addr + i * PAGE == search->address &&
				 entries[i];
}

static void search_huge(uint64_t addr, uint64_t entry, uint64_t span_bytes, void *arg)
{
	struct search *search = arg;

	search->found += search->of == search->mm && entry && search->address >= addr &&
			 search->address < (addr & -span_bytes) + span_bytes;
}

static void nothing_is_hidden_behind_empty_tables(void **state)
{
	const struct walk_visitor searching = { search_vma, search_table, search_huge };
	struct walks *walks = walks_of(state);
	struct walk *both[] = { walks->free, walks->locked };
	size_t found[2] = { 0 };
	uint64_t address = 0;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		have_empty_tables(fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &address, sizeof(address)), sizeof(address));
	close(fds[0]);
	for (size_t i = 0; address && i < 2; i++) {
		struct search search = { .mm = list(walks->free, pid), .address = address };

		walk_wanted_clear(both[i]);
		assert_int_equal(walk_wanted_add(both[i], search.mm), 0);
		assert_int_equal(walk_vmas_of(both[i], pid, true, &searching, &search), 0);
		found[i] = search.found;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* So much address space, or huge pages, are not to be had everywhere. */
	if (!address)
		skip();
	assert_int_equal(found[0], 1);
	assert_int_equal(found[1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_calls_exec_meanwhile_is_seen),
		cmocka_unit_test(who_calls_exec_meanwhile_is_not_taken_for_who_was_listed),
		cmocka_unit_test(whose_first_thread_exits_meanwhile_is_seen),
		cmocka_unit_test(two_walkers_show_each_process_once),
		cmocka_unit_test(nothing_is_hidden_behind_empty_tables),
	};

	return cmocka_run_group_tests(tests, begin, finish);
}
