/*
 * mkauto DIRECTORY CASE: asks for memory by the two libraries in DIRECTORY, says what of it they asked for, and ends
 * with its standard input. To be run with libmemoir-auto preloaded.
 */
#include "mkauto.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LIFETIME_S 120
#define SAID_BYTES 65536

const struct auto_library *one, *two;

static const char *directory;
static char *area;
static char said[SAID_BYTES], spoken[SAID_BYTES];
static size_t said_bytes;

void broken(const char *what)
{
	fprintf(stderr, "mkauto: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* By no function of libc's, so that nobody names it. */
static void map_area(void)
{
	long got = syscall(SYS_mmap, NULL, AREA_PAGES * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (got == -1)
		broken("mmap");
	area = (char *)got;
}

char *at(size_t page)
{
	return area + page * PAGE;
}

void is_named(const void *start, size_t bytes, const char *name)
{
	const char *quote = name ? "\"" : "";
	int got = snprintf(said + said_bytes, SAID_BYTES - said_bytes, "%s[%zu,%zu,%s%s%s]",
			   said_bytes ? "," : "", (size_t)start, (size_t)start + bytes, quote,
			   name ? name : "null", quote);

	if (got < 0 || (size_t)got >= SAID_BYTES - said_bytes)
		broken("too much to say");
	said_bytes += (size_t)got;
}

void step(const char *what, pid_t pid)
{
	printf("{\"step\":\"%s\",\"pid\":%d,\"ranges\":[%s]}\n", what, (int)pid, said);
	fflush(stdout);
	said_bytes = 0;
	said[0] = '\0';
	if (getchar() == EOF)
		_exit(0);
}

const struct auto_library *library_open(const char *name, void **ret_handle)
{
	const struct auto_library *library;
	char path[4096];
	void *handle;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	library = handle ? dlsym(handle, "auto_library") : NULL;
	if (!library)
		broken(path);
	if (ret_handle)
		*ret_handle = handle;
	return library;
}

static void run_case(const struct auto_case *cases, const char *name)
{
	for (; cases->name; cases++)
		if (strcmp(cases->name, name) == 0) {
			cases->run();
			exit(0);
		}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: mkauto DIRECTORY CASE\n");
		return 2;
	}
	alarm(LIFETIME_S);
	directory = argv[1];
	/* stdio is not to ask for memory in the midst of a case. */
	setvbuf(stdout, spoken, _IOFBF, SAID_BYTES);
	map_area();
	one = library_open(ONE, NULL);
	two = library_open(TWO, NULL);
	run_case(map_cases, argv[2]);
	run_case(malloc_cases, argv[2]);
	fprintf(stderr, "mkauto: there is no case %s\n", argv[2]);
	return 2;
}
