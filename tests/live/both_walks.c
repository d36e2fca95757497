// SPDX-License-Identifier: MIT
/*
 * The walk without locks against the one that takes them: a process that stands still is the same by both, and of one
 * that changes all the time each walk shows what stays as it is, by whatever means it gets there.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/grow.h"
#include "kernel/pte.h"
#include "two_walks.h"

#define PAGE 4096ul
#define MIB (1ul << 20)
#define FIXED ((char *)0x200000000000ul) /* what stays: VMAs of one page, then a block */
#define FIXED_VMAS 300ul
#define SHUTTLE_PAUSE 3000u
#define SHUTTLE_PLACES 5ul /* between the first of these one page moves about */
#define BLOCK (FIXED + (1ul << 30))
#define BLOCK_PAGES 8192ul
#define MOVING ((char *)0x300000000000ul) /* what changes */
#define MOVERS 3
#define SPLIT ((char *)0x400000000000ul) /* always mapped, as one VMA or as several */
#define SPLIT_RANGES 64ul
#define SPLIT_PAGES 16ul
#define SPLIT_END (SPLIT + SPLIT_RANGES * 2 * SPLIT_PAGES * PAGE)
#define CROWD_VMAS (3ul * WALK_ARENA_BYTES / sizeof(struct walk_vma))
#define WALKS 150
#define MANY_WALKS 300
#define NEWCOMERS 8

/* What a walk said of one process, in order. */
struct account {
	uint64_t mm;
	uint64_t *words;
	size_t count, room;
	size_t vmas, covered, fixed_vmas, fixed_alone, fixed_pages, block_vmas, block_pages,
		split_pages;
	uint64_t last_end;
	size_t empties, empty_pages; /* what moves, and is never there */
	bool in_empty;
	bool passed; /* it came before, and has changed since: capture passes over it, too */
	uint64_t in; /* start of the last VMA */
};

/* ---- processes ------------------------------------------------------------------------------ */

static void touch(char *from, size_t pages, size_t step)
{
	for (size_t i = 0; i < pages; i += step)
		from[i * PAGE] = 1;
}

static char *map_at(char *at, size_t bytes, int protection, int flags, int fd)
{
	char *mem = mmap(at, bytes, protection, flags | MAP_FIXED_NOREPLACE, fd, 0);

	if (mem != at)
		_exit(3);
	return mem;
}

static void map_what_stays(void)
{
	for (size_t i = 0; i < FIXED_VMAS; i++) {
		char *page = map_at(FIXED + i * 2 * PAGE, PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1);

		touch(page, 1, 1);
	}
	madvise(map_at(BLOCK, BLOCK_PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1),
		BLOCK_PAGES * PAGE, MADV_NOHUGEPAGE);
	touch(BLOCK, BLOCK_PAGES, 2);
}

