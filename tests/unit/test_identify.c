// SPDX-License-Identifier: MIT
/*
 * Rules that recognise memory, shown memory that lies: they end, stay within what they may read, and
 * leave alone what the kernel has told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "names/identify_rules.h"

#define REGIONS 400
#define MIB ((uint64_t)1 << 20)
#define READ_MAX (64 * MIB)

struct liar {
	struct identify_region regions[REGIONS];
	uint64_t seed, bytes;
	uint64_t last; /* where it was asked last */
	int error;
};

static uint64_t random_word(struct liar *liar)
{
	liar->seed ^= liar->seed << 13;
	liar->seed ^= liar->seed >> 7;
	liar->seed ^= liar->seed << 17;
	return liar->seed;
}

/* What structures are made of: addresses of regions and nearby, sizes, small numbers, and noise. */
static uint64_t lie(struct liar *liar)
{
	uint64_t word = random_word(liar);
	const struct identify_region *region = &liar->regions[word % REGIONS];

	switch (word >> 32 & 7) {
	case 0:
		return region->start;
	case 1:
		return region->end - region->start;
	case 2:
		return region->start + (word >> 40) % (region->end - region->start);
	case 3:
		return word >> 40 & 0xff;
	case 4:
		return liar->last;
	case 5:
		return (word >> 40 & 15) * 64 * 1024;
	case 6:
		return 0;
	default:
		return word;
	}
}

static int read_lies(void *arg, uint64_t addr, void *buf, size_t bytes)
{
	struct liar *liar = arg;

	liar->bytes += bytes;
	liar->last = addr;
	if (liar->error)
		return liar->error;
	for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
		uint64_t word = lie(liar);
		size_t part = bytes - at < sizeof(word) ? bytes - at : sizeof(word);

		memcpy((char *)buf + at, &word, part);
	}
	return 0;
}

static const char *const paths[] = { "/usr/lib/libjvm.so",      "/usr/bin/node",
				     "/usr/bin/python3.11",     "/usr/lib/libjemalloc.so.2",
				     "/usr/lib/libmimalloc.so", "/tmp/python3 (deleted)" };

static void make_regions(struct liar *liar)
{
	uint64_t at = 0xc000000000;

	for (size_t i = 0; i < REGIONS; i++) {
		static const uint64_t sizes[] = { 4096, MIB / 4, MIB, 2 * MIB, 32 * MIB, 64 * MIB };
		uint64_t bytes = sizes[random_word(liar) % 6];

		at = random_word(liar) % 3 ? at : (at + 64 * MIB) & ~(64 * MIB - 1);
		liar->regions[i] = (struct identify_region){
			.start = at,
			.end = at + bytes,
			.perms = "rw-p",
			.form = random_word(liar) % 4 ? IDENTIFY_ANON
						      : (uint8_t)(random_word(liar) % 5),
		};
		if (liar->regions[i].form == IDENTIFY_FILE)
			liar->regions[i].path = paths[random_word(liar) % 6];
		at += bytes;
	}
}

static struct identify_space identify_lies(struct liar *liar)
{
	struct identify_space space = {
		.regions = liar->regions, .count = REGIONS, .read = read_lies, .arg = liar
	};

	identify(&space);
	return space;
}

static void memory_that_lies_is_read_within_limits(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct liar liar = { .seed = seed * UINT64_C(0x9e3779b97f4a7c15) };

		make_regions(&liar);
		identify_lies(&liar);
		assert_true(liar.bytes <= READ_MAX);
		assert_true(liar.bytes > 0);
	}
}

static void a_rule_reads_no_more_of_a_process_than_it_may(void **state)
{
	struct liar liar = { .seed = 3 };

	(void)state;
	liar.regions[0] = (struct identify_region){ .start = 0xc000000000,
						    .end = 0xc000000000 + 64 * MIB,
						    .perms = "rw-p" };
	for (size_t i = 1; i < REGIONS; i++)
		liar.regions[i] = (struct identify_region){
			.start = 0xd000000000 + i * MIB,
			.end = 0xd000000000 + (i + 1) * MIB,
			.perms = "r--p",
			.path = "/usr/bin/large",
			.form = IDENTIFY_FILE,
		};
	identify_lies(&liar);
	assert_true(liar.bytes > 4 * MIB);
	assert_true(liar.bytes <= 9 * MIB);
}

