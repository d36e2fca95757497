/* SPDX-License-Identifier: MIT */
/*
 * What the rules of mknames are made with.
 */
#ifndef MEMOIR_TESTS_MKNAMES_H
#define MEMOIR_TESTS_MKNAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096ul
#define RETURNED_MAX 16
#define NAME_ROOM 128

/* A rule's own six pages of private anonymous memory, and what came of it. */
struct ground {
	const char *rule;
	char *base;
	size_t pages;
	pid_t pid;
	int returned[RETURNED_MAX];
	int count;
};

struct rule {
	const char *name; /* NULL ends them */
	void (*run)(struct ground *g);
	bool on_stack; /* its memory is the stack's */
};

/* Of ranges and arguments; of what is named; of what becomes of it later. */
extern const struct rule range_rules[], target_rules[], life_rules[];

extern bool by_library;
extern const char *own_path;

void check(bool good, const char *what);

/* Name memory by what is asked for: what it returned. */
int give(void *addr, size_t len, const char *name);
void note(struct ground *g, int returned);

/* Names of a rule are its own: the rule and a letter. NULL clears. */
void name_bytes(struct ground *g, size_t from, size_t len, const char *letter);
void name_pages(struct ground *g, size_t from, size_t to, const char *letter);

void *map_pages(void *at, size_t pages, int prot, int flags, int fd);
void *map_private(void *at, size_t pages);
/* own: by the library's call, if names are given by the library. */
void unmap(struct ground *g, size_t from, size_t to, bool own);

_Noreturn void stay(void);

#endif
