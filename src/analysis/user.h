/* SPDX-License-Identifier: MIT */
/*
 * User ids as names, from this machine's user database.
 */
#ifndef MEMOIR_ANALYSIS_USER_H
#define MEMOIR_ANALYSIS_USER_H

#include <sys/types.h>

/* Room for a user's name and its NUL; longer ones count as none. */
#define USER_NAME_MAX 256

/* Write the user's name into buf and return buf; NULL if there is no such user. May be slow (NSS). */
const char *user_name(uid_t uid, char buf[USER_NAME_MAX]);

#endif
