// SPDX-License-Identifier: MIT
/*
 * Reads /proc/kpageflags and /proc/kpagecount from end to end; what the words mean is for
 * frame_class.c.
 */
#include "kernel/frames.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crew.h"

#define WORD_BYTES sizeof(uint64_t)
/* Larger ones would fall out of the CPU's own cache between being read and being looked at. */
#define CHUNK_FRAMES (64 * FRAME_BLOCK)

struct scan {
	int flags_fd, count_fd;
	uint64_t next; /* the first frame that nobody has taken yet */
	int error;
	pthread_mutex_t lock; /* around counts */
	struct frame_counts counts;
};

struct buffers {
	uint64_t flags[CHUNK_FRAMES];
	uint64_t counts[FRAME_BLOCK];
};

/* Words from one frame on, fewer only at the end of memory. How many, or a negative errno. */
static ssize_t read_words(int fd, uint64_t frame, uint64_t *words, size_t wanted)
{
	size_t done = 0, all = wanted * WORD_BYTES;

	while (done < all) {
		ssize_t got = pread(fd, (char *)words + done, all - done,
				    (off_t)(frame * WORD_BYTES + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)(done / WORD_BYTES);
}

static int count_block(const struct scan *scan, struct buffers *buffers, uint64_t frame,
		       const uint64_t *flags, size_t frames, struct frame_counts *counts)
{
	const uint64_t *mapped = NULL;

	if (frame_block_needs_counts(flags, frames)) {
		ssize_t got = read_words(scan->count_fd, frame, buffers->counts, frames);

		if (got != (ssize_t)frames)
			return got < 0 ? (int)got : -EIO;
		mapped = buffers->counts;
	}
	frame_block_count(flags, mapped, frames, counts->pages);
	return 0;
}

/* How many frames there were, or a negative errno. */
static ssize_t count_chunk(const struct scan *scan, struct buffers *buffers, uint64_t frame,
			   struct frame_counts *counts)
{
	ssize_t got = read_words(scan->flags_fd, frame, buffers->flags, CHUNK_FRAMES);

	for (ssize_t i = 0; i < got; i += FRAME_BLOCK) {
		size_t frames = (size_t)(got - i < FRAME_BLOCK ? got - i : FRAME_BLOCK);
		int err = count_block(scan, buffers, frame + (uint64_t)i, &buffers->flags[i],
				      frames, counts);

		if (err)
			return err;
	}
	return got;
}

static void add_counts(struct scan *scan, const struct frame_counts *counts)
{
	pthread_mutex_lock(&scan->lock);
	for (size_t i = 0; i < FRAME_CLASSES; i++)
		scan->counts.pages[i] += counts->pages[i];
	pthread_mutex_unlock(&scan->lock);
}

static void count_some(void *arg)
{
	struct scan *scan = arg;
	struct buffers *buffers = malloc(sizeof(*buffers));
	struct frame_counts counts = { 0 };
	ssize_t got = buffers ? (ssize_t)CHUNK_FRAMES : -ENOMEM;

	while (got == CHUNK_FRAMES) {
		uint64_t frame = __atomic_fetch_add(&scan->next, CHUNK_FRAMES, __ATOMIC_RELAXED);

		got = count_chunk(scan, buffers, frame, &counts);
	}
	if (got < 0)
		__atomic_store_n(&scan->error, (int)got, __ATOMIC_RELAXED);
	add_counts(scan, &counts);
	free(buffers);
}

static int count_all(struct scan *scan, unsigned int threads)
{
	pthread_mutex_init(&scan->lock, NULL);
	crew_run(threads, count_some, scan);
	pthread_mutex_destroy(&scan->lock);
	return scan->error;
}

int frames_count(const struct kroot *root, unsigned int threads, struct frame_counts *ret_counts)
{
	struct scan scan = { 0 };
	int err;

	scan.flags_fd = kroot_fd(root, "proc/kpageflags");
	if (scan.flags_fd < 0)
		return scan.flags_fd;
	scan.count_fd = kroot_fd(root, "proc/kpagecount");
	err = scan.count_fd < 0 ? scan.count_fd : count_all(&scan, threads);
	if (scan.count_fd >= 0)
		close(scan.count_fd);
	close(scan.flags_fd);
	if (err == 0)
		*ret_counts = scan.counts;
	return err;
}
