/* SPDX-License-Identifier: MIT */
/*
 * Which function of a loaded object an address is in, as far as its dynamic symbols tell. dladdr(3) takes
 * the loader's lock, which a thread may hold that waits for what the caller holds (an allocator's lock);
 * this takes none, and is good in signal handlers.
 */
#ifndef MEMOIR_PRELOAD_SYMBOL_H
#define MEMOIR_PRELOAD_SYMBOL_H

#include <link.h>
#include <stdint.h>

/*
 * The function's name, in the object's memory; NULL: no exported function has the address. The object has to
 * stay loaded meanwhile. Cost: all its symbols are looked at, some ns each.
 */
const char *symbol_at(const struct link_map *object, uintptr_t address);

#endif
