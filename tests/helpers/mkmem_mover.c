/*
 * Movers: processes that do not hold still, to be looked at while they move. No truth is said of
 * them; each bounds the processes and the memory it uses.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "mkmem.h"

#define STORM_WIDTH 20
#define STORM_LIFE_US 3000

static void make_exec_loop(void)
{
	up();
	execl("/proc/self/exe", "mkmem", "--exec-again", (char *)NULL);
}

static void make_map_loop(void)
{
	uint8_t *start = place(64), *end;

	up();
	for (;;) {
		start = mmap(start, 64 * PAGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (start == MAP_FAILED)
			broken("mmap");
		write_pages(start, 0, 64);
		mprotect(page_at(start, 16), 16 * PAGE_BYTES, PROT_READ);
		munmap(page_at(start, 24), 4 * PAGE_BYTES);
		end = mremap(page_at(start, 40), 8 * PAGE_BYTES, 8 * PAGE_BYTES,
			     MREMAP_MAYMOVE | MREMAP_FIXED, page_at(start, 8));
		if (end == MAP_FAILED)
			broken("mremap");
		munmap(start, 64 * PAGE_BYTES);
	}
}

static void make_fork_storm(void)
{
	uint8_t *start = range_written(512);
	int living = 0;

	up();
	for (;;) {
		if (living == STORM_WIDTH && waitpid(-1, NULL, 0) > 0)
			living--;
		if (fork_child()) {
			write_pages(start, 0, (uint64_t)getpid() % 512);
			usleep(STORM_LIFE_US);
			_exit(0);
		}
		living++;
	}
}

const struct scenario mover_scenarios[] = {
	{ "exec-loop", "mover: execs itself all the time", 1, make_exec_loop, NULL, NULL },
	{ "map-loop", "mover: maps, splits, moves and unmaps all the time", 1, make_map_loop, NULL,
	  NULL },
	{ "fork-storm", "mover: children that live for 3 ms", 1, make_fork_storm, NULL, NULL },
	{ 0 },
};
