/* SPDX-License-Identifier: MIT */
/*
 * Names of users, asked for once each.
 */
#ifndef MEMOIR_CLI_USERS_H
#define MEMOIR_CLI_USERS_H

#include <sys/types.h>

#include "base/strpool.h"
#include "base/u64map.h"

/* All zero is empty. */
struct users {
	struct u64map by_uid;
	const char **names;
	size_t count, room;
	struct strpool *strings;
};

/* The user's name, or the number where this machine has no such user; NULL: no memory. */
const char *users_name(struct users *users, uid_t uid);
void users_free(struct users *users);

#endif
