/*
 * The loads of the benchmarks: starts processes whose memory is known, says their pids, and ends
 * them when its standard input closes; it must not leave a process behind, however it ends.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memoir/name.h>

#define MIB (UINT64_C(1) << 20)
#define CHILDREN_MAX 500
#define PAGES_BYTES_MAX (UINT64_C(4) << 30)
#define VMAS_MAX 65000
#define HUGE_BYTES (2 * MIB)
#define UP_TIMEOUT_MS 120000

#define FAMILY_BYTES (64 * MIB)
#define SHARED_BYTES (16 * MIB)
#define COPIED_BYTES (1 * MIB)
#define OWN_BYTES (2 * MIB)
#define NAMED_BYTES (4 * MIB)
#define NAMES 50
/* A prime stride in pages: the copied windows overlap and spread over all of the parent. */
#define COPY_STRIDE_PAGES 53

static const char program_code[] =
	"import sqlite3, ssl, decimal, json, ctypes, lzma, zlib, bz2, hashlib, unicodedata\n"
	"import os, signal\n"
	"os.write(1, b'u')\n"
	"while True: signal.pause()\n";

struct load {
	uint64_t number;
	bool huge;
	uint8_t *family;
	uint8_t *shared;
	uint64_t page_bytes;
};

/* Makes the memory of child number index; returns 0 or a negative errno. */
typedef int (*fill_fn)(struct load *load, unsigned int index);

struct kind {
	const char *name;
	uint64_t number_max;
	bool one_child;
	int (*prepare)(struct load *load);
	fill_fn fill;
};

struct child {
	pid_t pid;
	int up_fd;
};

static struct child children[CHILDREN_MAX];
static unsigned int child_count;

static void write_pages(uint8_t *start, uint64_t bytes, uint64_t page_bytes)
{
	/* Every page differs, so that neither KSM nor zero-page tricks make them fewer. */
	for (uint64_t at = 0; at < bytes; at += page_bytes)
		*(volatile uint64_t *)(start + at) = (uintptr_t)(start + at) ^ (uint64_t)getpid();
}

static void read_pages(const uint8_t *start, uint64_t bytes, uint64_t page_bytes)
{
	for (uint64_t at = 0; at < bytes; at += page_bytes)
		(void)*(const volatile uint8_t *)(start + at);
}

static uint8_t *map_anonymous(uint64_t bytes, bool huge)
{
	uint8_t *start = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t aligned;

	if (start == MAP_FAILED)
		return NULL;
	aligned = ((uintptr_t)start + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
	/* A kernel without THP refuses both advices; then all pages are small, as they should be
	 * without "thp", and with it the runner sees that AnonHugePages is missing. */
	madvise((void *)aligned, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return (uint8_t *)aligned;
}

static int prepare_forked(struct load *load)
{
	int fd = memfd_create("bench-shared", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, SHARED_BYTES))
		return -errno;
	load->shared = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (load->shared == MAP_FAILED)
		return -errno;
	close(fd);
	load->family = map_anonymous(FAMILY_BYTES, false);
	if (!load->family)
		return -ENOMEM;
	write_pages(load->shared, SHARED_BYTES, load->page_bytes);
	write_pages(load->family, FAMILY_BYTES, load->page_bytes);
	return 0;
}

static int fill_forked(struct load *load, unsigned int index)
{
	uint64_t room_bytes = FAMILY_BYTES - COPIED_BYTES;
	uint64_t window = index * COPY_STRIDE_PAGES * load->page_bytes % room_bytes;
	uint8_t *own = map_anonymous(OWN_BYTES, false);

	if (!own)
		return -ENOMEM;
	write_pages(own, OWN_BYTES, load->page_bytes);
	write_pages(load->family + window, COPIED_BYTES, load->page_bytes);
	/* fork leaves the tables of shared mappings empty: only a touch maps them */
	read_pages(load->shared, SHARED_BYTES, load->page_bytes);
	return 0;
}

/* Returns only on failure: the program itself says that it is up. */
static int fill_programs(struct load *load, unsigned int index)
{
	const char *python = "/usr/bin/python3";

	(void)load;
	(void)index;
	/* Python finds its libraries by argv[0]: a bare name would be looked for in PATH. */
	execl(python, python, "-I", "-c", program_code, (char *)NULL);
	execlp("python3", "python3", "-I", "-c", program_code, (char *)NULL);
	return -errno;
}

static int fill_pages(struct load *load, unsigned int index)
{
	uint8_t *start = map_anonymous(load->number, load->huge);

	(void)index;
	if (!start)
		return -ENOMEM;
	write_pages(start, load->number, load->page_bytes);
	return 0;
}

static int fill_vmas(struct load *load, unsigned int index)
{
	uint64_t bytes = load->number * load->page_bytes;
	uint8_t *start = map_anonymous(bytes, false);

	(void)index;
	if (!start)
		return -ENOMEM;
	write_pages(start, bytes, load->page_bytes);
	/* Neighbours of different permissions cannot merge, so each page is a VMA. */
	for (uint64_t at = load->page_bytes; at < bytes; at += 2 * load->page_bytes)
		if (mprotect(start + at, load->page_bytes, PROT_READ))
			return -errno;
	return 0;
}

/* Of ten files two are memfds, one is an eventfd, one a socket, and the rest are pipes and /dev/null. */
static int open_file(unsigned int number)
{
	int ends[2], fd;

	switch (number % 10) {
	case 0:
	case 5:
		fd = memfd_create("bench", MFD_CLOEXEC);
		return fd < 0 || ftruncate(fd, 65536) || write(fd, "x", 1) != 1 ? -1 : fd;
	case 3:
		return eventfd(0, EFD_CLOEXEC);
	case 7:
		return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ? -1 : ends[0];
	case 4:
	case 8:
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	default:
		return pipe2(ends, O_CLOEXEC) ? -1 : ends[0];
	}
}

#define FDS_A_CHILD 34 /* those inherited too; a socket pair and a pipe are two */

static int fill_fds(struct load *load, unsigned int index)
{
	(void)load;
	for (int fd = 0; fd < FDS_A_CHILD - 1; index++) {
		fd = open_file(index);
		if (fd < 0)
			return -errno;
	}
	return 0;
}

/* What MEMOIR_NAMES=off leaves without names: pages of one mapping, of which names have parts. */
static int fill_named(struct load *load, unsigned int index)
{
	uint8_t *start = map_anonymous(NAMED_BYTES, false);
	uint64_t step = NAMED_BYTES / NAMES / load->page_bytes * load->page_bytes;
	char name[32];
	int err;

	(void)index;
	if (!start)
		return -ENOMEM;
	write_pages(start, NAMED_BYTES / 4 * 3, load->page_bytes);
	for (unsigned int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "bench:part-%u", i);
		err = memoir_name(start + i * step, step / 2, name);
		if (err)
			return err;
	}
	return 0;
}

