/* SPDX-License-Identifier: MIT */
/*
 * Advice on memoir's own memory.
 */
#ifndef MEMOIR_KERNEL_OWN_MEMORY_H
#define MEMOIR_KERNEL_OWN_MEMORY_H

#include <stddef.h>

/* A large array that is about to be filled: let it have huge pages where the machine allows it on request. */
void own_memory_huge(void *array, size_t bytes);

#endif
