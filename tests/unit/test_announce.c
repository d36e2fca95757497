// SPDX-License-Identifier: MIT
/*
 * The calls of memoir/track.h: what the name table says after each of them is what a simple model has; arguments and
 * limits; the places where names are kept.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "announced_names.h"
#include "names/space.h"

#define PAGE 4096ull

static void *at(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void arguments_are_checked(void **state)
{
	char too_long[MEMOIR_NAME_MAX + 1], longest[MEMOIR_NAME_MAX], name[MEMOIR_NAME_MAX];
	uint32_t buffer = 7;

	(void)state;
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(memoir_buffer_init(0, "x", &buffer), -EINVAL);
	assert_int_equal(memoir_buffer_init(MEMOIR_BUFFER_BYTES_MAX, "x", &buffer), -EINVAL);
	assert_int_equal(memoir_buffer_init(1, "a[b", &buffer), -EINVAL);
	assert_int_equal(memoir_buffer_init(1, too_long, &buffer), -EINVAL);
	assert_int_equal(buffer, 7);
	assert_int_equal(own_anchor(), 0);
	memcpy(longest, too_long + 1, sizeof(longest));
	buffer = announce_buffer(MEMOIR_BUFFER_BYTES_MAX - 1, longest);
	assert_int_equal(announced_at(announced_buffer(buffer), name), MEMOIR_BUFFER_BYTES_MAX - 1);
	assert_string_equal(name, longest);
	assert_int_equal(announced_at(announced_owner(getpid()), NULL), 1);
	assert_int_equal(memoir_buffer_install(0, 0), -EINVAL);
	assert_int_equal(memoir_buffer_install(ANNOUNCED_NUMBERS, 0), -EINVAL);
	assert_int_equal(memoir_buffer_install(buffer, -1), -EINVAL);
	assert_int_equal(memoir_buffer_install(buffer, ANNOUNCED_PIDS), -EINVAL);
	assert_int_equal(memoir_buffer_install(buffer + 1, 0), -ENOENT);
	assert_int_equal(memoir_buffer_uninstall(buffer, 0), -ESRCH);
	assert_int_equal(memoir_buffer_remove(0), -EINVAL);
	assert_int_equal(memoir_buffer_remove(ANNOUNCED_NUMBERS), -EINVAL);
	assert_int_equal(memoir_buffer_remove(buffer), 0);
	assert_int_equal(memoir_buffer_remove(buffer), -ENOENT);
	assert_int_equal(memoir_buffer_install(buffer, 0), -ENOENT);
	assert_int_equal(announced_count(ANNOUNCED_BUFFER), 0);
}

/* ---- a model ------------------------------------------------------------------------------- */

#define BUFFERS 12
#define PIDS 5

struct model {
	uint32_t numbers[BUFFERS]; /* 0: none */
	uint64_t sizes[BUFFERS];
	char tags[BUFFERS][8];
	uint32_t counts[BUFFERS][PIDS];
};

/* The last pid there can be is one of them. */
static pid_t pid_at(int i)
{
	return i == PIDS - 1 ? ANNOUNCED_PIDS - 1 : i + 1;
}

static void assert_same(const struct model *m)
{
	struct names_table table;
	size_t expected = 1; /* the owner */

	assert_int_equal(own_names(&table), 0);
	for (int b = 0; b < BUFFERS; b++) {
		uint64_t start = announced_buffer(m->numbers[b]);

		if (!m->numbers[b])
			continue;
		expected++;
		assert_int_equal(announced_length(&table, start), m->sizes[b]);
		assert_string_equal(announced_find(&table, start)->name, m->tags[b]);
		for (int i = 0; i < PIDS; i++) {
			start = announced_reference(m->numbers[b], pid_at(i));
			expected += m->counts[b][i] > 0;
			assert_int_equal(announced_length(&table, start), m->counts[b][i]);
		}
	}
	assert_int_equal(table.announced_count, expected);
	assert_int_equal(table.count, 0);
	names_table_free(&table);
}

static void make(struct model *m, int b)
{
	m->sizes[b] = rand() % 3 ? (uint64_t)rand() + 1 : (uint64_t)rand() << 9 | 1;
	snprintf(m->tags[b], sizeof(m->tags[b]), "tag %d", rand() % 5);
	m->numbers[b] = announce_buffer(m->sizes[b], m->tags[b]);
}

