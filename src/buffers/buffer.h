/* SPDX-License-Identifier: MIT */
/*
 * Classes of shared buffers: one file for each, one table of them (buffers.c). A class tells from what
 * the kernel says of an open or mapped file whether it is one, what it is called, how large it is and
 * what of it is in RAM. Nothing here asks the kernel, and all texts come from strangers.
 */
#ifndef MEMOIR_BUFFERS_BUFFER_H
#define MEMOIR_BUFFERS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum buffer_kind {
	BUFFER_HUGETLB,
	BUFFER_DMABUF,
	BUFFER_DRM,
	BUFFER_MEMFD,
	BUFFER_SYSV,
	BUFFER_SHARED_ANON,
	BUFFER_SHMEM,
	BUFFER_SECRETMEM,
	BUFFER_IO_URING,
	BUFFER_GUEST_MEMFD,
	BUFFER_KINDS,
};

/* What is known of a file, as far as it is. */
struct buffer_clues {
	const char *path; /* as /proc/PID/fd or maps shows it; NULL: none */
	uint32_t magic;   /* of its file system; 0: not known */
	uint32_t mode;    /* of its inode; 0: not known, or none */
	uint32_t rdev;    /* of a device that is open: major << 20 | minor */
	bool on_shmem;    /* its file system is tmpfs or the kernel's own shmem */
	bool on_own_shmem; /* the kernel's own mount of it: there names are the kernel's, but for memfds */
	bool hugetlb;         /* a mapping of huge pages */
	const char *exporter; /* of a dma-buf, NULL: not known */
	uint64_t size_bytes;  /* of the file; 0: not known */
	uint64_t backing;     /* of a udmabuf: the mapping its pages are in; 0: in none */
	bool backing_known;
};

#define BUFFER_TAG_MAX 256
#define BUFFER_PARTS_MAX 16

/* A part of one fd that is a buffer of its own (a DRM client has one for each region of memory). */
struct buffer_part {
	char tag[32];
	uint64_t size_bytes;
	uint64_t resident_bytes;
	uint64_t shared_bytes; /* of size_bytes: what other clients have too */
	bool resident_known;
	bool in_ram; /* false: memory of the device's own */
};

/* What a class finds out. */
struct buffer_facts {
	char tag[BUFFER_TAG_MAX]; /* "": none */
	char exporter[64];        /* who made it: the driver or heap; "": not told */
	uint64_t size_bytes;      /* 0: not known */
	uint64_t resident_bytes;  /* see resident_known */
	uint64_t
		elsewhere_bytes; /* of resident_bytes: what is counted as other memory as well, or no RAM */
	bool resident_known;
	uint64_t id;     /* of a DRM client */
	char device[64]; /* the device that id is good within */
	struct buffer_part parts[BUFFER_PARTS_MAX];
	size_t part_count;
};

struct buffer_class {
	const char *what; /* for people */
	enum buffer_kind kind;
	bool of_shmem; /* its pages look like shared memory, also those that no file has any more */
	bool (*is)(const struct buffer_clues *clues);
	/* What it is called, into facts->tag. NULL: nothing. */
	void (*tag)(const struct buffer_clues *clues, struct buffer_facts *facts);
	/* A line of fdinfo. NULL: its fdinfo tells nothing. */
	void (*line)(struct buffer_facts *facts, const char *key, const char *value);
	/* When all is read. NULL: nothing to do. */
	void (*settle)(const struct buffer_clues *clues, struct buffer_facts *facts);
	/* The clues are enough: fdinfo need not be read. NULL: never, where there is line(). */
	bool (*complete)(const struct buffer_clues *clues);
};

/* The class of a file, or NULL: it is no shared buffer. */
const struct buffer_class *buffer_class_of(const struct buffer_clues *clues);

/* The first class of a kind: what all of a kind have in common (tag()) is the same. */
const struct buffer_class *buffer_class_of_kind(enum buffer_kind kind);

/* All of them, the first that fits is taken; NULL ends them. */
extern const struct buffer_class *const buffer_classes[];

/* Whether fdinfo has to be read. */
bool buffer_wants_fdinfo(const struct buffer_class *class, const struct buffer_clues *clues);

/* What the clues alone tell, before lines of fdinfo are handed to class->line(). */
void buffer_begin(const struct buffer_class *class, const struct buffer_clues *clues,
		  struct buffer_facts *ret_facts);
/* And at the end; a class may turn out to be a closer one, which is returned. */
const struct buffer_class *buffer_settle(const struct buffer_class *class,
					 const struct buffer_clues *clues,
					 struct buffer_facts *facts);

#endif
