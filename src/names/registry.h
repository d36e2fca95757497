/* SPDX-License-Identifier: MIT */
/*
 * Links that say what the ids of names stand for: DIR/ID -> name, for people and scripts. An id is
 * made of the name, so that whoever sees a name may make its link, and nothing depends on it. What others put there is
 * taken as it is: nothing is followed, nothing is believed that does not fit.
 */
#ifndef MEMOIR_NAMES_REGISTRY_H
#define MEMOIR_NAMES_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No more links are made than that: each may take a page of RAM. Nor are more entries looked at than the other. */
#define REGISTRY_LINKS_MAX 8192u
#define REGISTRY_ENTRIES_MAX (8u * REGISTRY_LINKS_MAX)

struct registry;

/*
 * Open `base`/memoir/names, where base is an absolute path without links (/run, XDG_RUNTIME_DIR); `make` what is not
 * there. base has to be a directory of root's or this user's that nobody else may write to; memoir and names
 * have to be this user's, and such. 0; -ENOENT: there is none; -EPERM: a directory is somebody else's, or others may
 * write to it; -ELOOP, -ENOTDIR: it is a link, or no directory; or another errno of openat, mkdirat.
 */
int registry_open(const char *base, bool make, struct registry **ret_registry);
void registry_close(struct registry *registry);

/*
 * Make the link. 1: made; 0: it is there and says the same; -EEXIST: there it says something else;
 * -ENOSPC: there are too many; -EINVAL: a name that no link can have ("", or longer than 255 bytes);
 * or another errno of symlinkat.
 */
int registry_add(struct registry *registry, uint64_t id, const char *name);

/* The name that a link says into buf, NUL-terminated. Its length; -ENOENT, -E2BIG, -EINVAL: no link. */
#define REGISTRY_NAME_MAX 256
int registry_read(const struct registry *registry, uint64_t id, char name[REGISTRY_NAME_MAX]);

/*
 * Hand out all links, in no order; `each` returns whether to remove it. made_ns is when it was made, of CLOCK_REALTIME,
 * some milliseconds early at most. What is no link with an id for its name
 * is left alone and counted. 0; or a negative errno.
 */
typedef bool (*registry_fn)(uint64_t id, const char *name, uint64_t made_ns, void *arg);
int registry_each(struct registry *registry, registry_fn each, void *arg, size_t *ret_strange);

#endif
