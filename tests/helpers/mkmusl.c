/*
 * Memory of musl's malloc, and stacks of its threads: says where, one line of JSON, and ends with its standard
 * input. The live tests compile it by musl-gcc; nothing here is musl's own.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL 20000
#define LARGE 8
#define THREADS 3

static void *small[SMALL], *large[LARGE];
static uintptr_t stacks[THREADS];
static pthread_barrier_t ready;

static void *thread(void *number)
{
	volatile char on_stack = 1;

	stacks[(uintptr_t)number] = (uintptr_t)&on_stack;
	pthread_barrier_wait(&ready);
	for (;;)
		pause();
}

static void print(const char *name, const uintptr_t *where, size_t count)
{
	printf("\"%s\":[", name);
	for (size_t i = 0; i < count; i++)
		printf("%s%zu", i ? "," : "", (size_t)where[i]);
	printf("]");
}

static void *allocate(size_t bytes)
{
	void *block = malloc(bytes);

	if (!block)
		exit(1);
	memset(block, 1, bytes);
	return block;
}

int main(void)
{
	pthread_attr_t attributes;
	pthread_t unused;

	for (size_t i = 0; i < SMALL; i++)
		small[i] = allocate(16 + i * 7 % 3000);
	/* What is free has no group of its own any more, or one with holes. */
	for (size_t i = 0; i < SMALL; i += 3) {
		free(small[i]);
		small[i] = allocate(16 + i * 11 % 3000);
	}
	for (size_t i = 0; i < LARGE; i++)
		large[i] = allocate((i + 1) << 18);
	large[0] = realloc(large[0], 3 << 20);
	if (!large[0])
		return 1;
	free(large[3]);
	large[3] = allocate(200 << 10);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 1 << 20);
	pthread_barrier_init(&ready, NULL, THREADS + 1);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&unused, i ? &attributes : NULL, thread, (void *)i) != 0)
			return 1;
	pthread_barrier_wait(&ready);
	printf("{");
	print("small", (uintptr_t *)small, SMALL);
	printf(",");
	print("large", (uintptr_t *)large, LARGE);
	printf(",");
	print("stacks", stacks, THREADS);
	printf("}\n");
	fflush(stdout);
	return getchar() == EOF ? 0 : 1;
}
