// SPDX-License-Identifier: MIT
/*
 * Replays a corpus of text files: each as it is, then changed in random but repeatable ways. It needs no fuzzer;
 * a crash ends the program, and the test. Prints TAP, one point a file.
 *
 *     fuzz_TARGET CORPUS-FILE...      MEMOIR_FUZZ_ROUNDS=N: how many changes of each file
 */
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 10000
#define CHANGES_MAX 8

/* xorshift64: the same numbers everywhere, which rand() does not promise. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = feof(file) ? calloc(1, 1) : NULL;
	}
	fclose(file);
	return text;
}

/* One change; returns the new size, which is never more than the old. */
static size_t change(uint8_t *data, size_t size, uint64_t *seed)
{
	static const uint8_t odd[] = {
		0, 1, 0x7f, 0x80, 0xff, ',', ':', '\\', '*', '[', '-', '\n'
	};
	size_t at = next_random(seed) % size;
	size_t other = next_random(seed) % size;
	size_t len = 1 + next_random(seed) % 16;

	switch (next_random(seed) % 8) {
	case 0: /* truncate */
		return at + 1;
	case 1: /* copy a piece elsewhere */
		if (len > size - at)
			len = size - at;
		if (len > size - other)
			len = size - other;
		memmove(data + at, data + other, len);
		return size;
	case 2:
	case 3:
		data[at] ^= (uint8_t)(1u << (other % 8));
		return size;
	case 4:
		data[at] = (uint8_t)next_random(seed);
		return size;
	default:
		data[at] = odd[other % sizeof(odd)];
		return size;
	}
}

static void replay_changed(const uint8_t *data, size_t size, unsigned long rounds, uint64_t seed)
{
	uint8_t *copy = malloc(size);

	if (!copy)
		abort();
	for (unsigned long round = 0; round < rounds; round++) {
		size_t changed_size = size;

		memcpy(copy, data, size);
		for (uint64_t n = 1 + next_random(&seed) % CHANGES_MAX; n > 0; n--)
			changed_size = change(copy, changed_size, &seed);
		LLVMFuzzerTestOneInput(copy, changed_size);
	}
	free(copy);
}

/* 0 or negative errno. */
static int replay(const char *path, unsigned long rounds, uint64_t seed)
{
	char *text = read_text(path);
	size_t size;

	if (!text)
		return -errno;
	size = strlen(text);
	LLVMFuzzerTestOneInput((uint8_t *)text, size);
	if (size > 0)
		replay_changed((uint8_t *)text, size, rounds, seed);
	free(text);
	return 0;
}

int main(int argc, char **argv)
{
	const char *asked = getenv("MEMOIR_FUZZ_ROUNDS");
	unsigned long rounds = asked ? strtoul(asked, NULL, 10) : ROUNDS;
	int failed = 0;

	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		const char *name = strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i];
		int err;

		/* What a crash is to be blamed on. */
		fprintf(stderr, "replaying %s\n", name);
		err = replay(argv[i], rounds, 0x9e3779b97f4a7c15u + (uint64_t)i);
		printf("%s %d - %s and %lu changes of it\n", err ? "not ok" : "ok", i, name,
		       rounds);
		if (err)
			printf("# %s: %s\n", argv[i], strerror(-err));
		fflush(stdout);
		failed |= err != 0;
	}
	return failed;
}
