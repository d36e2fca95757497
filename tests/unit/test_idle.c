// SPDX-License-Identifier: MIT
/*
 * Bits of pages against brute force: sums, runs, marks and two looks at random pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/wait.h"
#include "hints/page_bits.h"
#include "hints/spans.h"

#define PAGES 3000u
#define BASE (UINT64_C(0x7f0000000000) + 77 * BITS_PAGE_BYTES)
#define ROUNDS 200

enum state { ABSENT, IDLE, TOUCHED, UNKNOWN };

struct world {
	enum state states[PAGES];
	struct page_bits pages;
};

static uint64_t addr_of(unsigned int page)
{
	return BASE + page * BITS_PAGE_BYTES;
}

/* Runs of random states and lengths, some as long as huge pages. */
static void fill(struct world *w)
{
	*w = (struct world){ 0 };
	for (unsigned int at = 0; at < PAGES;) {
		unsigned int len = (unsigned int)rand() % (rand() % 8 ? 5 : 900) + 1;
		enum state state = (enum state)(rand() % 3);

		len = len < PAGES - at ? len : PAGES - at;
		for (unsigned int i = 0; i < len; i++)
			w->states[at + i] = state;
		if (state != ABSENT)
			assert_int_equal(page_bits_add(&w->pages, addr_of(at), len, state == IDLE),
					 0);
		at += len;
	}
}

static uint64_t count(const struct world *w, unsigned int from, unsigned int to, enum state state)
{
	uint64_t n = 0;

	for (unsigned int i = from; i < to; i++)
		n += w->states[i] == state;
	return n * BITS_PAGE_BYTES;
}

static void check_sum(const struct world *w, unsigned int from, unsigned int to)
{
	/* A page belongs to the range that has its first byte. */
	struct page_sum sum =
		page_bits_sum(&w->pages, addr_of(from) - (from ? 0 : 5000), addr_of(to) - 1);

	assert_int_equal(sum.marked_bytes, count(w, from, to, IDLE));
	assert_int_equal(sum.unknown_bytes, count(w, from, to, UNKNOWN));
	assert_int_equal(sum.there_bytes,
			 sum.marked_bytes + sum.unknown_bytes + count(w, from, to, TOUCHED));
}

struct seen {
	const struct world *world;
	unsigned int from, to, next;
};

static int see_run(uint64_t start, uint64_t end, void *arg)
{
	struct seen *seen = arg;
	unsigned int first = (unsigned int)((start - BASE) / BITS_PAGE_BYTES);
	unsigned int last = (unsigned int)((end - BASE) / BITS_PAGE_BYTES);

	assert_true(first < last);
	for (; seen->next < first; seen->next++)
		assert_int_not_equal(seen->world->states[seen->next], IDLE);
	for (; seen->next < last; seen->next++)
		assert_int_equal(seen->world->states[seen->next], IDLE);
	/* As long as it can be. */
	assert_true(last == seen->to || seen->world->states[last] != IDLE);
	return 0;
}

static void check_runs(const struct world *w, unsigned int from, unsigned int to)
{
	struct seen seen = { w, from, to, from };

	assert_int_equal(page_bits_runs(&w->pages, addr_of(from), addr_of(to), see_run, &seen), 0);
	for (; seen.next < to; seen.next++)
		assert_int_not_equal(w->states[seen.next], IDLE);
}

static void random_range(unsigned int *ret_from, unsigned int *ret_to)
{
	*ret_from = (unsigned int)rand() % PAGES;
	*ret_to = *ret_from + 1 + (unsigned int)rand() % (PAGES - *ret_from);
}

static void sums_and_runs_are_those_of_every_page(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned int from, to;
		struct world w;

		fill(&w);
		random_range(&from, &to);
		check_sum(&w, 0, PAGES);
		check_sum(&w, from, to);
		check_runs(&w, from, to);
		page_bits_free(&w.pages);
	}
}

static void marking_makes_what_is_resident_idle(void **state)
{
	(void)state;
	srand(2);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned int from, to;
		struct world w;

		fill(&w);
		page_bits_forget(&w.pages);
		random_range(&from, &to);
		page_bits_mark(&w.pages, addr_of(from), addr_of(to));
		for (unsigned int page = 0; page < PAGES; page++)
			if (w.states[page] != ABSENT)
				w.states[page] = page >= from && page < to ? IDLE : TOUCHED;
		check_sum(&w, 0, PAGES);
		check_runs(&w, 0, PAGES);
		page_bits_free(&w.pages);
	}
}