/* Besides: files, shared memory, copies in it, a huge page, a terabyte of nothing. */
static void map_all_sorts(void)
{
	int memfd = memfd_create("both walks", MFD_CLOEXEC), exe = open("/proc/self/exe", O_RDONLY);
	char *at = MOVING;

	if (memfd < 0 || exe < 0 || ftruncate(memfd, (off_t)MIB) < 0)
		_exit(3);
	touch(map_at(at, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, memfd), 256, 3);
	touch(map_at(at + 2 * MIB, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, memfd), 256, 5);
	touch(map_at(at + 4 * MIB, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, exe), 1, 1);
	map_at(at + (1ul << 40), 1ul << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map_at(at + 8 * MIB, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(at + 8 * MIB, 4 * MIB, MADV_HUGEPAGE);
	touch(at + 8 * MIB, 1024, 1);
	/* More than fits into an arena. */
	for (size_t i = 0; i < CROWD_VMAS; i++)
		touch(map_at(at + 64 * MIB + i * 2 * PAGE, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1),
		      1, 1);
	/* Under one page table, of which only what has a file may be tagged. */
	at += 16 * MIB;
	for (size_t i = 0; i < 12; i++, at += 12 * PAGE) {
		map_at(at, 8 * PAGE, PROT_READ | PROT_WRITE,
		       i % 3 ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS, i % 3 ? memfd : -1);
		for (size_t page = 0; page < 8; page++)
			(void)*(volatile char *)(at + page * PAGE);
		touch(at, 8, i % 3 + 1);
	}
}

static void *move_about(void *arg)
{
	char *mine = MOVING + (uintptr_t)arg * (1ul << 32);

	for (unsigned int i = 0;; i++) {
		char *at = mine + (i % 64) * 64 * PAGE;

		mmap(at, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0);
		at[0] = 1;
		mprotect(at + 4 * PAGE, 4 * PAGE, PROT_READ);
		munmap(at - (i % 7) * 64 * PAGE + 2 * PAGE, 8 * PAGE);
	}
	return NULL;
}

/* Splits VMAs and has them merge again; all of it stays mapped. */
static void *split_and_merge(void *arg)
{
	const int protections[] = { PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE };

	(void)arg;
	for (unsigned int i = 0;; i++) {
		char *at = SPLIT + (i % SPLIT_RANGES) * 2 * SPLIT_PAGES * PAGE;

		for (int k = 0; k < 3; k++)
			mprotect(at + (i / 3 % 12) * PAGE, 4 * PAGE, protections[k]);
	}
	return NULL;
}

static void run_on(unsigned int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static char *move_to(char *page, size_t place)
{
	return mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		      FIXED + (place % SHUTTLE_PLACES * 2 + 1) * PAGE);
}

/* Two pages move about under the tables of those that stay, to where the other one was: one is there, and one is not. */
static void *shuttle(void *arg)
{
	char *full = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *empty = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	run_on(1);
	full[0] = 1;
	mprotect(full, PAGE, PROT_READ);
	for (size_t i = 0;; i++) {
		/* So that a leaf of the maple tree can mostly be read in between. */
		for (volatile unsigned int k = 0; k < SHUTTLE_PAUSE; k++)
			;
		full = move_to(full, i + 1);
		empty = move_to(empty, i);
	}
	return NULL;
}

enum life { STANDS_STILL, MOVES, MOVES_A_PAGE, BEGINS_ANEW, HAS_CHILD, LEFT_TO_CHILD };

static void tell(int ready, pid_t pid)
{
	if (write(ready, &pid, sizeof(pid)) != sizeof(pid))
		_exit(3);
}

/* A child that shares what stays, or has it to itself by now. */
static pid_t have_child(bool let_go)
{
	pid_t parent = getpid(), child = fork();

	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (child == 0 && getppid() == parent)
		pause();
	if (child <= 0)
		_exit(3);
	for (size_t i = 0; let_go && i < FIXED_VMAS; i++)
		munmap(FIXED + i * 2 * PAGE, PAGE);
	return child;
}

static void live(enum life life, int ready)
{
	pthread_t thread;
	pid_t pid = getpid();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (life == BEGINS_ANEW) {
		tell(ready, pid);
		for (;;) {
			pid = vfork();

			if (pid == 0)
				execl("/bin/true", "true", NULL);
			else if (pid > 0)
				waitpid(pid, NULL, 0);
		}
	}
	map_what_stays();
	if (life == STANDS_STILL)
		map_all_sorts();
	for (size_t i = 0; life == MOVES && i < SPLIT_RANGES; i++)
		map_at(SPLIT + i * 2 * SPLIT_PAGES * PAGE, SPLIT_PAGES * PAGE,
		       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (life == MOVES && pthread_create(&thread, NULL, split_and_merge, NULL) != 0)
		_exit(3);
	if (life == MOVES_A_PAGE && pthread_create(&thread, NULL, shuttle, NULL) != 0)
		_exit(3);
	for (uintptr_t i = 0; life == MOVES && i < MOVERS; i++)
		if (pthread_create(&thread, NULL, move_about, (void *)i) != 0)
			_exit(3);
	if (life == HAS_CHILD)
		have_child(false);
	if (life == LEFT_TO_CHILD)
		pid = have_child(true);
	tell(ready, pid);
	for (;;)
		pause();
}

/* *ret_shown: whom to look at, it or its child, which ends with it. */
static pid_t start_family(enum life life, pid_t *ret_shown)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		live(life, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], ret_shown, sizeof(*ret_shown)), sizeof(*ret_shown));
	close(fds[0]);
	return pid;
}

