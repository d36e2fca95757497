// SPDX-License-Identifier: MIT
/*
 * Names of users, asked for once each, as the user database may be slow.
 */
#include "cli/users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/user.h"
#include "base/grow.h"

static const char *ask(struct users *users, uid_t uid)
{
	char buf[USER_NAME_MAX];
	const char *name = user_name(uid, buf);

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
