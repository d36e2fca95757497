/*
 * mkheld DIRECTORY: makes files and memory of which it is known who has them open, says so in lines of
 * JSON and then READY, and ends with its standard input. DIRECTORY has to be on a disk. It leaves
 * nothing behind but what DIRECTORY has.
 */
#include "mkheld.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LIFETIME_S 600

static int ready = -1; /* a byte for each case that stands */
static pid_t root;

void broken(const char *what)
{
	fprintf(stderr, "mkheld: %s: %s\n", what, strerror(errno));
	if (getpid() == root)
		held_cleanup();
	_exit(1);
}

void skip(const char *name, const char *why)
{
	printf("{\"case\":\"%s\",\"skip\":\"%s\"}\n", name, why);
	fflush(stdout);
	stay();
}

void stay(void)
{
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

pid_t fork_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		broken("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	alarm(LIFETIME_S);
	return 0;
}

struct held of_fd(const char *name, const char *kind, const char *fate, int fd)
{
	struct held held = { .name = name, .kind = kind, .fate = fate };
	struct stat st;

	if (fstat(fd, &st) < 0)
		broken("fstat");
	held.dev = st.st_dev;
	held.inode = st.st_ino;
	held.size_bytes = (uint64_t)st.st_size;
	return held;
}

struct held of_mapping(const char *name, const char *kind, const char *fate, const void *start,
		       uint64_t pages)
{
	struct held held = { .name = name, .kind = kind, .fate = fate };
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long at, inode;
	unsigned int dev_major, dev_minor;
	char line[4400];

	held.size_bytes = pages * PAGE_BYTES;
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%*x %*s %*x %x:%x %lu", &at, &dev_major, &dev_minor,
			   &inode) == 4 &&
		    at == (uintptr_t)start) {
			held.dev = makedev(dev_major, dev_minor);
			held.inode = inode;
			fclose(maps);
			return held;
		}
	broken("a mapping is not in maps");
}

void held_by(struct held *held, pid_t pid, int fd)
{
	size_t used = strlen(held->holders);

	snprintf(held->holders + used, sizeof(held->holders) - used, "%s[%d,%d]", used ? "," : "",
		 pid, fd);
}

void say(const struct held *held)
{
	printf("{\"case\":\"%s\",\"kind\":\"%s\",\"fate\":\"%s\",\"dev\":[%u,%u],\"inode\":%lu,"
	       "\"size_bytes\":%lu,\"resident_bytes\":%lu,\"swapped_bytes\":%lu,\"pid\":%d,"
	       "\"only\":\"%s\",\"holders\":[%s]}\n",
	       held->name, held->kind, held->fate, major(held->dev), minor(held->dev),
	       (unsigned long)held->inode, (unsigned long)held->size_bytes,
	       (unsigned long)held->resident_pages * PAGE_BYTES,
	       (unsigned long)held->swapped_pages * PAGE_BYTES, getpid(),
	       held->only ? held->only : "", held->holders);
	fflush(stdout);
}

void write_pages(int fd, uint64_t pages)
{
	static char page[PAGE_BYTES];

	memset(page, 1, sizeof(page));
	for (uint64_t i = 0; i < pages; i++)
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			broken("write");
}

/* ---- the whole ------------------------------------------------------------------------------ */

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void start(const struct held_case *at, const char *directory)
{
	char byte;
	int fds[2];

	if (pipe(fds) < 0)
		broken("pipe");
	if (fork_child() == 0) {
		close(fds[0]);
		close(STDIN_FILENO);
		ready = fds[1];
		at->make(at->name, directory);
		stay();
	}
	close(fds[1]);
	for (unsigned int i = 0; i < at->processes; i++)
		if (read(fds[0], &byte, 1) != 1)
			broken(at->name);
	close(fds[0]);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	char byte;

	if (argc != 2) {
		fprintf(stderr, "usage: mkheld DIRECTORY\n");
		return 2;
	}
	root = getpid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	alarm(LIFETIME_S);
	for (const struct held_case *at = held_cases; at->name; at++)
		start(at, argv[1]);
	puts("READY");
	fflush(stdout);
	while (!ended && read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	held_cleanup();
	return 0;
}
