/*
 * Large blocks of malloc and its kin, with mappings of their own and in the heap.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mkauto.h"

#define LARGE (1ul << 20)
#define BY_ONE ONE ":allocate"
#define BY_TWO TWO ":allocate"

/* The pages that are the block's alone. */
static void block_is(const char *block, size_t bytes, const char *name)
{
	uintptr_t start = ((uintptr_t)block + PAGE - 1) & ~(PAGE - 1);
	uintptr_t end = ((uintptr_t)block + bytes) & ~(PAGE - 1);

	is_named((const void *)start, end - start, name);
}

static char *allocate(const struct auto_library *library, enum allocation how, void *from,
		      size_t bytes)
{
	char *block = library->allocate(how, from, bytes);

	if (!block)
		broken("no memory");
	if (how != BY_STRDUP)
		memset(block, 1, bytes);
	return block;
}

static void large(void)
{
	char *text = malloc(LARGE + 1), *blocks[6], *where;

	memset(text, 'x', LARGE);
	text[LARGE] = '\0';
	blocks[0] = allocate(one, BY_MALLOC, NULL, LARGE);
	blocks[1] = allocate(two, BY_CALLOC, NULL, LARGE);
	blocks[2] = allocate(one, BY_POSIX_MEMALIGN, NULL, LARGE);
	blocks[3] = allocate(two, BY_ALIGNED_ALLOC, NULL, LARGE);
	blocks[4] = allocate(one, BY_STRDUP, text, LARGE);
	blocks[5] = allocate(one, BY_REALLOC, NULL, 128ul << 10);
	for (int i = 0; i < 5; i++)
		block_is(blocks[i], LARGE, i % 2 ? BY_TWO : BY_ONE);
	block_is(blocks[5], 128ul << 10, BY_ONE);
	/* All of the mapping, also what alignment has left free. */
	block_is(blocks[2] - PAGE, PAGE, BY_ONE);
	block_is(blocks[3] - PAGE, PAGE, BY_TWO);
	block_is(text, LARGE, "mkauto");
	step("large blocks, by who asked", getpid());
	blocks[0] = allocate(two, BY_REALLOC, blocks[0], 4 * LARGE);
	where = blocks[2] + LARGE / 2;
	free(blocks[2]);
	block_is(blocks[0], 4 * LARGE, BY_TWO);
	block_is(blocks[1], LARGE, BY_TWO);
	step("grown by another one", getpid());
	for (int i = 0; i < 6; i++)
		if (i != 2)
			free(blocks[i]);
	free(text);
	if (syscall(SYS_mmap, where, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) == -1)
		broken("mmap");
	is_named(where, PAGE, NULL);
	step("given back", getpid());
}

/* Blocks in the heap have the heap's region around them. */
static void in_heap(void)
{
	char *first, *second, *plug;

	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 512 << 20);
	first = allocate(one, BY_MALLOC, NULL, LARGE);
	second = allocate(two, BY_MALLOC, NULL, LARGE);
	plug = malloc(1000);
	block_is(first, LARGE, BY_ONE);
	block_is(second, LARGE, BY_TWO);
	step("in the heap", getpid());
	free(first);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): where it was */
	block_is(first, LARGE, NULL);
	block_is(second, LARGE, BY_TWO);
	step("free, and still mapped", getpid());
	first = allocate(two, BY_MALLOC, NULL, LARGE / 2);
	second = allocate(one, BY_REALLOC, second, LARGE / 4);
	block_is(first, LARGE / 2, BY_TWO);
	block_is(second, LARGE / 4, BY_ONE);
	block_is(second + LARGE / 4 + PAGE, LARGE / 2, NULL);
	step("used again, and shrunk", getpid());
	second = allocate(two, BY_REALLOC, second, 1000);
	block_is(second + PAGE, LARGE / 4 - 2 * PAGE, NULL);
	block_is(first, LARGE / 2, BY_TWO);
	step("shrunk to a small one", getpid());
	free(plug);
}

static void *in_thread(void *unused)
{
	char *first = allocate(one, BY_MALLOC, NULL, LARGE), *second;

	(void)unused;
	second = allocate(two, BY_MALLOC, NULL, LARGE);
	block_is(first, LARGE, BY_ONE);
	block_is(second, LARGE, BY_TWO);
	step("in a thread's arena", getpid());
	free(first);
	free(second);
	return NULL;
}

static void in_arena(void)
{
	pthread_t thread;

	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	if (pthread_create(&thread, NULL, in_thread, NULL) != 0)
		broken("pthread_create");
	pthread_join(thread, NULL);
}

/* operator new of libstdc++ is not who wanted it. */
static void by_new(void)
{
	void *runtime = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
	void *operator_new = runtime ? dlsym(runtime, "_Znwm") : NULL;
	void *operator_new_array = runtime ? dlsym(runtime, "_Znam") : NULL;
	char *blocks[2];

	if (!operator_new || !operator_new_array)
		broken("libstdc++.so.6");
	blocks[0] = allocate(one, BY_NEW, operator_new, LARGE);
	blocks[1] = allocate(two, BY_NEW, operator_new_array, LARGE);
	block_is(blocks[0], LARGE, BY_ONE);
	block_is(blocks[1], LARGE, BY_TWO);
	step("operator new, by who called it", getpid());
	free(blocks[0]);
	free(blocks[1]);
}

const struct auto_case malloc_cases[] = {
	{ "large", large }, { "in-heap", in_heap }, { "in-arena", in_arena },
	{ "new", by_new },  { NULL, NULL },
};