static void step(struct model *m)
{
	int b = rand() % BUFFERS, i = rand() % PIDS;
	uint32_t number = m->numbers[b], *count = &m->counts[b][i];

	if (!number) {
		make(m, b);
	} else if (rand() % 8 == 0) {
		assert_int_equal(memoir_buffer_remove(number), 0);
		m->numbers[b] = 0;
		memset(m->counts[b], 0, sizeof(m->counts[b]));
	} else if (rand() % 2) {
		assert_int_equal(memoir_buffer_install(number, pid_at(i)), 0);
		++*count;
	} else {
		assert_int_equal(memoir_buffer_uninstall(number, pid_at(i)), *count ? 0 : -ESRCH);
		*count -= *count > 0;
	}
}

static void after_each_call_the_table_says_what_a_model_has(void **state)
{
	struct model model = { 0 };

	(void)state;
	srand(5);
	make(&model, 0);
	for (int i = 0; i < 1500; i++) {
		step(&model);
		if (i % 4 == 0)
			assert_same(&model);
	}
	for (int b = 0; b < BUFFERS; b++)
		if (model.numbers[b])
			memoir_buffer_remove(model.numbers[b]);
	assert_int_equal(announced_count(ANNOUNCED_BUFFER) + announced_count(ANNOUNCED_REFERENCE),
			 0);
}

