// SPDX-License-Identifier: MIT
/*
 * The pieces of the preload library: names of callers, against dladdr(3); frames, against backtrace(3); what is
 * remembered, by threads at once.
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/own_program.h"
#include "preload/callers.h"
#include "preload/label.h"
#include "preload/symbol.h"
#include "preload/unwind.h"

#define FRAMES 64

/* ---- names ---------------------------------------------------------------------------------- */

static void names_keep_the_rules(void **state)
{
	char label[MEMOIR_NAME_MAX], long_name[300];

	(void)state;
	label_make(label, "/usr/lib/libfoo.so.1", "bar");
	assert_string_equal(label, "libfoo.so.1:bar");
	label_make(label, "libfoo.so.1", NULL);
	assert_string_equal(label, "libfoo.so.1");
	label_make(label, "/opt/a [b]/prog$1`\\", "_ZN$LT$x\x01\xff");
	assert_string_equal(label, "prog_1__:_ZN_LT_x__");
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	label_make(label, "libfoo.so.1", long_name);
	assert_int_equal(strlen(label), MEMOIR_NAME_MAX - 1);
	assert_memory_equal(label, "libfoo.so.1:xxx", 15);
	for (size_t length = 70; length < 85; length++) {
		char *slash = long_name + sizeof(long_name) - 2 - length;

		*slash = '/';
		label_make(label, long_name, "f");
		/* No colon at the end. */
		assert_int_equal(strlen(label), length < 78   ? length + 2
						: length < 79 ? length
							      : 79);
		assert_int_equal(label[strlen(label) - 1], length < 78 ? 'f' : 'x');
		*slash = 'x';
	}
}

static void names_of_cxx_are_readable(void **state)
{
	static const struct {
		const char *symbol, *shown;
	} cases[] = {
		{ "_ZN4node24NodeArrayBufferAllocator21AllocateUninitializedEm",
		  "node::NodeArrayBufferAllocator::AllocateUninitialized" },
		{ "_ZNK3foo3barEv", "foo::bar" },
		{ "_Z3barv", "bar" },
		{ "_ZL3bari", "bar" },
		{ "_ZN3fooC2Ev", "foo::foo" },
		{ "_ZN1a3fooD1Ev", "a::foo::~foo" },
		{ "_ZSt9terminatev", "std::terminate" },
		{ "_ZNSt6thread4joinEv", "std::thread::join" },
		{ "_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write" },
		/* Left as they are. */
		{ "_Znwm", "_Znwm" },
		{ "_ZN3fooIiE3barEv", "_ZN3fooIiE3barEv" },
		{ "_Z3barIiEvv", "_Z3barIiEvv" },
		{ "_ZN3foo9baE", "_ZN3foo9baE" },
		{ "_ZN99999999999999999999999foo", "_ZN99999999999999999999999foo" },
		{ "_Z0v", "_Z0v" },
		{ "_ZNE", "_ZNE" },
		{ "_ZN", "_ZN" },
		{ "_Z", "_Z" },
		{ "_ZNC1Ev", "_ZNC1Ev" },
		{ "_ZSt", "_ZSt" },
		{ "_ZN1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1aEv",
		  "_ZN1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1aEv" },
		{ "plain", "plain" },
	};
	char label[MEMOIR_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		label_make(label, "p", cases[i].symbol);
		assert_string_equal(label + 2, cases[i].shown);
	}
}

static void own_program_is_this_one(void **state)
{
	char path[4096], few[6];

	(void)state;
	assert_int_equal(own_program(path, sizeof(path)), 0);
	assert_non_null(strstr(path, "/test_auto"));
	assert_int_equal(own_program(few, sizeof(few)), 0);
	assert_int_equal(strlen(few), 5);
}

/* ---- symbols -------------------------------------------------------------------------------- */

/* Every 37th byte of the beginning of an object, with some of its code. */
static void each_place(const char *in,
		       void (*look)(uintptr_t address, const struct link_map *object))
{
	struct dl_find_object found;
	assert_int_equal(_dl_find_object((void *)in, &found), 0);
	for (const char *at = (const char *)found.dlfo_map_start + 1;
	     at < (const char *)found.dlfo_map_end && at < in + (512 << 10); at += 37)
		look((uintptr_t)at, found.dlfo_link_map);
}

static unsigned int places, known;

static void symbol_is_that_of_dladdr(uintptr_t address, const struct link_map *object)
{
	const char *name = symbol_at(object, address);
	Dl_info info;

	assert_int_not_equal(dladdr((void *)address, &info), 0);
	places++;
	if (!name)
		return; /* dladdr also goes by data, and by what has no size */
	known++;
	assert_non_null(info.dli_sname);
	/* One of several names of a function. */
	if (strcmp(name, info.dli_sname) != 0)
		assert_ptr_equal(dlsym(RTLD_DEFAULT, name), info.dli_saddr);
}

