/*
 * Mappings: made, moved, covered and taken away; by threads, children, signal handlers, libraries that go.
 */
#include <dlfcn.h>
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
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mkauto.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define BY_ONE ONE ":map_memory"
#define BY_TWO TWO ":map_memory"

static char *map_at(const struct auto_library *library, size_t page, size_t pages)
{
	char *got = library->map(at(page), pages * PAGE, RW, ANON | MAP_FIXED, -1);

	if (got != at(page))
		broken("mmap");
	memset(got, 1, pages * PAGE);
	return got;
}

static void pages_are(size_t page, size_t pages, const char *name)
{
	is_named(at(page), pages * PAGE, name);
}

/* Mapped by no function of libc's: it shows the name that somebody left behind there. */
static void is_free_of_names(char *start, size_t pages)
{
	long got = syscall(SYS_mmap, start, pages * PAGE, RW, ANON | MAP_FIXED, -1, 0);

	if (got == -1)
		broken("mmap");
	is_named(start, pages * PAGE, NULL);
}

/* ---- mmap and munmap ------------------------------------------------------------------------ */

static void made(void)
{
	void *hidden = one->map_hidden(at(40), 3 * PAGE, RW, ANON | MAP_FIXED, -1);
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	char *odd = one->map(NULL, 5 * PAGE + 1, RW, ANON, -1);

	if (hidden == MAP_FAILED || zero < 0 || odd == MAP_FAILED)
		broken("mmap");
	map_at(one, 0, 10);
	map_at(two, 20, 10);
	one->map(at(60), 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1);
	one->map(at(70), 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, zero);
	one->map(at(80), 4 * PAGE, PROT_NONE, ANON | MAP_FIXED | MAP_NORESERVE, -1);
	pages_are(0, 10, BY_ONE);
	pages_are(20, 10, BY_TWO);
	pages_are(40, 3, ONE);
	pages_are(60, 4, NULL);
	pages_are(80, 4, BY_ONE);
	is_named(odd, 6 * PAGE, BY_ONE);
	step("what two libraries map is told apart", getpid());
}

static void unmapped(void)
{
	map_at(one, 0, 10);
	if (munmap(at(3), 2 * PAGE + 1) < 0) /* three pages */
		broken("munmap");
	pages_are(0, 3, BY_ONE);
	is_free_of_names(at(3), 3);
	pages_are(6, 4, BY_ONE);
	step("a hole", getpid());
	/* By no function of libc's: it is not seen, and still the next to map there has the name. */
	if (syscall(SYS_munmap, at(0), 10 * PAGE) < 0)
		broken("munmap");
	map_at(two, 2, 2);
	pages_are(2, 2, BY_TWO);
	step("nothing of what was there is left", getpid());
	errno = 0;
	if (munmap(at(2) + 1, PAGE) == 0 || errno != EINVAL || munmap(at(2), 0) == 0)
		broken("a munmap that must fail");
	pages_are(2, 2, BY_TWO);
	step("what was not unmapped keeps its name", getpid());
}

static void covered(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	map_at(one, 0, 20);
	map_at(two, 5, 5);
	if (fd < 0 ||
	    two->map(at(12), 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd) == MAP_FAILED)
		broken("mmap of a file");
	pages_are(0, 5, BY_ONE);
	pages_are(5, 5, BY_TWO);
	pages_are(10, 2, BY_ONE);
	pages_are(12, 2, NULL);
	pages_are(14, 6, BY_ONE);
	step("what covers a part is the other's", getpid());
	is_free_of_names(at(12), 2);
	step("what a file covered has no name any more", getpid());
	if (munmap(at(12), 2 * PAGE) < 0)
		broken("munmap");
	if (mremap(at(14), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(12)) != at(12))
		broken("mremap");
	pages_are(12, 2, BY_ONE);
	pages_are(16, 4, BY_ONE);
	step("what moved there has its own", getpid());
}

/* ---- mremap --------------------------------------------------------------------------------- */

