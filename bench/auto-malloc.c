// SPDX-License-Identifier: MIT
/*
 * What the preload library costs: libc's own functions and those that stand in front of them, in turn in one
 * process, which runs itself once more with the library preloaded. Medians: ps an operation, and the ratio
 * (in thousandths) and the difference of each pair.
 *
 *     auto-malloc [ROUNDS]
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "timing.h"

#define HELD 4096u
#define ROUNDS_MAX 1001u
#define PAGES_BYTES (16u * 4096u)
#define LARGE_BYTES (1u << 20)

struct functions {
	void *(*malloc)(size_t bytes);
	void (*free)(void *block);
	void *(*mmap)(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset);
	int (*munmap)(void *addr, size_t bytes);
};

/* As programs do: of many sizes, mostly small, kept for a while, written and read. */
static void small_blocks(const struct functions *by, uint32_t operations)
{
	static unsigned char *held[HELD];
	static volatile uint32_t sum;

	for (uint32_t i = 0; i < operations; i++) {
		uint32_t random = next_random(), at = random % HELD;
		size_t bytes = 16u + (random >> 12) % (random & 0x80000000u ? 112u : 1008u);

		if (held[at])
			sum += held[at][0];
		by->free(held[at]);
		held[at] = by->malloc(bytes);
		if (!held[at])
			abort();
		memset(held[at], (int)random, bytes);
	}
}

/* The least that malloc and free can take. */
static void one_block(const struct functions *by, uint32_t operations)
{
	for (uint32_t i = 0; i < operations; i++) {
		char *volatile block = by->malloc(32);

		by->free(block);
	}
}

static void mappings(const struct functions *by, uint32_t operations)
{
	for (uint32_t i = 0; i < operations; i++) {
		char *got = by->mmap(NULL, PAGES_BYTES, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (got == MAP_FAILED)
			abort();
		by->munmap(got, PAGES_BYTES);
	}
}

/* From the heap: the kernel has no part in it. */
static void large_blocks(const struct functions *by, uint32_t operations)
{
	for (uint32_t i = 0; i < operations; i++) {
		char *volatile block = by->malloc(LARGE_BYTES + i % 7 * 4096u);

		by->free(block);
	}
}

static void measure(const char *what, const struct functions *sides,
		    void (*run)(const struct functions *, uint32_t), uint32_t operations,
		    uint32_t rounds)
{
	static uint64_t took[2][ROUNDS_MAX], ratios[ROUNDS_MAX], more[ROUNDS_MAX];

	for (uint32_t i = 0; i < rounds; i++) {
		for (uint32_t k = 0; k < 2; k++) {
			uint32_t side = (i + k) % 2;
			uint64_t began = now_ns();

			run(&sides[side], operations);
			took[side][i] = (now_ns() - began) * 1000 / operations;
		}
		ratios[i] = took[1][i] * 1000 / took[0][i];
		more[i] = took[1][i] > took[0][i] ? took[1][i] - took[0][i] : 0;
	}
	printf("%s_libc_ps %llu\n", what, (unsigned long long)median_u64(took[0], rounds));
	printf("%s_auto_ps %llu\n", what, (unsigned long long)median_u64(took[1], rounds));
	printf("%s_ratio %llu\n", what, (unsigned long long)median_u64(ratios, rounds));
	printf("%s_more_ps %llu\n", what, (unsigned long long)median_u64(more, rounds));
}

static void find(void *from, const char *name, void *ret_function)
{
	void *function = dlsym(from, name);

	if (!function)
		abort();
	memcpy(ret_function, &function, sizeof(function));
}

static struct functions functions_of(void *from)
{
	struct functions found;

	find(from, "malloc", &found.malloc);
	find(from, "free", &found.free);
	find(from, "mmap", &found.mmap);
	find(from, "munmap", &found.munmap);
	return found;
}

int main(int argc, char **argv)
{
	uint32_t rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 101;
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	struct functions sides[2];

	if (!libc || !rounds || rounds > ROUNDS_MAX)
		return 2;
	sides[0] = functions_of(libc);
	sides[1] = functions_of(RTLD_DEFAULT);
	if (sides[0].malloc == sides[1].malloc) {
		if (getenv("LD_PRELOAD")) {
			fprintf(stderr, "auto-malloc: " AUTO_LIBRARY " can't be preloaded\n");
			return 1;
		}
		setenv("LD_PRELOAD", AUTO_LIBRARY, 1);
		setenv("MEMOIR_NAMES", "table", 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	measure("small", sides, small_blocks, 100000, rounds);
	measure("one", sides, one_block, 300000, rounds);
	measure("mmap", sides, mappings, 2000, rounds);
	measure("large", sides, large_blocks, 20000, rounds);
	return 0;
}
