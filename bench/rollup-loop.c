/*
 * The baseline of the benchmarks: reads one /proc file of every process (or of those named) as
 * fast as plain C can; it must not parse what it reads, nor skip anything a reader would need.
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "timing.h"

enum { BUFFER_BYTES = 64 * 1024, THREADS_MAX = 1024 };

struct loop {
	const char *file;
	int *pids;
	size_t pid_count;
	size_t pid_room;
	atomic_size_t next;
	atomic_ullong files;
	atomic_ullong bytes;
	atomic_ullong absent;
	atomic_ullong unreadable;
};

/* Returns the bytes read, or a negative errno. */
static long long read_whole(int pid, const char *file, char *buffer)
{
	long long total_bytes = 0;
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((got = read(fd, buffer, BUFFER_BYTES)) > 0)
		total_bytes += got;
	if (got < 0)
		total_bytes = -errno;
	close(fd);
	return total_bytes;
}

static void *read_some(void *arg)
{
	struct loop *loop = arg;
	char *buffer = malloc(BUFFER_BYTES);
	size_t i;

	if (!buffer)
		abort();
	while ((i = atomic_fetch_add(&loop->next, 1)) < loop->pid_count) {
		long long got = read_whole(loop->pids[i], loop->file, buffer);

		if (got > 0) {
			atomic_fetch_add(&loop->files, 1);
			atomic_fetch_add(&loop->bytes, (unsigned long long)got);
		} else if (got == 0 || got == -ESRCH || got == -ENOENT) {
			/* a kernel thread, a zombie, or gone since it was listed */
			atomic_fetch_add(&loop->absent, 1);
		} else {
			atomic_fetch_add(&loop->unreadable, 1);
		}
	}
	free(buffer);
	return NULL;
}

static int parse_number(const char *text, long max, int *ret)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 1 || value > max)
		return -EINVAL;
	*ret = (int)value;
	return 0;
}

static int add_pid(struct loop *loop, int pid)
{
	if (loop->pid_count == loop->pid_room) {
		size_t room = loop->pid_room ? loop->pid_room * 2 : 1024;
		int *pids = realloc(loop->pids, room * sizeof(*pids));

		if (!pids)
			return -ENOMEM;
		loop->pids = pids;
		loop->pid_room = room;
	}
	loop->pids[loop->pid_count++] = pid;
	return 0;
}

static int list_processes(struct loop *loop)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int pid, err = 0;

	if (!proc)
		return -errno;
	while (!err && (entry = readdir(proc)))
		if (!parse_number(entry->d_name, INT_MAX, &pid))
			err = add_pid(loop, pid);
	closedir(proc);
	return err;
}

/* The calling thread works too, so one thread means that none is created. */
static int read_all(struct loop *loop, int threads)
{
	pthread_t others[THREADS_MAX];
	int started = 0, err = 0;

	while (started < threads - 1 && !err) {
		err = pthread_create(&others[started], NULL, read_some, loop);
		if (!err)
			started++;
	}
	if (!err)
		read_some(loop);
	while (started)
		pthread_join(others[--started], NULL);
	return -err;
}

static int usage(void)
{
	fputs("usage: rollup-loop [-t THREADS] [-f smaps_rollup|smaps|maps] [PID...]\n", stderr);
	return 2;
}

static int parse_arguments(struct loop *loop, int *threads, int argc, char **argv)
{
	int option, pid;

	while ((option = getopt(argc, argv, "t:f:")) != -1) {
		if (option == 't' && !parse_number(optarg, THREADS_MAX, threads))
			continue;
		if (option != 'f')
			return -EINVAL;
		if (strcmp(optarg, "smaps_rollup") && strcmp(optarg, "smaps") &&
		    strcmp(optarg, "maps"))
			return -EINVAL;
		loop->file = optarg;
	}
	for (; optind < argc; optind++) {
		if (parse_number(argv[optind], INT_MAX, &pid) || add_pid(loop, pid))
			return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct loop loop = { .file = "smaps_rollup" };
	int threads = 1, err = 0;
	uint64_t start_ns, loop_ns;
	int named;

	if (parse_arguments(&loop, &threads, argc, argv)) {
		free(loop.pids);
		return usage();
	}
	named = loop.pid_count > 0;

	/* Finding the processes is part of the work: whoever reads them all must find them. */
	start_ns = now_ns();
	if (!named)
		err = list_processes(&loop);
	if (!err)
		err = read_all(&loop, threads);
	loop_ns = now_ns() - start_ns;

	free(loop.pids);
	if (err) {
		fprintf(stderr, "rollup-loop: %s\n", strerror(-err));
		return 1;
	}
	fprintf(stderr, "loop_ns %llu files %llu bytes %llu absent %llu unreadable %llu\n",
		(unsigned long long)loop_ns, loop.files, loop.bytes, loop.absent, loop.unreadable);
	/* A process that was named and could not be read is a time of nothing. */
	return named && (loop.absent || loop.unreadable);
}
