/*
 * What mkauto's cases say of their memory. Each step is a line of JSON: ranges that have a name, and ranges that
 * have none; it holds until a line comes in.
 */
#ifndef MEMOIR_TESTS_MKAUTO_H
#define MEMOIR_TESTS_MKAUTO_H

#include <stddef.h>
#include <sys/types.h>

#include "auto_library.h"

#define PAGE 4096ul
#define AREA_PAGES 4096ul

#define ONE "libauto-one.so"
#define TWO "libauto-two.so"

extern const struct auto_library *one, *two;

__attribute__((noreturn)) void broken(const char *what);

/* The page of that number in an area that has no name, for memory at fixed addresses. */
char *at(size_t page);

/* One more line about what is where; NULL: no name. */
void is_named(const void *start, size_t bytes, const char *name);
/* All of it is said: wait. pid: whose memory it is. */
void step(const char *what, pid_t pid);

const struct auto_library *library_open(const char *name, void **ret_handle);

struct auto_case {
	const char *name;
	void (*run)(void);
};
extern const struct auto_case map_cases[], malloc_cases[];

#endif
