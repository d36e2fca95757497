// SPDX-License-Identifier: MIT
/*
 * Carries out the kernel's rules for names of anonymous memory, one after the other, each on memory of its
 * own; says what was returned, one JSON line, and keeps all of it until its input ends. What ought to
 * have been returned it does not know.
 *
 *     mknames library|prctl
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <memoir/name.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE 4096ul
#define RETURNED_MAX 16
#define NAME_ROOM 128

struct ground {
	const char *rule;
	char *base;
	size_t pages;
	pid_t pid;
	int returned[RETURNED_MAX];
	int count;
};

static bool by_library;
static const char *own_path;

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "mknames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int give(void *addr, size_t len, const char *name)
{
	if (by_library)
		return memoir_name(addr, len, name);
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, len, name) ? -errno : 0;
}

static void note(struct ground *g, int returned)
{
	if (g->count < RETURNED_MAX)
		g->returned[g->count++] = returned;
}

/* Names of a rule are its own: the rule and a letter. */
static void name_bytes(struct ground *g, size_t from, size_t len, const char *letter)
{
	char name[NAME_ROOM];

	snprintf(name, sizeof(name), "%s %s", g->rule, letter ? letter : "");
	note(g, give(g->base + from, len, letter ? name : NULL));
}

static void name_pages(struct ground *g, size_t from, size_t to, const char *letter)
{
	name_bytes(g, from * PAGE, (to - from) * PAGE, letter);
}

static void *map_pages(void *at, size_t pages, int prot, int flags, int fd)
{
	void *memory = mmap(at, pages * PAGE, prot, flags | (at ? MAP_FIXED : 0), fd, 0);

	check(memory != MAP_FAILED, "mmap");
	return memory;
}

