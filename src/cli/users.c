// SPDX-License-Identifier: MIT
/*
 * Names of users, asked for once each, as the user database may be slow.
 */
#include "cli/users.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

const char *user_name(uid_t uid, char buf[MEMOIR_USER_NAME_MAX], void *unused)
{
	struct passwd entry, *found = NULL;
	char room[16384];

	(void)unused;
	if (getpwuid_r(uid, &entry, room, sizeof(room), &found) != 0 || !found)
		return NULL;
	size_t len = strlen(entry.pw_name);

	return len < MEMOIR_USER_NAME_MAX ? memcpy(buf, entry.pw_name, len + 1) : NULL;
}

static const char *ask(struct users *users, uid_t uid)
{
	char buf[MEMOIR_USER_NAME_MAX];
	const char *name = user_name(uid, buf, NULL);

	if (!name) {
		snprintf(buf, sizeof(buf), "%u", (unsigned int)uid);
		name = buf;
	}
	if (!users->strings)
		users->strings = strpool_new();
	return users->strings ? strpool_add(users->strings, name, strlen(name)) : NULL;
}

const char *users_name(struct users *users, uid_t uid)
{
	uint32_t index = u64map_get(&users->by_uid, uid);

	if (index != U64MAP_NONE)
		return users->names[index];
	const char **names = grow(users->names, &users->room, users->count + 1, sizeof(*names));

	if (!names)
		return NULL;
	users->names = names;
	const char *name = ask(users, uid);

	if (!name || u64map_set(&users->by_uid, uid, (uint32_t)users->count) < 0)
		return NULL;
	return names[users->count++] = name;
}

void users_free(struct users *users)
{
	u64map_free(&users->by_uid);
	free(users->names);
	if (users->strings)
		strpool_free(users->strings);
	*users = (struct users){ 0 };
}
