// SPDX-License-Identifier: MIT
/*
 * Rules of mknames about what becomes of named memory: it goes, moves, is inherited, and is named by whoever has it.
 */
#include "mknames.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <memoir/name.h>

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
	/* NOLINTBEGIN(clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork) */
	pid_t pid = vfork();

	if (pid == 0) {
		give(g->base, 3 * PAGE, "in-vfork a");
		_exit(0);
	}
	/* NOLINTEND(clang-analyzer-unix.Vfork,clang-analyzer-security.insecureAPI.vfork) */
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

/* NOLINTBEGIN(bugprone-signal-handler): that it may be called there is a rule */
static void on_signal(int number)
{
	(void)number;
	note(in_handler_ground, give(in_handler_ground->base + PAGE, 3 * PAGE, "in-handler a"));
}

/* NOLINTEND(bugprone-signal-handler) */

static void in_handler(struct ground *g)
{
	in_handler_ground = g;
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
}

const struct rule life_rules[] = {
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
	{ 0 },
};