static void *map_private(void *at, size_t pages)
{
	return map_pages(at, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* Of a file that has a name: the kernel takes deleted ones in tmpfs for anonymous memory. */
static void map_file(struct ground *g, size_t from, size_t to, int prot, int flags)
{
	int fd = open(own_path, O_RDONLY);

	check(fd >= 0, own_path);
	map_pages(g->base + from * PAGE, to - from, prot, flags, fd);
	close(fd);
}

static void unmap(struct ground *g, size_t from, size_t to, bool own)
{
	char *at = g->base + from * PAGE;

	if (own && by_library)
		check(memoir_unmap(at, (to - from) * PAGE) == 0, "memoir_unmap");
	else
		check(munmap(at, (to - from) * PAGE) == 0, "munmap");
}

/* ---- splitting and merging ------------------------------------------------------------------ */

static void split(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	name_pages(g, 2, 4, "b");
}

static void merge(struct ground *g)
{
	name_pages(g, 0, 3, "a");
	name_pages(g, 3, 6, "a");
}

static void again(struct ground *g)
{
	for (int i = 0; i < 3; i++)
		name_pages(g, 1, 5, "a");
}

static void over_several(struct ground *g)
{
	name_pages(g, 0, 2, "a");
	name_pages(g, 2, 4, "b");
	name_pages(g, 4, 6, "c");
	name_pages(g, 1, 5, "d");
}

static void clear_part(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	name_pages(g, 2, 4, NULL);
}

static void clear_all(struct ground *g)
{
	name_pages(g, 1, 3, "a");
	name_pages(g, 4, 5, "b");
	name_pages(g, 0, 6, NULL);
}

static void clear_unnamed(struct ground *g)
{
	name_pages(g, 0, 6, NULL);
}

/* Not the same string, and the caller's is gone when it is shown. */
static void copied(struct ground *g)
{
	char name[] = "copied a";

	note(g, give(g->base, 3 * PAGE, name));
	memset(name, 'x', sizeof(name) - 1);
	name_pages(g, 3, 6, "a");
}

static void permissions(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	check(mprotect(g->base + 2 * PAGE, 2 * PAGE, PROT_READ) == 0, "mprotect");
	check(mprotect(g->base + 4 * PAGE, 2 * PAGE, PROT_NONE) == 0, "mprotect");
	name_pages(g, 3, 5, "b");
}

static void dontneed(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	memset(g->base, 1, 6 * PAGE);
	check(madvise(g->base, 6 * PAGE, MADV_DONTNEED) == 0, "madvise");
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void characters(struct ground *g)
{
	static const char bad[] = { '\\', '`', '$', '[', ']', 0x1f, '\n', 0x7f, (char)0x80 };
	char name[] = "bad ?";

	for (size_t i = 0; i < sizeof(bad); i++) {
		name[4] = bad[i];
		note(g, give(g->base, 6 * PAGE, name));
	}
	note(g, give(g->base, 3 * PAGE, "characters ~!\"#%&'()*+,-./:;<=>?@^_{|}"));
}

static void length_of_name(struct ground *g)
{
	char name[NAME_ROOM] = "";

	memset(name, 'n', 79);
	note(g, give(g->base, 3 * PAGE, name));
	name[79] = 'n';
	note(g, give(g->base + 3 * PAGE, 3 * PAGE, name));
}

static void empty_name(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	note(g, give(g->base + 2 * PAGE, 2 * PAGE, ""));
}

static void misaligned_start(struct ground *g)
{
	name_bytes(g, 2048 - 1000, 2 * PAGE, "a");
}

static void misaligned_length(struct ground *g)
{
	name_bytes(g, 0, PAGE + 100, "a");
}

static void no_length(struct ground *g)
{
	name_bytes(g, 0, 0, "a");
}

static void wrap_around(struct ground *g)
{
	name_bytes(g, 0, SIZE_MAX, "a");
	name_bytes(g, 0, SIZE_MAX - PAGE, "a");
	name_bytes(g, 0, (size_t) - (uintptr_t)g->base + PAGE, "a");
}

/* ---- what is named -------------------------------------------------------------------------- */

static void hole(struct ground *g)
{
	unmap(g, 2, 4, false);
	name_pages(g, 0, 6, "a");
}

static void not_mapped(struct ground *g)
{
	unmap(g, 0, 6, false);
	name_pages(g, 1, 5, "a");
}

static void file_private(struct ground *g)
{
	map_file(g, 0, 6, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	memset(g->base, 1, 3 * PAGE);
	name_pages(g, 0, 6, "a");
}

static void file_shared(struct ground *g)
{
	map_file(g, 0, 6, PROT_READ, MAP_SHARED);
	name_pages(g, 0, 6, "a");
}

static void file_between(struct ground *g)
{
	map_file(g, 2, 4, PROT_READ, MAP_PRIVATE);
	name_pages(g, 0, 6, "a");
}

static void memfd(struct ground *g)
{
	int fd = memfd_create("memfd of a rule", MFD_CLOEXEC);

	check(fd >= 0 && ftruncate(fd, 6 * PAGE) == 0, "memfd_create");
	map_pages(g->base, 6, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	close(fd);
	name_pages(g, 0, 4, "a");
}

static void shared_anonymous(struct ground *g)
{
	map_pages(g->base, 6, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	memset(g->base, 1, 6 * PAGE);
	name_pages(g, 1, 4, "a");
}

static void stack(struct ground *g)
{
	g->pages = 3;
	name_pages(g, 1, 2, "a");
}

static void heap(struct ground *g)
{
	char *end = sbrk(0), *page = (char *)(((uintptr_t)end + PAGE - 1) & ~(PAGE - 1));

	check(sbrk(page - end + (intptr_t)(6 * PAGE)) == end, "sbrk");
	g->base = page;
	name_pages(g, 1, 3, "a");
}

/* ---- memory that goes and moves ------------------------------------------------------------- */

static void munmap_part(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	unmap(g, 2, 4, false);
}

static void map_after_munmap(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	unmap(g, 2, 4, false);
	map_private(g->base + 2 * PAGE, 2);
}

static void map_after_own_unmap(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	unmap(g, 2, 4, true);
	map_private(g->base + 2 * PAGE, 2);
}

static void map_over(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	map_private(g->base + 2 * PAGE, 2);
}

/* Three named pages and one that is not, to where another rule has nothing. */
static void move(struct ground *g)
{
	char *to = map_pages(NULL, 8, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	name_pages(g, 0, 3, "a");
	check(mremap(g->base, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) !=
		      MAP_FAILED,
	      "mremap");
	g->base = to;
}

static void move_own(struct ground *g)
{
	void *moved = NULL;

	name_pages(g, 0, 3, "a");
	if (by_library)
		check(memoir_remap(g->base, 3 * PAGE, 7 * PAGE, &moved) == 0, "memoir_remap");
	else
		moved = mremap(g->base, 3 * PAGE, 7 * PAGE, MREMAP_MAYMOVE);
	check(moved != MAP_FAILED && moved != g->base, "mremap");
	g->base = moved;
	g->pages = 7;
}

static void grow(struct ground *g)
{
	unmap(g, 2, 6, false);
	name_pages(g, 0, 2, "a");
	check(mremap(g->base, 2 * PAGE, 4 * PAGE, 0) == g->base, "mremap");
}

/* ---- processes and threads ------------------------------------------------------------------ */

static _Noreturn void stay(void)
{
	for (;;)
		pause();
}

/* A child that does something first; it ends with this process. */
static pid_t start(struct ground *g, void (*act)(struct ground *g, int ready_fd))
{
	int ends[2];
	char ready;
	pid_t pid;

	check(pipe2(ends, 0) == 0, "pipe");
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		act(g, ends[1]);
		check(write(ends[1], "x", 1) == 1, "write");
		stay();
	}
	close(ends[1]);
	check(read(ends[0], &ready, 1) == 1, "a child");
	close(ends[0]);
	return pid;
}

static void do_nothing(struct ground *g, int ready_fd)
{
	(void)g, (void)ready_fd;
}

static void fork_copies(struct ground *g)
{
	name_pages(g, 0, 2, "a");
	name_pages(g, 3, 5, "b");
	g->pid = start(g, do_nothing);
	/* Too late for the child. */
	name_pages(g, 0, 6, "c");
}

static void name_in_child(struct ground *g, int ready_fd)
{
	(void)ready_fd;
	name_pages(g, 2, 6, "b");
}

static void fork_parent(struct ground *g)
{
	name_pages(g, 0, 4, "a");
	start(g, name_in_child);
}

static void fork_child(struct ground *g)
{
	name_pages(g, 0, 4, "a");
	g->pid = start(g, name_in_child);
}

static void exec_held(struct ground *g, int ready_fd)
{
	char fd[16];

	name_pages(g, 0, 6, "b");
	snprintf(fd, sizeof(fd), "%d", ready_fd);
	execl(own_path, own_path, "held", fd, (char *)NULL);
	check(false, own_path);
}

static void exec_drops(struct ground *g)
{
	name_pages(g, 0, 6, "a");
	g->pid = start(g, exec_held);
}

static void in_vfork(struct ground *g)
{
	pid_t pid = vfork();

	if (pid == 0) {
		give(g->base, 3 * PAGE, "in-vfork a");
		_exit(0);
	}
	check(pid > 0, "vfork");
	name_pages(g, 3, 5, "b");
}

static void *name_in_thread(void *arg)
{
	name_pages(arg, 1, 4, "a");
	return NULL;
}

static void in_thread(struct ground *g)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, name_in_thread, g) == 0, "a thread");
	pthread_join(thread, NULL);
}

static struct ground *in_handler_ground;

static void on_signal(int number)
{
	(void)number;
	note(in_handler_ground, give(in_handler_ground->base + PAGE, 3 * PAGE, "in-handler a"));
}

static void in_handler(struct ground *g)
{
	in_handler_ground = g;
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static const struct rule {
	const char *name;
	void (*run)(struct ground *g);
} rules[] = {
	{ "split", split },
	{ "merge", merge },
	{ "again", again },
	{ "over-several", over_several },
	{ "clear-part", clear_part },
	{ "clear-all", clear_all },
	{ "clear-unnamed", clear_unnamed },
	{ "copied", copied },
	{ "permissions", permissions },
	{ "dontneed", dontneed },
	{ "characters", characters },
	{ "length-of-name", length_of_name },
	{ "empty-name", empty_name },
	{ "misaligned-start", misaligned_start },
	{ "misaligned-length", misaligned_length },
	{ "no-length", no_length },
	{ "wrap-around", wrap_around },
	{ "hole", hole },
	{ "not-mapped", not_mapped },
	{ "file-private", file_private },
	{ "file-shared", file_shared },
	{ "file-between", file_between },
	{ "memfd", memfd },
	{ "shared-anonymous", shared_anonymous },
	{ "stack", stack },
	{ "heap", heap },
	{ "munmap", munmap_part },
	{ "map-after-munmap", map_after_munmap },
	{ "map-after-own-unmap", map_after_own_unmap },
	{ "map-over", map_over },
	{ "move", move },
	{ "move-own", move_own },
	{ "grow", grow },
	{ "fork", fork_copies },
	{ "fork-parent", fork_parent },
	{ "fork-child", fork_child },
	{ "exec", exec_drops },
	{ "in-vfork", in_vfork },
	{ "in-thread", in_thread },
	{ "in-handler", in_handler },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static struct ground grounds[RULES];

/* Six pages of private anonymous memory, nothing that could merge with them beside. */
static void make_ground(struct ground *g, const char *rule)
{
	char *around = map_pages(NULL, 8, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	*g = (struct ground){ .rule = rule, .base = around + PAGE, .pages = 6, .pid = getpid() };
	map_private(g->base, 6);
}

static void print_ground(const struct ground *g, bool first)
{
	printf("%s{\"rule\": \"%s\", \"pid\": %d, \"base\": %lu, \"pages\": %zu, \"returned\": [",
	       first ? "" : ", ", g->rule, (int)g->pid, (unsigned long)g->base, g->pages);
	for (int i = 0; i < g->count; i++)
		printf("%s%d", i ? ", " : "", g->returned[i]);
	printf("]}");
}

/* Deep enough that what is named of it is not in use. */
static char *deep_stack_page(void)
{
	char room[32 * PAGE];

	memset(room, 1, sizeof(room));
	__asm__ volatile("" ::"r"(room) : "memory");
	return (char *)(((uintptr_t)room + 2 * PAGE) & ~(PAGE - 1));
}

int main(int argc, char **argv)
{
	char ignored;

	if (argc == 3 && strcmp(argv[1], "held") == 0) {
		check(write(atoi(argv[2]), "x", 1) == 1, "write");
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		stay();
	}
	if (argc != 2)
		return 2;
	by_library = strcmp(argv[1], "library") == 0;
	own_path = realpath("/proc/self/exe", NULL);
	for (size_t i = 0; i < RULES; i++) {
		make_ground(&grounds[i], rules[i].name);
		if (rules[i].run == stack)
			grounds[i].base = deep_stack_page();
		rules[i].run(&grounds[i]);
	}
	printf("[");
	for (size_t i = 0; i < RULES; i++)
		print_ground(&grounds[i], i == 0);
	printf("]\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &ignored, 1) > 0)
		;
	return 0;
}
