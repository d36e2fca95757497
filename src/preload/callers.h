/* SPDX-License-Identifier: MIT */
/*
 * What memory is called by who asked for it, by the return address: looked up once, then remembered. Takes no
 * lock, allocates nothing, and is good in signal handlers and in children of fork.
 */
#ifndef MEMOIR_PRELOAD_CALLERS_H
#define MEMOIR_PRELOAD_CALLERS_H

#include <memoir/name.h>

#include <stdbool.h>

/*
 * "libfoo.so.1:function"; "": the caller is in no object that the loader knows (code made at run time).
 * Cost: some ns; the first time a look at all symbols of the caller's object.
 */
void callers_name(const void *return_address, char name[MEMOIR_NAME_MAX]);

/*
 * The same for who asked malloc: where that was operator new, or libc, who called these.
 * top: the stack pointer of malloc's caller.
 */
void callers_name_of_malloc(const void *return_address, const void *top,
			    char name[MEMOIR_NAME_MAX]);

/* Whether the call is libmemoir-name's own, whose memory is no business of ours. */
bool callers_is_names(const void *return_address);

/* An object was unloaded: what comes to lie at its addresses is another one. */
void callers_forget(void);

#endif