static void symbols_are_those_of_dladdr(void **state)
{
	(void)state;
	each_place((const char *)gnu_get_libc_version, symbol_is_that_of_dladdr);
	assert_true(known > 100 && known < places);
}

static void static_function(void)
{
}

static void what_is_not_exported_has_no_name(void **state)
{
	struct dl_find_object found;

	(void)state;
	assert_int_equal(_dl_find_object((void *)static_function, &found), 0);
	assert_null(symbol_at(found.dlfo_link_map, (uintptr_t)static_function));
	assert_null(symbol_at(found.dlfo_link_map, (uintptr_t)&places));
}

/* ---- frames --------------------------------------------------------------------------------- */

static unsigned int unwound;

/* Up through libc's qsort as far as it goes: each return address has to be in the backtrace, in order. */
static int compare_and_unwind(const void *a, const void *b)
{
	struct frame frame = { (uintptr_t)__builtin_return_address(0),
			       (uintptr_t)__builtin_dwarf_cfa() };
	void *trace[FRAMES];
	int depth = backtrace(trace, FRAMES), at = 0;

	while (at < depth && (uintptr_t)trace[at] != frame.pc)
		at++;
	assert_true(at < depth);
	while (++at < depth && unwind(&frame)) {
		assert_int_equal(frame.pc, (uintptr_t)trace[at]);
		unwound++;
	}
	return *(const int *)a - *(const int *)b;
}

static void frames_are_those_of_backtrace(void **state)
{
	int numbers[] = { 3, 1, 2, 9, 5 }, key = 2;

	(void)state;
	qsort(numbers, 5, sizeof(*numbers), compare_and_unwind);
	assert_int_equal(numbers[4], 9);
	assert_non_null(bsearch(&key, numbers, 5, sizeof(*numbers), compare_and_unwind));
	assert_true(unwound >= 3);
}

static void where_nothing_is_known_nothing_is_unwound(void **state)
{
	static char data[64];
	struct frame frame = { (uintptr_t)data + 32, (uintptr_t)data }, before = frame;

	(void)state;
	assert_false(unwind(&frame));
	assert_memory_equal(&frame, &before, sizeof(frame));
	frame.pc = 4096;
	assert_false(unwind(&frame));
}

/* ---- remembering ---------------------------------------------------------------------------- */

static void expected_name(uintptr_t address, char name[MEMOIR_NAME_MAX])
{
	struct dl_find_object found;

	assert_int_equal(_dl_find_object((void *)(address - 1), &found), 0);
	label_make(name, found.dlfo_link_map->l_name, symbol_at(found.dlfo_link_map, address - 1));
}

static void name_is_as_expected(uintptr_t address, const struct link_map *object)
{
	char name[MEMOIR_NAME_MAX], expected[MEMOIR_NAME_MAX];

	(void)object;
	expected_name(address, expected);
	for (int again = 0; again < 2; again++) {
		callers_name((const void *)address, name);
		assert_string_equal(name, expected);
	}
}

/* Far more than there are slots. */
static void callers_have_names(void **state)
{
	char name[MEMOIR_NAME_MAX];

	(void)state;
	each_place((const char *)gnu_get_libc_version, name_is_as_expected);
	callers_name((const void *)own_program_is_this_one, name);
	assert_string_equal(name, "test_auto");
	callers_name((const void *)4096, name);
	assert_string_equal(name, "");
	callers_forget();
	each_place((const char *)gnu_get_libc_version, name_is_as_expected);
}

#define THREADS 4
#define ADDRESSES 3000u
#define ROUNDS 40

static char expected[ADDRESSES][MEMOIR_NAME_MAX];
static unsigned int wrong;

/* Some of them compete for the slots of others, and now and then all is forgotten. */
static void *ask(void *arg)
{
	uintptr_t first = (uintptr_t)gnu_get_libc_version;
	char name[MEMOIR_NAME_MAX];

	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int from = (unsigned int)(uintptr_t)arg * 700 + round % 3 * 5;

		for (unsigned int i = 0; i < 600; i++) {
			unsigned int at = (from + i) % ADDRESSES;

			callers_name((const void *)(first + at * 16), name);
			if (strcmp(name, expected[at]) != 0)
				__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		}
		if (round % 10 == 9)
			callers_forget();
	}
	return NULL;
}

static void threads_get_the_same_names(void **state)
{
	uintptr_t first = (uintptr_t)gnu_get_libc_version;
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned int i = 0; i < ADDRESSES; i++)
		expected_name(first + i * 16, expected[i]);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_keep_the_rules),
		cmocka_unit_test(names_of_cxx_are_readable),
		cmocka_unit_test(own_program_is_this_one),
		cmocka_unit_test(symbols_are_those_of_dladdr),
		cmocka_unit_test(what_is_not_exported_has_no_name),
		cmocka_unit_test(frames_are_those_of_backtrace),
		cmocka_unit_test(where_nothing_is_known_nothing_is_unwound),
		cmocka_unit_test(callers_have_names),
		cmocka_unit_test(threads_get_the_same_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
