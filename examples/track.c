/* SPDX-License-Identifier: MIT */
/*
 * A pool whose buffers have no fd of their own: they are parts of one mapping. It announces each, and who
 * has it, so that `memoir buffers` lists them.
 *
 *     cc track.c $(pkg-config --cflags --libs memoir-name) && ./a.out
 *     memoir buffers kind:announced         before it is told to go on, with a line of input
 */
#include <stdio.h>
#include <sys/types.h>

#include <memoir/name.h>
#include <memoir/track.h>

#define BUFFER_BYTES ((size_t)64 << 10)
#define BUFFERS 3

struct buffer {
	char *start;
	uint32_t number;
	int held;
};

struct pool {
	char *start;
	struct buffer buffers[BUFFERS];
};

static int open_pool(struct pool *pool)
{
	void *start;

	if (memoir_map(BUFFERS * BUFFER_BYTES, "example: pool", &start) < 0)
		return -1;
	pool->start = start;
	return 0;
}

/* What can't be announced is a buffer all the same. */
static void allocate(struct pool *pool, int i, const char *what_for)
{
	struct buffer *buffer = &pool->buffers[i];

	buffer->start = pool->start + (size_t)i * BUFFER_BYTES;
	if (memoir_buffer_init(BUFFER_BYTES, what_for, &buffer->number) < 0)
		buffer->number = 0;
}

static void take(struct buffer *buffer, pid_t client)
{
	buffer->held++;
	if (buffer->number)
		memoir_buffer_install(buffer->number, client);
}

static void drop(struct buffer *buffer, pid_t client)
{
	buffer->held--;
	if (buffer->number)
		memoir_buffer_uninstall(buffer->number, client);
}

static void release(struct buffer *buffer)
{
	if (buffer->number)
		memoir_buffer_remove(buffer->number);
	buffer->number = 0;
}

int main(void)
{
	struct pool pool = { NULL, { { NULL, 0, 0 } } };
	int announced = 0, i;

	if (open_pool(&pool) < 0)
		return 1;
	for (i = 0; i < BUFFERS; i++)
		allocate(&pool, i, i ? "example: frame" : "example: header");
	/* By ourselves, twice; a client would be its pid, and take us to be root or its user. */
	take(&pool.buffers[0], 0);
	take(&pool.buffers[0], 0);
	take(&pool.buffers[1], 0);
	drop(&pool.buffers[1], 0);
	for (i = 0; i < BUFFERS; i++)
		announced += pool.buffers[i].number != 0;
	printf("%d buffers announced\n", announced);
	fflush(stdout);
	(void)getchar();
	for (i = 0; i < BUFFERS; i++)
		release(&pool.buffers[i]);
	return memoir_unmap(pool.start, BUFFERS * BUFFER_BYTES) < 0;
}
