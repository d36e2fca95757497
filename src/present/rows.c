// SPDX-License-Identifier: MIT
/*
 * Parts of rows, threads that take them, and the order in which they are written; knows no format.
 */
#include "present/rows.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/crew.h"

/* What a part makes stays in the CPU's own cache. */
#define PART_ROWS 256u
/* Below this a thread costs more than it saves. */
#define MANY_ROWS 4096u
/* Parts that are done or being done while the one to be written next is not. */
#define AHEAD 8u

/* ---- taking parts --------------------------------------------------------------------------- */

struct split {
	size_t count;
	size_t next; /* the first row that nobody has taken yet */
	void (*part)(size_t from, size_t to, void *arg);
	void *arg;
};

static void take_parts(void *arg)
{
	struct split *split = arg;

	for (;;) {
		size_t from = __atomic_fetch_add(&split->next, PART_ROWS, __ATOMIC_RELAXED);
		size_t left = from < split->count ? split->count - from : 0;

		if (!left)
			return;
		split->part(from, from + (left < PART_ROWS ? left : PART_ROWS), split->arg);
	}
}

static unsigned int threads_for(const struct sheet *sheet)
{
	return sheet->pure && sheet->row_count >= MANY_ROWS ? crew_cpus() : 1;
}

void rows_split(const struct sheet *sheet, void (*part)(size_t from, size_t to, void *arg),
		void *arg)
{
	struct split split = { .count = sheet->row_count, .part = part, .arg = arg };

	crew_run(threads_for(sheet), take_parts, &split);
}

/* ---- writing them in order ------------------------------------------------------------------ */

struct queue {
	struct out *out; /* only for whoever set `writing` */
	void (*render)(struct out *out, size_t from, size_t to, void *arg);
	void *arg;
	pthread_mutex_t lock; /* around all below but the parts themselves */
	pthread_cond_t moved;
	struct out *parts; /* by number % AHEAD */
	bool done[AHEAD];
	size_t written; /* parts */
	bool writing, failed;
};

/* Until there is a place for this part. False: it is not wanted any more. */
static bool wait_for_place(struct queue *q, size_t number)
{
	pthread_mutex_lock(&q->lock);
	while (!q->failed && number - q->written >= AHEAD)
		pthread_cond_wait(&q->moved, &q->lock);
	bool wanted = !q->failed;

	pthread_mutex_unlock(&q->lock);
	return wanted;
}

static void write_part(struct out *out, const struct out *part)
{
	if (part->error && !out->error)
		out->error = part->error;
	out_bytes(out, part->data, part->len);
}

/* Nobody waits for an earlier part to be written: whoever makes that writes this one as well. */
static void hand_in(struct queue *q, size_t number)
{
	pthread_mutex_lock(&q->lock);
	q->done[number % AHEAD] = true;
	while (!q->writing && q->done[q->written % AHEAD]) {
		q->writing = true;
		pthread_mutex_unlock(&q->lock);
		write_part(q->out, &q->parts[q->written % AHEAD]);
		pthread_mutex_lock(&q->lock);
		q->writing = false;
		q->failed = q->out->error;
		q->done[q->written++ % AHEAD] = false;
		pthread_cond_broadcast(&q->moved);
	}
	pthread_mutex_unlock(&q->lock);
}

static void render_part(size_t from, size_t to, void *arg)
{
	struct queue *q = arg;
	size_t number = from / PART_ROWS;
	struct out *part = &q->parts[number % AHEAD];

	if (!wait_for_place(q, number))
		return;
	part->len = 0;
	q->render(part, from, to, q->arg);
	hand_in(q, number);
}

void rows_write(struct out *out, const struct sheet *sheet,
		void (*render)(struct out *out, size_t from, size_t to, void *arg), void *arg)
{
	struct queue q = { .out = out, .render = render, .arg = arg };

	q.parts = malloc(AHEAD * sizeof(*q.parts));
	if (!q.parts) {
		out->error = out->error ? out->error : -ENOMEM;
		return;
	}
	for (size_t i = 0; i < AHEAD; i++)
		out_init(&q.parts[i], OUT_KEEP);
	q.failed = out->error;
	pthread_mutex_init(&q.lock, NULL);
	pthread_cond_init(&q.moved, NULL);
	rows_split(sheet, render_part, &q);
	pthread_cond_destroy(&q.moved);
	pthread_mutex_destroy(&q.lock);
	for (size_t i = 0; i < AHEAD; i++)
		out_free(&q.parts[i]);
	free(q.parts);
}
