/* SPDX-License-Identifier: MIT */
/*
 * Links that say what the ids of names stand for: DIR/ID -> name, for people and scripts. An id is
 * made of the name, so that whoever sees a name may make its link, and nothing depends on it.
 */
#ifndef MEMOIR_NAMES_REGISTRY_H
#define MEMOIR_NAMES_REGISTRY_H

#include "base/links.h"

/* `base`/memoir/names, which has to be this user's: links_open(). Closed by links_close(). */
int registry_open(const char *base, bool make, struct links **ret_registry);

/* As links_add(). */
int registry_add(struct links *registry, uint64_t id, const char *name);

/* As links_read(). */
int registry_read(const struct links *registry, uint64_t id, char name[LINKS_TEXT_MAX]);

/* As links_each(): what is no link with an id for its name is strange; `each` returns whether to remove it. */
typedef bool (*registry_fn)(uint64_t id, const char *name, uint64_t made_ns, void *arg);
int registry_each(struct links *registry, registry_fn each, void *arg, size_t *ret_strange);

#endif
