/* SPDX-License-Identifier: MIT */
/*
 * Names of users, from this machine's user database, asked for once each.
 */
#ifndef MEMOIR_CLI_USERS_H
#define MEMOIR_CLI_USERS_H

#include <memoir/select.h>

#include "base/strpool.h"
#include "base/u64map.h"

/* What a selection asks for names. NULL if there is no such user; may be slow (NSS). */
const char *user_name(uid_t uid, char buf[MEMOIR_USER_NAME_MAX], void *unused);

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