static pid_t start(enum life life)
{
	pid_t shown;

	return start_family(life, &shown);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- what a walk says ------------------------------------------------------------------------ */

static void add(struct account *account, uint64_t word)
{
	uint64_t *words = grow(account->words, &account->room, account->count + 1, sizeof(word));

	assert_non_null(words);
	account->words = words;
	words[account->count++] = word;
}

static void add_text(struct account *account, const char *text)
{
	for (; *text; text++)
		add(account, (uint64_t)*text);
}

enum place { ELSEWHERE, IN_FIXED, BETWEEN_FIXED };

static enum place place_of(uint64_t addr)
{
	uint64_t page = (addr - (uintptr_t)FIXED) / PAGE;

	if (page >= FIXED_VMAS * 2)
		return ELSEWHERE;
	return page % 2 ? BETWEEN_FIXED : IN_FIXED;
}

static const struct walk_object no_object;

static void take_vma(const struct walk_vma *vma, const struct walk_object *object, const char *path,
		     const char *name, void *arg)
{
	struct account *account = arg;
	const uint64_t words[] = {
		vma->start,     vma->end,  vma->flags, vma->offset_pages,
		vma->anon_root, vma->tgid, vma->seq,   vma->bits & ~WALK_COVERED,
	};
	const struct walk_object *file = object ? object : &no_object;
	const uint64_t file_words[] = {
		file->mapping, file->inode, file->size_bytes,     file->dev,           file->magic,
		file->mode,    file->links, file->resident_pages, file->swapped_pages,
	};
	enum place place = place_of(vma->start);

	(void)name;
	if (vma->mm != account->mm)
		return;
	account->passed = vma->start < account->last_end;
	if (account->passed)
		return;
	account->last_end = vma->end;
	account->in = vma->start;
	account->vmas++;
	account->covered += (vma->bits & WALK_COVERED) != 0;
	account->in_empty = place == BETWEEN_FIXED && !(vma->flags & 1 /* VM_READ */);
	account->empties += account->in_empty;
	if (place == IN_FIXED && vma->end == vma->start + PAGE) {
		account->fixed_vmas++;
		account->fixed_alone += vma->bits & WALK_ALONE;
	}
	account->block_vmas +=
		vma->start == (uintptr_t)BLOCK && vma->end == (uintptr_t)BLOCK + BLOCK_PAGES * PAGE;
	if (vma->start >= (uintptr_t)SPLIT && vma->end <= (uintptr_t)SPLIT_END)
		account->split_pages += (vma->end - vma->start) / PAGE;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		add(account, words[i]);
	for (size_t i = 0; i < sizeof(file_words) / sizeof(*file_words); i++)
		add(account, file_words[i]);
	add_text(account, path);
}

/* The kernel's DAMON, where that is on, takes the accessed bit away between one walk and the other. */
static void take_table(uint64_t addr, const uint64_t *entries, size_t count, void *arg)
{
	struct account *account = arg;

	for (size_t i = 0; i < count; i++) {
		if (!entries[i] || account->passed)
			continue;
		account->fixed_pages += place_of(account->in) == IN_FIXED;
		account->empty_pages += account->in_empty;
		account->block_pages += account->in == (uintptr_t)BLOCK;
		add(account, addr + i * PAGE);
		add(account, entries[i] & ~PTE_BIT_ACCESSED);
	}
}

static void take_huge(uint64_t addr, uint64_t entry, uint64_t span_bytes, void *arg)
{
	add(arg, addr);
	add(arg, entry & ~PTE_BIT_ACCESSED);
	add(arg, span_bytes);
}

static const struct walk_visitor visitor = { take_vma, take_table, take_huge };

struct wanted {
	pid_t pid;
	uint64_t mm;
};

static void find_mm(const struct walk_task *task, void *arg)
{
	struct wanted *wanted = arg;

	if (task->tgid == (uint32_t)wanted->pid && task->mm)
		wanted->mm = task->mm;
}

/* The walk of one process, by the iterator of all that visits those listed only. */
static struct account walk_one(struct walk *walk, struct walk *tasks, pid_t pid)
{
	struct wanted wanted = { .pid = pid };
	struct account account = { 0 };

	assert_int_equal(walk_tasks(tasks, find_mm, &wanted), 0);
	assert_true(wanted.mm);
	account.mm = wanted.mm;
	walk_wanted_clear(walk);
	assert_int_equal(walk_wanted_add(walk, wanted.mm), 0);
	assert_int_equal(walk_vmas(walk, WALK_LISTED_MMS, true, &visitor, &account), 0);
	return account;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void still_is_the_same(void **state)
{
	struct walks *walks = walks_of(state);
	pid_t pid = start(STANDS_STILL);

	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);

	struct account without = walk_one(walks->free, walks->free, pid);
	struct account by_lock = walk_one(walks->locked, walks->free, pid);

	end(pid);
	assert_int_equal(without.vmas, by_lock.vmas);
	/* Most tables were copied once for many VMAs, and that makes no difference. */
	assert_true(without.covered > FIXED_VMAS / 2);
	assert_int_equal(by_lock.covered, 0);
	assert_int_equal(without.fixed_vmas, FIXED_VMAS);
	assert_int_equal(without.fixed_pages, FIXED_VMAS);
	assert_int_equal(without.block_pages, BLOCK_PAGES / 2);
	assert_int_equal(without.count, by_lock.count);
	assert_memory_equal(without.words, by_lock.words, without.count * sizeof(uint64_t));
	free(without.words);
	free(by_lock.words);
}

static void check_moving(struct walks *walks, pid_t pid)
{
	for (int i = 0; i < WALKS; i++) {
		struct account seen = walk_one(walks->free, walks->free, pid);

		free(seen.words);
		assert_int_equal(seen.fixed_vmas, FIXED_VMAS);
		assert_int_equal(seen.fixed_pages, FIXED_VMAS);
		assert_int_equal(seen.block_vmas, 1);
		assert_int_equal(seen.block_pages, BLOCK_PAGES / 2);
		assert_int_equal(seen.split_pages, SPLIT_RANGES * SPLIT_PAGES);
	}
}

static void what_stays_is_seen(void **state)
{
	struct walks *walks = walks_of(state);
	pid_t pid = start(MOVES);

	check_moving(walks, pid);
	end(pid);
}

/* Not what was there when the table was copied for a VMA before it; nor is one passed over when another moves before it. */
static void who_moves_takes_his_pages_along(void **state)
{
	struct walks *walks = walks_of(state);
	pid_t pid = start(MOVES_A_PAGE);
	size_t empties = 0;

	run_on(0);
	for (int i = 0; i < MANY_WALKS; i++) {
		struct account seen = walk_one(walks->free, walks->free, pid);

		free(seen.words);
		assert_int_equal(seen.fixed_pages, FIXED_VMAS);
		assert_int_equal(seen.empty_pages, 0);
		empties += seen.empties;
	}
	assert_true(empties > 0);
	end(pid);
}

/* At the first change the rest is left to the lock: in a VMA, between two, before the first. */
static void what_stays_is_seen_by_the_lock(void **state)
{
	struct walks *walks = walks_of(state);
	unsigned int before = walks->free->rests;
	uint32_t patience = walks->free->config->patience;
	pid_t pid = start(MOVES);

	walks->free->config->patience = 0;
	check_moving(walks, pid);
	walks->free->config->patience = patience;
	end(pid);
	assert_true(walks->free->rests > before);
}

/* By what the kernel keeps of families, found where it is taken to be. */
static void who_shares_with_nobody_is_alone(void **state)
{
	struct walks *walks = walks_of(state);
	const struct {
		enum life life;
		size_t alone;
	} cases[] = { { STANDS_STILL, FIXED_VMAS },
		      { HAS_CHILD, 0 },
		      { LEFT_TO_CHILD, FIXED_VMAS } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pid_t shown, pid = start_family(cases[i].life, &shown);
		struct account without = walk_one(walks->free, walks->free, shown);
		struct account by_lock = walk_one(walks->locked, walks->free, shown);

		end(pid);
		free(without.words);
		free(by_lock.words);
		assert_int_equal(without.fixed_vmas, FIXED_VMAS);
		assert_int_equal(without.fixed_alone, cases[i].alone);
		assert_int_equal(by_lock.fixed_alone, cases[i].alone);
	}
}

/*
 * Address spaces that begin and end all the time: each VMA once, in order, whatever becomes of its process, but one
 * that is changed while it is being sent.
 */
struct order {
	uint64_t mm, last_end;
	uint32_t tid; /* a child of vfork has its parent's */
	size_t vmas, disorder;
};

static void take_in_order(const struct walk_vma *vma, const struct walk_object *object,
			  const char *path, const char *name, void *arg)
{
	struct order *order = arg;

	(void)object;
	(void)path;
	(void)name;
	if (vma->mm != order->mm || vma->tid != order->tid)
		order->last_end = 0;
	order->tid = vma->tid;
	order->disorder += vma->start < order->last_end;
	order->mm = vma->mm;
	order->last_end = vma->end;
	order->vmas++;
}

static void newcomers_do_no_harm(void **state)
{
	const struct walk_visitor in_order = { .vma = take_in_order };
	struct walks *walks = walks_of(state);
	pid_t pids[NEWCOMERS];
	struct order order = { 0 };

	for (int i = 0; i < NEWCOMERS; i++)
		pids[i] = start(BEGINS_ANEW);
	for (int i = 0; i < WALKS; i++)
		assert_int_equal(walk_vmas(walks->free, WALK_ALL, true, &in_order, &order), 0);
	for (int i = 0; i < NEWCOMERS; i++)
		end(pids[i]);
	assert_true(order.vmas > WALKS);
	assert_true(order.disorder * 100 < order.vmas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(still_is_the_same),
		cmocka_unit_test(what_stays_is_seen),
		cmocka_unit_test(what_stays_is_seen_by_the_lock),
		cmocka_unit_test(who_shares_with_nobody_is_alone),
		cmocka_unit_test(newcomers_do_no_harm),
		/* The last one: it stays on one CPU, so that what moves has the other. */
		cmocka_unit_test(who_moves_takes_his_pages_along),
	};

	return cmocka_run_group_tests(tests, begin, finish);
}