static void names_and_announcements_leave_each_other_alone(void **state)
{
	uint32_t buffer = announce_buffer(PAGE, "stays");
	uint64_t beyond = announced_buffer(buffer);

	(void)state;
	memoir_buffer_install(buffer, 0);
	assert_int_equal(memoir_name(at(beyond), PAGE, "over it"), 0);
	assert_int_equal(memoir_name(at(beyond), PAGE, NULL), 0);
	assert_int_equal(memoir_name(at(beyond), PAGE, "a[b"), -EINVAL);
#ifndef __SANITIZE_THREAD__ /* it looks up what it knows of the addresses */
	assert_int_equal(memoir_unmap(at(beyond), PAGE), -EINVAL);
#endif
	assert_int_equal(memoir_name(at(NAME_ANNOUNCED - PAGE), 2 * PAGE, "up to it"), 0);
	assert_string_equal(own_name_at(at(NAME_ANNOUNCED - 1)), "up to it");
	assert_int_equal(memoir_name(NULL, SIZE_MAX, NULL), 0);
	assert_string_equal(own_name_at(at(NAME_ANNOUNCED - 1)), "");
	assert_int_equal(announced_size(buffer), PAGE);
	assert_int_equal(announced_references(buffer, getpid()), 1);
	assert_int_equal(memoir_buffer_remove(buffer), 0);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void a_process_has_so_many_references(void **state)
{
	uint32_t buffer = announce_buffer(1, NULL);

	(void)state;
	for (uint32_t i = 0; i < ANNOUNCED_COUNT_MAX; i++)
		if (memoir_buffer_install(buffer, 7) < 0)
			fail();
	assert_int_equal(memoir_buffer_install(buffer, 7), -EOVERFLOW);
	assert_int_equal(memoir_buffer_install(buffer, 8), 0);
	assert_int_equal(announced_references(buffer, 7), ANNOUNCED_COUNT_MAX);
	assert_int_equal(announced_references(buffer, 8), 1);
	assert_int_equal(memoir_buffer_uninstall(buffer, 7), 0);
	assert_int_equal(memoir_buffer_install(buffer, 7), 0);
	assert_int_equal(memoir_buffer_remove(buffer), 0);
	assert_int_equal(announced_count(ANNOUNCED_REFERENCE), 0);
}

/* What a reader would refuse is not written: a full table has nothing more, and is good. */
static void a_full_table_can_be_read(void **state)
{
	pid_t pid = fork();
	int status = -1;

	(void)state;
	if (pid == 0) {
		uint32_t buffer;

		if (memoir_name(at(PAGE), PAGE, "first") < 0)
			_exit(1);
		while (space_alloc())
			;
		/* Of a new name, and of ranges for which a leaf has to be split. */
		for (uint64_t i = 1; i < 200; i++)
			if (memoir_name(at(i * 2 * PAGE), PAGE, "first") == -ENOMEM)
				break;
		if (memoir_buffer_init(PAGE, "a tag that is new", &buffer) != -ENOMEM)
			_exit(2);
		if (space.header->used_bytes != NAME_SPACE_BYTES)
			_exit(3);
		_exit(strcmp(own_name_at(at(PAGE)), "first") == 0 ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- tags of files -------------------------------------------------------------------------- */

static void files_of_memory_have_tags(void **state)
{
	int fd = memfd_create("tagged", MFD_CLOEXEC), pipes[2];
	char name[MEMOIR_NAME_MAX];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(memoir_tag_fd(-1, "x"), -EBADF);
	assert_int_equal(memoir_tag_fd(pipes[0], "x"), -EINVAL);
	assert_int_equal(memoir_tag_fd(fd, "a[b"), -EINVAL);
	assert_int_equal(memoir_tag_fd(fd, "frames"), 0);
	assert_int_equal(announced_file_tag(fd, name), 1);
	assert_string_equal(name, "frames");
	assert_int_equal(memoir_tag_fd(fd, "other"), 0);
	announced_file_tag(fd, name);
	assert_string_equal(name, "other");
	assert_int_equal(memoir_tag_fd(fd, NULL), 0);
	assert_int_equal(announced_file_tag(fd, name), 0);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

/* ---- where names are kept -------------------------------------------------------------------- */

static int run_with(const char *mode, const char *what)
{
	pid_t pid = fork();

	if (pid == 0) {
		setenv("MEMOIR_NAMES", mode, 1);
		execl("/proc/self/exe", "test_announce", mode, what, NULL);
		_exit(127);
	}
	return announced_wait_for(pid);
}

/* In the program of its own. */
static int announce_with(const char *mode)
{
	bool off = strcmp(mode, "off") == 0;
	uint32_t buffer = 0;
	int fd = memfd_create("tagged", MFD_CLOEXEC);

	if (memoir_tag_fd(fd, "frames") < 0 || memoir_buffer_init(5, "x", &buffer) < 0 || !buffer ||
	    memoir_buffer_install(buffer, 0) < 0)
		return 1;
	if (!own_anchor() != off || announced_count(ANNOUNCED_TAG) != !off ||
	    (announced_size(buffer) == 5) == off)
		return 2;
	if (memoir_buffer_uninstall(buffer, 0) < 0 || memoir_buffer_remove(buffer) < 0 ||
	    memoir_buffer_remove(buffer) != -ENOENT)
		return 3;
	return 0;
}

/* With nothing kept, which would be a million buffers. */
static int take_all_numbers(void)
{
	static uint8_t seen[ANNOUNCED_NUMBERS];
	uint32_t buffer = 0, last = 0;

	for (uint32_t i = 1; i < ANNOUNCED_NUMBERS; i++) {
		if (memoir_buffer_init(PAGE, NULL, &buffer) < 0 || seen[buffer]++)
			return 1;
		last = buffer;
	}
	if (memoir_buffer_init(PAGE, NULL, &buffer) != -ENOSPC || buffer != last)
		return 2;
	if (memoir_buffer_remove(last / 2) < 0 || memoir_buffer_init(PAGE, NULL, &buffer) < 0 ||
	    buffer != last / 2)
		return 3;
	return 0;
}

static void numbers_come_to_an_end_and_are_given_again(void **state)
{
	(void)state;
	assert_int_equal(run_with("off", "numbers"), 0);
}

static void announcements_are_kept_wherever_names_are(void **state)
{
	(void)state;
	assert_int_equal(run_with("off", "announce"), 0);
	assert_int_equal(run_with("kernel", "announce"), 0);
	assert_int_equal(run_with("both", "announce"), 0);
	assert_int_equal(run_with("auto", "announce"), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_checked),
		cmocka_unit_test(after_each_call_the_table_says_what_a_model_has),
		cmocka_unit_test(names_and_announcements_leave_each_other_alone),
		cmocka_unit_test(a_process_has_so_many_references),
		cmocka_unit_test(numbers_come_to_an_end_and_are_given_again),
		cmocka_unit_test(a_full_table_can_be_read),
		cmocka_unit_test(files_of_memory_have_tags),
		cmocka_unit_test(announcements_are_kept_wherever_names_are),
	};

	if (argc > 2)
		return strcmp(argv[2], "numbers") == 0 ? take_all_numbers()
						       : announce_with(argv[1]);
	own_names_by_table();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