static void moved(void)
{
	char *grown, *twin;

	map_at(one, 0, 8);
	if (mremap(at(0), 8 * PAGE, 5 * PAGE, 0) != at(0))
		broken("mremap that shrinks");
	pages_are(0, 5, BY_ONE);
	step("shrunk", getpid());
	map_at(two, 5, 1); /* in the way */
	grown = mremap(at(0), 5 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	if (grown == MAP_FAILED || grown == at(0))
		broken("mremap that moves");
	is_named(grown, 64 * PAGE, BY_ONE);
	pages_are(5, 1, BY_TWO);
	step("grown, and moved", getpid());
	map_at(two, 2, 1);
	pages_are(2, 1, BY_TWO);
	step("what comes where it was is the other's", getpid());
	twin = mremap(grown, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (twin == MAP_FAILED)
		broken("mremap that does not unmap");
	is_named(grown, 64 * PAGE, BY_ONE);
	is_named(twin, 64 * PAGE, BY_ONE);
	step("in two places", getpid());
	map_at(two, 100, 10);
	if (mremap(twin, 64 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(103)) != at(103))
		broken("mremap to a fixed address");
	pages_are(100, 3, BY_TWO);
	pages_are(103, 4, BY_ONE);
	pages_are(107, 3, BY_TWO);
	step("moved onto the other's", getpid());
	errno = 0;
	if (mremap(at(103) + 1, PAGE, PAGE, 0) != MAP_FAILED || errno != EINVAL)
		broken("a mremap that must fail");
	pages_are(103, 4, BY_ONE);
	step("what could not be moved keeps its name", getpid());
}

/* ---- the heap, and names of the program's own ------------------------------------------------- */

static void heap(void)
{
	char *top = sbrk(0);

	if (sbrk(64 * (intptr_t)PAGE) != top || brk(top + 80 * PAGE) < 0)
		broken("sbrk");
	memset(top, 1, 80 * PAGE);
	is_named(top, 80 * PAGE, "mkauto");
	step("sbrk", getpid());
	if (brk(top + 16 * PAGE) < 0 || sbrk(-8 * (intptr_t)PAGE) != top + 16 * PAGE)
		broken("brk");
	is_named(top, 8 * PAGE, "mkauto");
	is_free_of_names(top + 8 * PAGE, 72);
	step("what the heap gave back has no name", getpid());
}

static void named(void)
{
	static const char text[] = "given by the program";
	int refused = 0;

	map_at(one, 0, 10);
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at(2), 2 * PAGE - 1, text) < 0)
		broken("prctl");
	errno = 0;
	refused += prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at(2) + 1, PAGE, text) == -1 &&
		   errno == EINVAL;
	refused += prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at(2), PAGE, "br[ack]et") == -1;
	refused += prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at(2), SIZE_MAX, text) == -1;
	if (refused != 3 || prctl(PR_SET_NAME, "auto-named") < 0)
		broken("prctl is not the kernel's");
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at(6), PAGE, NULL) < 0)
		broken("prctl");
	pages_are(0, 2, BY_ONE);
	pages_are(2, 2, text);
	pages_are(4, 2, BY_ONE);
	pages_are(6, 1, NULL);
	pages_are(7, 3, BY_ONE);
	step("prctl in the process", getpid());
}

/* ---- libraries that go ---------------------------------------------------------------------- */

static void unloaded(void)
{
	const struct auto_library *gone, *other;
	void *handle, *first;

	/* Copies by other names, which come to lie at the same addresses. */
	gone = library_open("libauto-three.so", &handle);
	first = (void *)gone->map;
	gone->map(at(0), 4 * PAGE, RW, ANON | MAP_FIXED, -1);
	dlclose(handle);
	other = library_open("libauto-four.so", &handle);
	if ((void *)other->map != first)
		fprintf(stderr, "mkauto: the libraries are at different addresses\n");
	other->map(at(8), 4 * PAGE, RW, ANON | MAP_FIXED, -1);
	pages_are(0, 4, "libauto-three.so:map_memory");
	pages_are(8, 4, "libauto-four.so:map_memory");
	step("a library where another one was", getpid());
}

/* ---- children ------------------------------------------------------------------------------- */

