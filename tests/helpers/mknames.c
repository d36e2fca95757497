// SPDX-License-Identifier: MIT
/*
 * Carries out the kernel's rules for names of anonymous memory, one after the other, each on memory of its
 * own; says what was returned, one JSON line, and keeps all of it until its input ends. What ought to
 * have been returned it does not know.
 *
 *     mknames library|prctl
 */
#include "mknames.h"

#include <errno.h>
#include <signal.h>
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

bool by_library;
const char *own_path;

void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "mknames: %s: %s\n", what, strerror(errno));
	exit(1);
}

int give(void *addr, size_t len, const char *name)
{
	if (by_library)
		return memoir_name(addr, len, name);
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, len, name) ? -errno : 0;
}

void note(struct ground *g, int returned)
{
	if (g->count < RETURNED_MAX)
		g->returned[g->count++] = returned;
}

void name_bytes(struct ground *g, size_t from, size_t len, const char *letter)
{
	char name[NAME_ROOM];

	snprintf(name, sizeof(name), "%s %s", g->rule, letter ? letter : "");
	note(g, give(g->base + from, len, letter ? name : NULL));
}

void name_pages(struct ground *g, size_t from, size_t to, const char *letter)
{
	name_bytes(g, from * PAGE, (to - from) * PAGE, letter);
}

void *map_pages(void *at, size_t pages, int prot, int flags, int fd)
{
	void *memory = mmap(at, pages * PAGE, prot, flags | (at ? MAP_FIXED : 0), fd, 0);

	check(memory != MAP_FAILED, "mmap");
	return memory;
}

void *map_private(void *at, size_t pages)
{
	return map_pages(at, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

void unmap(struct ground *g, size_t from, size_t to, bool own)
{
	char *at = g->base + from * PAGE;

	if (own && by_library)
		check(memoir_unmap(at, (to - from) * PAGE) == 0, "memoir_unmap");
	else
		check(munmap(at, (to - from) * PAGE) == 0, "munmap");
}

_Noreturn void stay(void)
{
	for (;;)
		pause();
}

/* ---- all rules ------------------------------------------------------------------------------ */

#define GROUNDS_MAX 64

static struct ground grounds[GROUNDS_MAX];

/*
 * Six pages of private anonymous memory, nothing that could merge with them beside. Far below where the kernel puts what has
 * no place of its own: a hole of one rule would be filled by what is mapped for the next.
 */
#define GROUNDS_AT 0x300000000ul
#define GROUND_EVERY (1ul << 20)

static void make_ground(struct ground *g, const char *rule)
{
	void *at = (void *)(GROUNDS_AT + (unsigned long)(g - grounds) * GROUND_EVERY);
	char *around = mmap(at, 8 * PAGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	check(around == at, "the ground of a rule");
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

static void follow(const struct rule *rule, struct ground *g)
{
	check(g < grounds + GROUNDS_MAX, "too many rules");
	make_ground(g, rule->name);
	if (rule->on_stack)
		g->base = deep_stack_page();
	rule->run(g);
}

int main(int argc, char **argv)
{
	const struct rule *const all[] = { range_rules, target_rules, life_rules };
	size_t count = 0;
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
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct rule *rule = all[i]; rule->name; rule++)
			follow(rule, &grounds[count++]);
	printf("[");
	for (size_t i = 0; i < count; i++)
		print_ground(&grounds[i], i == 0);
	printf("]\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &ignored, 1) > 0)
		;
	return 0;
}