static const struct kind kinds[] = {
	{ "forked", CHILDREN_MAX, false, prepare_forked, fill_forked },
	{ "programs", CHILDREN_MAX, false, NULL, fill_programs },
	{ "pages", PAGES_BYTES_MAX, true, NULL, fill_pages },
	{ "vmas", VMAS_MAX, true, NULL, fill_vmas },
	{ "fds", CHILDREN_MAX, false, NULL, fill_fds },
	{ "named", CHILDREN_MAX, false, NULL, fill_named },
};

static _Noreturn void be_child(const struct kind *kind, struct load *load, unsigned int index,
			       pid_t parent, int up_fd)
{
	int null, err;

	/* The parent may have died before this took effect. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(up_fd, STDOUT_FILENO) < 0)
		_exit(1);
	close(null);
	close(up_fd);
	err = kind->fill(load, index);
	if (err) {
		fprintf(stderr, "workload: %s: %s\n", kind->name, strerror(-err));
		_exit(1);
	}
	if (write(STDOUT_FILENO, "u", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int start_child(const struct kind *kind, struct load *load)
{
	struct child *child = &children[child_count];
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	child->pid = fork();
	if (child->pid == 0)
		be_child(kind, load, child_count, parent, ends[1]);
	close(ends[1]);
	child->up_fd = ends[0];
	if (child->pid < 0)
		return -errno;
	child_count++;
	return 0;
}

static int wait_until_up(struct child *child)
{
	struct pollfd poll_fd = { .fd = child->up_fd, .events = POLLIN };
	char up;
	int err = 0;

	if (poll(&poll_fd, 1, UP_TIMEOUT_MS) != 1)
		err = -ETIMEDOUT;
	else if (read(child->up_fd, &up, 1) != 1)
		err = -ECHILD;
	close(child->up_fd);
	return err;
}

/* No more than one child per CPU is starting at any time. */
static int start_all(const struct kind *kind, struct load *load, unsigned int count)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int window = cpus > 0 ? (unsigned int)cpus : 1, up = 0;
	int err = 0;

	while (!err && up < count) {
		if (child_count < count && child_count - up < window)
			err = start_child(kind, load);
		else
			err = wait_until_up(&children[up++]);
	}
	return err;
}

static void end_all(void)
{
	for (unsigned int i = 0; i < child_count; i++)
		kill(children[i].pid, SIGKILL);
	for (unsigned int i = 0; i < child_count; i++)
		waitpid(children[i].pid, NULL, 0);
}

static void say_ready_and_wait(void)
{
	char ignored[64];

	fputs("pids", stdout);
	for (unsigned int i = 0; i < child_count; i++)
		printf(" %d", (int)children[i].pid);
	puts("\nREADY");
	fflush(stdout);
	while (read(STDIN_FILENO, ignored, sizeof(ignored)) > 0)
		;
}

/* If memory runs out all the same, these go first, not what else runs here. */
static void offer_to_oom_killer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1000", 4) != 4)
		fputs("workload: oom_score_adj stays as it is\n", stderr);
	close(fd);
}

static const struct kind *parse_arguments(struct load *load, int argc, char **argv)
{
	char *end;

	if (argc < 3 || argc > 4)
		return NULL;
	errno = 0;
	load->number = strtoull(argv[2], &end, 10);
	if (errno || *end || argv[2][0] < '0' || argv[2][0] > '9' || !load->number)
		return NULL;
	load->huge = argc == 4;
	if (load->huge && (strcmp(argv[1], "pages") || strcmp(argv[3], "thp")))
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, argv[1]) && load->number <= kinds[i].number_max)
			return &kinds[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct load load = { .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE) };
	const struct kind *kind = parse_arguments(&load, argc, argv);
	int err = 0;

	if (!kind) {
		fputs("usage: workload forked N | programs N | named N | pages BYTES [thp] | "
		      "vmas N | fds N\n"
		      "at most 500 children, 4294967296 bytes, 65000 VMAs\n",
		      stderr);
		return 2;
	}
	offer_to_oom_killer();
	if (kind->prepare)
		err = kind->prepare(&load);
	if (!err)
		err = start_all(kind, &load, kind->one_child ? 1 : (unsigned int)load.number);
	if (!err)
		say_ready_and_wait();
	end_all();
	if (err) {
		fprintf(stderr, "workload: %s: %s\n", kind->name,
			err == -ECHILD ? "a child died before it was up" : strerror(-err));
		return 1;
	}
	return 0;
}