static void what_the_kernel_or_a_rule_told_is_left_alone(void **state)
{
	(void)state;
	for (int form = IDENTIFY_ANON; form <= IDENTIFY_OTHER; form++) {
		struct identify_region region = { .form = (uint8_t)form };
		bool open = form == IDENTIFY_ANON || form == IDENTIFY_DEVICE;

		identify_mark(&region, IDENTIFY_PERF);
		assert_int_equal(region.kind, open ? IDENTIFY_PERF : IDENTIFY_NOTHING);
		identify_mark(&region, IDENTIFY_JIT);
		assert_int_equal(region.kind, open ? IDENTIFY_PERF : IDENTIFY_NOTHING);
	}
}

/* A stack as glibc has it; `arg` is what reading it returns. */
static int read_stack(void *arg, uint64_t addr, void *buf, size_t bytes)
{
	const uint64_t block[] = { 0x10000, 0x41000, 0x1000 };

	memset(buf, 0, bytes);
	if (addr + bytes == 0x51000 && bytes >= 1024)
		memcpy((char *)buf + bytes - 512, block, sizeof(block));
	return *(int *)arg;
}

static void what_could_not_be_read_proves_nothing(void **state)
{
	(void)state;
	for (int error = 0; error >= -2; error--) {
		struct identify_region regions[] = {
			{ .start = 0x10000,
			  .end = 0x11000,
			  .perms = "---p",
			  .form = IDENTIFY_GUARD },
			{ .start = 0x11000, .end = 0x51000, .perms = "rw-p" },
		};
		struct identify_space space = {
			.regions = regions, .count = 2, .read = read_stack, .arg = &error
		};

		identify(&space);
		assert_int_equal(regions[0].kind, IDENTIFY_NOTHING);
		assert_int_equal(regions[1].kind, error ? IDENTIFY_NOTHING : IDENTIFY_THREAD_STACK);
	}
}

static void what_may_not_be_read_is_remembered(void **state)
{
	static const int errors[] = { -EPERM, -EACCES, -ENODATA, -ESRCH };

	(void)state;
	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
		struct liar liar = { .seed = 7, .error = errors[e] };

		make_regions(&liar);
		assert_int_equal(identify_lies(&liar).denied, e < 2);
		for (size_t i = 0; i < REGIONS; i++)
			assert_int_equal(liar.regions[i].kind, IDENTIFY_NOTHING);
	}
}

/* ---- musl ----------------------------------------------------------------------------------- */

#define MUSL_HEAP 0x20000000ull
#define MUSL_GROUPS 0x700000000000ull
#define PAGE_WORDS (4096 / sizeof(uint64_t))

/* A page of metas: two groups of two and three pages; and the first words of these. */
struct musl_memory {
	uint64_t metas[PAGE_WORDS];
	uint64_t first, second;
};

enum { AREA_SECRET, AREA_COUNT = 2, META_0 = 3, META_1 = 8, META_GROUP = 2, META_WHAT = 4 };

static struct musl_memory musl_as_it_is(void)
{
	struct musl_memory memory = { .first = MUSL_HEAP + META_0 * 8,
				      .second = MUSL_HEAP + META_1 * 8 };

	memory.metas[AREA_SECRET] = 0x123456789abcdef0;
	memory.metas[AREA_COUNT] = 101;
	memory.metas[META_0 + META_GROUP] = MUSL_GROUPS;
	memory.metas[META_0 + META_WHAT] = 2 << 12 | 0x3f;
	memory.metas[META_1 + META_GROUP] = MUSL_GROUPS + 2 * 4096;
	memory.metas[META_1 + META_WHAT] = 3 << 12 | 0x3f;
	return memory;
}

