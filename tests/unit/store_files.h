/* SPDX-License-Identifier: MIT */
/*
 * Saving the sample, changing what was saved, and a directory for it.
 */
#ifndef MEMOIR_TESTS_STORE_FILES_H
#define MEMOIR_TESTS_STORE_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot_sample.h"

#define FILE_NAME "a.memoir"

/* Between enter_directory() and leave_directory(): where the tests work, and what they save. */
extern char directory[256];
extern struct memoir_snapshot *sample;

int enter_directory(void **state);
int leave_directory(void **state);

/* After each test. */
int empty_directory(void **state);
#define IN_DIRECTORY(test) cmocka_unit_test_teardown(test, empty_directory)

/* How many entries the current directory has; all are removed if asked. */
int entries(bool and_remove);

void save_sample(const char *path);
void assert_loads_as_sample(const char *path);

void put_file(const char *path, const void *bytes, size_t len);
size_t get_file(const char *path, char *bytes, size_t room);

/* Run SQL on a file. */
void sql(const char *path, const char *text);

#endif
