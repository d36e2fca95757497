// SPDX-License-Identifier: MIT
/*
 * Opens SQLite's library and finds its functions. Calls none of them.
 */
#include "store/sqlite.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct sqlite sqlite;

static bool find_functions(void *library, struct sqlite *to)
{
#define FIND(name)                                                         \
	to->name = (__typeof__(to->name))dlsym(library, "sqlite3_" #name); \
	if (!to->name)                                                     \
		return false;
	STORE_SQLITE_FUNCTIONS(FIND)
#undef FIND
	return true;
}

int sqlite_load_from(const char *name, struct sqlite *ret, struct memoir_error *error)
{
	struct sqlite found;
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (library && find_functions(library, &found)) {
		*ret = found;
		return 0;
	}
	/* The loader's words name the library, and what it lacks. */
	error_set(error, -ELIBACC,
		  "snapshot files take SQLite's library, which can't be loaded (%s): it is the "
		  "package libsqlite3-0 (Debian, Ubuntu) or sqlite-libs (Fedora)",
		  dlerror());
	if (library)
		dlclose(library);
	return -ELIBACC;
}

int sqlite_load(struct memoir_error *error)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static bool loaded;
	int err = 0;

	pthread_mutex_lock(&lock);
	if (!loaded)
		err = sqlite_load_from("libsqlite3.so.0", &sqlite, error);
	loaded = !err;
	pthread_mutex_unlock(&lock);
	return err;
}