static int read_musl(void *arg, uint64_t addr, void *buf, size_t bytes)
{
	const struct musl_memory *memory = arg;

	if (addr >= MUSL_HEAP && addr + bytes <= MUSL_HEAP + 4096)
		memcpy(buf, (const char *)memory->metas + (addr - MUSL_HEAP), bytes);
	else if (addr == MUSL_GROUPS && bytes == 8)
		memcpy(buf, &memory->first, bytes);
	else if (addr == MUSL_GROUPS + 2 * 4096 && bytes == 8)
		memcpy(buf, &memory->second, bytes);
	else
		return -ENODATA;
	return 0;
}

static int kind_of_musl(struct musl_memory *memory, const char *guard, uint64_t pages)
{
	struct identify_region regions[] = {
		{ .start = MUSL_HEAP - 4096,
		  .end = MUSL_HEAP,
		  .path = "[heap]",
		  .form = IDENTIFY_OTHER },
		{ .start = MUSL_HEAP,
		  .end = MUSL_HEAP + 4096,
		  .path = "[heap]",
		  .perms = "rw-p",
		  .form = IDENTIFY_OTHER },
		{ .start = MUSL_GROUPS, .end = MUSL_GROUPS + pages * 4096, .perms = "rw-p" },
	};
	struct identify_space space = {
		.regions = regions, .count = 3, .read = read_musl, .arg = memory
	};

	memcpy(regions[0].perms, guard, sizeof(regions[0].perms));
	identify(&space);
	assert_int_equal(regions[0].kind, IDENTIFY_NOTHING);
	assert_int_equal(regions[1].kind, IDENTIFY_NOTHING);
	return regions[2].kind;
}

/* One thing is wrong in each: where, and what stands there. */
static void what_only_looks_like_musls_is_not(void **state)
{
	static const struct {
		size_t word;
		uint64_t value;
	} wrong[] = {
		{ AREA_SECRET, 0 },
		{ AREA_COUNT, 102 },
		{ AREA_COUNT, 1 },
		{ AREA_COUNT, UINT32_MAX },
		{ META_0 + META_GROUP, MUSL_GROUPS + 4096 },
		{ META_0 + META_GROUP, MUSL_GROUPS + 8 },
		{ META_0 + META_WHAT, 1 << 12 },
		{ META_0 + META_WHAT, 3 << 12 },
		{ META_0 + META_WHAT, UINT64_MAX },
		{ META_1 + META_WHAT, 2 << 12 },
		{ META_1 + META_WHAT, 4 << 12 },
		{ offsetof(struct musl_memory, first) / 8, MUSL_HEAP + META_1 * 8 },
		{ offsetof(struct musl_memory, second) / 8, 0 },
	};
	struct musl_memory memory = musl_as_it_is();

	(void)state;
	assert_int_equal(kind_of_musl(&memory, "---p", 5), IDENTIFY_MUSL);
	assert_int_equal(kind_of_musl(&memory, "---p", 2), IDENTIFY_MUSL);
	assert_int_equal(kind_of_musl(&memory, "---p", 4), IDENTIFY_NOTHING);
	assert_int_equal(kind_of_musl(&memory, "---p", 6), IDENTIFY_NOTHING);
	assert_int_equal(kind_of_musl(&memory, "rw-p", 5), IDENTIFY_NOTHING);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memory = musl_as_it_is();
		memcpy((uint64_t *)&memory + wrong[i].word, &wrong[i].value, 8);
		assert_int_equal(kind_of_musl(&memory, "---p", 5), IDENTIFY_NOTHING);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_lies_is_read_within_limits),
		cmocka_unit_test(a_rule_reads_no_more_of_a_process_than_it_may),
		cmocka_unit_test(what_the_kernel_or_a_rule_told_is_left_alone),
		cmocka_unit_test(what_could_not_be_read_proves_nothing),
		cmocka_unit_test(what_may_not_be_read_is_remembered),
		cmocka_unit_test(what_only_looks_like_musls_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
