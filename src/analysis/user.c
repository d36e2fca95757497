// SPDX-License-Identifier: MIT
/*
 * User ids as names, from this machine's user database; keeps nothing.
 */
#include "analysis/user.h"

#include <pwd.h>
#include <string.h>

const char *user_name(uid_t uid, char buf[USER_NAME_MAX])
{
	struct passwd entry, *found = NULL;
	char room[16384];

	if (getpwuid_r(uid, &entry, room, sizeof(room), &found) != 0 || !found)
		return NULL;
	size_t len = strlen(entry.pw_name);

	return len < USER_NAME_MAX ? memcpy(buf, entry.pw_name, len + 1) : NULL;
}