static void forked(void)
{
	pid_t child;
	int go[2];
	char byte;

	map_at(one, 0, 10);
	if (pipe(go) < 0)
		broken("pipe");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		map_at(two, 4, 2);
		munmap(at(8), 2 * PAGE);
		if (write(go[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (child < 0 || read(go[0], &byte, 1) != 1)
		broken("fork");
	pages_are(0, 4, BY_ONE);
	pages_are(4, 2, BY_TWO);
	pages_are(6, 2, BY_ONE);
	step("a child goes on by itself", child);
	pages_are(0, 10, BY_ONE);
	step("which its parent does not see", getpid());
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	child = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	if (child == 0) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Vfork): harmless is what it is to be */
		two->map(at(20), 2 * PAGE, RW, ANON | MAP_FIXED, -1);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	pages_are(20, 2, BY_TWO);
	pages_are(0, 10, BY_ONE);
	step("a child of vfork shares the memory", getpid());
}

/* ---- signals -------------------------------------------------------------------------------- */

static volatile sig_atomic_t handled;

static void map_in_handler(int number)
{
	size_t page = 1000 + (size_t)handled % 100 * 4;

	(void)number;
	two->map(at(page), 2 * PAGE, RW, ANON | MAP_FIXED, -1);
	if (handled % 3 == 0)
		munmap(at(page), PAGE);
	handled++;
}

static void signalled(void)
{
	struct sigaction action = { .sa_handler = map_in_handler, .sa_flags = SA_RESTART };
	struct itimerval timer = { { 0, 200 }, { 0, 200 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (size_t i = 0; handled < 400; i++) {
		map_at(one, i % 50 * 10, 6);
		munmap(at(i % 50 * 10) + 2 * PAGE, PAGE);
	}
	timer = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &timer, NULL);
	alarm(60);
	for (size_t i = 0; i < 50; i++) {
		pages_are(i * 10, 2, BY_ONE);
		pages_are(i * 10 + 3, 3, BY_ONE);
	}
	for (size_t i = 300; i < 400; i++) {
		size_t page = 1000 + i % 100 * 4;

		pages_are(page + (i % 3 == 0), 2 - (i % 3 == 0), BY_TWO);
	}
	step("handlers map in the midst of it", getpid());
}

/* ---- threads -------------------------------------------------------------------------------- */

#define THREADS 8
#define HELD 16
#define FORKS 200

static bool enough;

/* Each page says by its first byte who mapped it: what is read there has to agree with the name. */
static void *churn(void *argument)
{
	const struct auto_library *library = (uintptr_t)argument % 2 ? two : one;
	char mark = library == one ? 1 : 2;
	char *held[HELD] = { NULL };
	size_t pages[HELD];
	unsigned int seed = (unsigned int)(uintptr_t)argument;

	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		size_t i = (size_t)rand_r(&seed) % HELD;
		char *got;

		if (held[i] && rand_r(&seed) % 4 == 0) {
			size_t more = 1 + (size_t)rand_r(&seed) % 24;

			got = mremap(held[i], pages[i] * PAGE, more * PAGE, MREMAP_MAYMOVE);
			if (got == MAP_FAILED)
				broken("mremap");
			for (size_t p = pages[i]; p < more; p++)
				got[p * PAGE] = mark;
			held[i] = got;
			pages[i] = more;
			continue;
		}
		if (held[i])
			munmap(held[i], pages[i] * PAGE);
		pages[i] = 1 + (size_t)rand_r(&seed) % 16;
		held[i] = library->map(NULL, pages[i] * PAGE, RW, ANON, -1);
		if (held[i] == MAP_FAILED)
			broken("mmap");
		for (size_t p = 0; p < pages[i]; p++)
			held[i][p * PAGE] = mark;
	}
	return NULL;
}

static void threads(void)
{
	pthread_t crew[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&crew[i], NULL, churn, (void *)i) != 0)
			broken("pthread_create");
	step("threads", getpid());
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(crew[i], NULL);
}

/* Whoever had the table, or a place in what is remembered of callers, is not there in the child. */
static void forks(void)
{
	pthread_t crew[2];

	for (uintptr_t i = 0; i < 2; i++)
		if (pthread_create(&crew[i], NULL, churn, (void *)i) != 0)
			broken("pthread_create");
	for (int i = 0; i < FORKS; i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			alarm(20);
			for (size_t page = 0; page < 40; page += 4) {
				map_at(two, 2000 + page, 3);
				munmap(at(2001 + page), PAGE);
			}
			free(one->allocate(BY_MALLOC, NULL, 1 << 20));
			_exit(0);
		}
		map_at(one, 2000 + (size_t)i % 10 * 4, 3);
		if (waitpid(child, &status, 0) != child || status != 0)
			broken("a child");
	}
	for (size_t page = 0; page < 40; page += 4)
		pages_are(2000 + page, 3, BY_ONE);
	step("children of threads that map", getpid());
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(crew[i], NULL);
}

const struct auto_case map_cases[] = {
	{ "made", made },         { "unmapped", unmapped }, { "covered", covered },
	{ "moved", moved },       { "heap", heap },         { "named", named },
	{ "unloaded", unloaded }, { "forked", forked },     { "signalled", signalled },
	{ "threads", threads },   { "forks", forks },       { NULL, NULL },
};
