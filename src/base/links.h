/* SPDX-License-Identifier: MIT */
/*
 * A directory of symbolic links, each a word and a text, that only one user may write to: for people, scripts and
 * memoir itself to read. What others put there is taken as it is: nothing is followed, nothing is believed that
 * does not fit.
 */
#ifndef MEMOIR_BASE_LINKS_H
#define MEMOIR_BASE_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* No more links are made than that: each may take a page of RAM. Nor are more entries looked at than the other. */
#define LINKS_MAX 8192u
#define LINKS_ENTRIES_MAX (8u * LINKS_MAX)
/* Room for a text and its NUL. */
#define LINKS_TEXT_MAX 256

struct links;

/*
 * Open `base`/memoir/`name`, where base is an absolute path without links (/run, XDG_RUNTIME_DIR); `make` what is not
 * there. base has to be a directory of root's or the owner's that nobody else may write to; the two below it
 * have to be the owner's, and such. 0; -ENOENT: there is none; -EPERM: a directory is somebody else's, or others may
 * write to it; -ELOOP, -ENOTDIR: it is a link, or no directory; or another errno of openat, mkdirat.
 */
int links_open(const char *base, const char *name, uid_t owner, bool make,
	       struct links **ret_links);
void links_close(struct links *links);

/*
 * Make a link. 1: made; 0: it is there and says the same; -EEXIST: there it says something else;
 * -ENOSPC: there are too many; -EINVAL: a text that no link can have ("", or longer than 255 bytes);
 * or another errno of symlinkat.
 */
int links_add(struct links *links, const char *word, const char *text);

/* The same, but what it said before is replaced, in one step: 1 or 0, or an error, as above. */
int links_set(struct links *links, const char *word, const char *text);

/* 0; -ENOENT: there is none; or another errno of unlinkat. */
int links_remove(struct links *links, const char *word);

/* What a link says into text, NUL-terminated. Its length; -ENOENT, -E2BIG, -EINVAL: no link. */
int links_read(const struct links *links, const char *word, char text[LINKS_TEXT_MAX]);

enum link_verdict {
	LINK_KEEP,
	LINK_DROP,    /* remove it */
	LINK_STRANGE, /* not one of ours: left alone */
};

/*
 * Hand out all links, in no order. made_ns is when it was made, of CLOCK_REALTIME, some milliseconds early at
 * most. What is strange, or no link, is left alone and counted. 0; or a negative errno.
 */
typedef enum link_verdict (*links_fn)(const char *word, const char *text, uint64_t made_ns,
				      void *arg);
int links_each(struct links *links, links_fn each, void *arg, size_t *ret_strange);

#endif
