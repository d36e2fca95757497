/*
 * How the processes of a scenario start, wait for each other and tell mkmem about themselves. They
 * must die with their parents, or by themselves after LIFETIME_S.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "mkmem.h"

#define AWAIT_TRIES 60000
#define POLL_US 1000

static int to_root = -1;
static const char *scratch_path;
static _Atomic int *steps;

/* A line is at most PIPE_BUF bytes, so that those of several processes do not mix. */
__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	char line[4096];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(line) - 1)
		abort();
	line[length++] = '\n';
	if (write(to_root, line, (size_t)length) != length)
		_exit(1);
}

void link_to_root(int up_fd, const char *scratch)
{
	to_root = up_fd;
	scratch_path = scratch;
	steps = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (steps == MAP_FAILED)
		broken("mmap");
}

void say(const struct truth *truth)
{
	char known[900] = "", regions[40] = "";

	if (truth->regions)
		snprintf(regions, sizeof(regions), ",\"regions\":%lu",
			 (unsigned long)truth->regions);
	if (!truth->unknown)
		snprintf(known, sizeof(known),
			 ",\"rss_bytes\":%lu,\"uss_bytes\":%lu,\"shared_bytes\":%lu"
			 ",\"pss_bytes\":%lu,\"swap_bytes\":%lu,\"swap_pss_bytes\":%lu"
			 ",\"anon_bytes\":%lu,\"file_bytes\":%lu,\"shmem_bytes\":%lu"
			 ",\"thp_bytes\":%lu",
			 truth->rss_pages * PAGE_BYTES, truth->uss_pages * PAGE_BYTES,
			 truth->shared_pages * PAGE_BYTES, truth->pss_raw >> 12,
			 truth->swap_pages * PAGE_BYTES, truth->swap_pss_raw >> 12,
			 truth->anon_pages * PAGE_BYTES, truth->file_pages * PAGE_BYTES,
			 truth->shmem_pages * PAGE_BYTES, truth->thp_bytes);
	tell("T{\"role\":\"%s\",\"pid\":%d,\"start\":\"%lx\",\"end\":\"%lx\"%s%s%s}", truth->role,
	     getpid(), (unsigned long)(uintptr_t)truth->start,
	     (unsigned long)(uintptr_t)truth->start + truth->bytes, regions, known, truth->extra);
}

pid_t fork_child_pid(void)
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

bool fork_child(void)
{
	return fork_child_pid() == 0;
}

bool fork_orphan(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		broken("fork");
	if (pid)
		return false;
	alarm(LIFETIME_S);
	while (getppid() == parent)
		usleep(POLL_US);
	/* From here on the parent is mkmem, the subreaper. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return true;
}

void wait_for_exit(pid_t pid)
{
	if (waitpid(pid, NULL, 0) != pid)
		broken("waitpid");
}

void reach(void)
{
	atomic_fetch_add(steps, 1);
}

void await(int count)
{
	for (int i = 0; i < AWAIT_TRIES; i++) {
		if (atomic_load(steps) >= count)
			return;
		usleep(POLL_US);
	}
	broken("another process did not come as far");
}

void up_pid(pid_t pid)
{
	tell("U%d", pid);
}

void up(void)
{
	up_pid(getpid());
}

void stay(void)
{
	up();
	for (;;)
		pause();
}

void skip(const char *format, ...)
{
	char why[512];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	tell("S%s", why);
	for (;;)
		pause();
}

void broken(const char *what)
{
	/* Before there are processes, there is nobody to tell but the user. */
	if (to_root < 0) {
		perror(what);
		exit(1);
	}
	tell("E%s: %s", what, strerror(errno));
	for (;;)
		pause();
}

const char *scratch_dir(void)
{
	return scratch_path;
}

bool write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return good;
}

long read_setting(const char *path)
{
	FILE *file = fopen(path, "re");
	long value = -1;

	if (file && fscanf(file, "%ld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}
