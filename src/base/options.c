// SPDX-License-Identifier: MIT
/*
 * Takes over structs of options from callers that may be older or newer than the library.
 */
#include "base/options.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

int options_copy(void *set, size_t set_bytes, const void *given, size_t given_bytes,
		 const char *what, struct memoir_error *error)
{
	if (given_bytes < sizeof(size_t))
		return error_set(error, -EINVAL, "%s: sz must be set", what);
	for (size_t i = set_bytes; i < given_bytes; i++)
		if (((const char *)given)[i])
			return error_set(error, -E2BIG, "%s comes from a newer version of memoir",
					 what);
	memcpy(set, given, given_bytes < set_bytes ? given_bytes : set_bytes);
	return 0;
}