/* Of two looks that clear nothing. */
static enum state since(enum state before, enum state now)
{
	if (now == ABSENT)
		return ABSENT;
	if (before == TOUCHED)
		return UNKNOWN;
	if (now == TOUCHED)
		return TOUCHED;
	return before == IDLE ? IDLE : UNKNOWN;
}

static void two_looks_tell_only_what_is_sure(void **state)
{
	(void)state;
	srand(3);
	for (int i = 0; i < ROUNDS; i++) {
		struct world before, now;
		uint64_t cleared = 0;

		fill(&before);
		fill(&now);
		for (unsigned int page = 0; page < PAGES; page++)
			cleared += before.states[page] == TOUCHED && now.states[page] == IDLE;
		assert_int_equal(page_bits_since(&now.pages, &before.pages), cleared);
		for (unsigned int page = 0; page < PAGES; page++)
			now.states[page] = since(before.states[page], now.states[page]);
		check_sum(&now, 0, PAGES);
		check_runs(&now, 0, PAGES);
		page_bits_free(&before.pages);
		page_bits_free(&now.pages);
	}
}

static int stop_at_once(uint64_t start, uint64_t end, void *arg)
{
	(void)start, (void)end;
	++*(int *)arg;
	return -7;
}

static void a_caller_may_end_the_runs(void **state)
{
	struct page_bits pages = { 0 };
	int calls = 0;

	(void)state;
	for (unsigned int page = 0; page < 100; page += 2)
		assert_int_equal(page_bits_add(&pages, addr_of(page), 1, true), 0);
	assert_int_equal(page_bits_runs(&pages, addr_of(0), addr_of(100), stop_at_once, &calls),
			 -7);
	assert_int_equal(calls, 1);
	page_bits_free(&pages);
}

#define SPANS 40
#define SPAN_PIDS 3
#define SPAN_PAGES 200

/* Spans that overlap, meet and hold each other. */
static void spans_are_searched_as_if_each_was_looked_at(void **state)
{
	(void)state;
	srand(4);
	for (int round = 0; round < ROUNDS; round++) {
		bool in[SPAN_PIDS + 1][SPAN_PAGES] = { 0 };
		struct memoir_span spans[SPANS], *sorted;
		size_t count, n = (size_t)rand() % SPANS;

		for (size_t i = 0; i < n; i++) {
			unsigned int from = (unsigned int)rand() % (SPAN_PAGES - 10);
			unsigned int to = from + 1 + (unsigned int)rand() % 10;

			spans[i] = (struct memoir_span){ 1 + rand() % SPAN_PIDS, from, to };
			for (unsigned int at = from; at < to; at++)
				in[spans[i].pid][at] = true;
		}
		sorted = spans_sorted(spans, n, &count);
		assert_non_null(sorted);
		for (pid_t pid = 1; pid <= SPAN_PIDS; pid++)
			for (unsigned int at = 0; at < SPAN_PAGES; at++) {
				size_t i = spans_behind(sorted, count, pid, at);
				bool found =
					i < count && sorted[i].pid == pid && sorted[i].start <= at;

				assert_int_equal(found, in[pid][at]);
			}
		free(sorted);
	}
}

static void times_are_parsed(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0: refused */
	} cases[] = {
		{ "60", UINT64_C(60000000000) },
		{ "1.5s", UINT64_C(1500000000) },
		{ "200ms", UINT64_C(200000000) },
		{ "10m", UINT64_C(600000000000) },
		{ "2h", UINT64_C(7200000000000) },
		{ "", 0 },
		{ "0", 0 },
		{ "-1", 0 },
		{ "1d", 0 },
		{ "nan", 0 },
		{ "1e300", 0 },
		{ "inf", 0 },
		{ "9999h", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ns = 1;
		int err = wait_parse(cases[i].text, &ns);

		assert_int_equal(err < 0, cases[i].ns == 0);
		assert_int_equal(ns, cases[i].ns ? cases[i].ns : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_and_runs_are_those_of_every_page),
		cmocka_unit_test(marking_makes_what_is_resident_idle),
		cmocka_unit_test(two_looks_tell_only_what_is_sure),
		cmocka_unit_test(a_caller_may_end_the_runs),
		cmocka_unit_test(spans_are_searched_as_if_each_was_looked_at),
		cmocka_unit_test(times_are_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
