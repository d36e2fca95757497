/*
 * What mkheld's cases share: what is true of a file or of memory, and how it is said. Nothing here may
 * ask memoir.
 */
#ifndef MKHELD_H
#define MKHELD_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define PAGE_BYTES UINT64_C(4096)

/* make() runs in a child of its own and ends in stay(), as does each process that it starts. */
struct held_case {
	const char *name;
	void (*make)(const char *name, const char *directory);
	unsigned int processes; /* that call stay() */
};

/* Ends with a row whose name is NULL. */
extern const struct held_case held_cases[];

/* Remove what would outlive its processes. */
void held_cleanup(void);

/* What is true of an object. */
struct held {
	const char *name, *kind, *fate;
	const char *only; /* "bpf": by text it is another object; NULL: by all */
	dev_t dev;
	ino_t inode;
	uint64_t size_bytes, resident_pages, swapped_pages;
	char holders[512];
};

struct held of_fd(const char *name, const char *kind, const char *fate, int fd);
struct held of_mapping(const char *name, const char *kind, const char *fate, const void *start,
		       uint64_t pages);
void held_by(struct held *held, pid_t pid, int fd);
void say(const struct held *held);

void write_pages(int fd, uint64_t pages);

/* 0 in the child, which dies with its parent. */
pid_t fork_child(void);
__attribute__((noreturn)) void stay(void);
__attribute__((noreturn)) void skip(const char *name, const char *why);
__attribute__((noreturn)) void broken(const char *what);

#endif
