// SPDX-License-Identifier: MIT
/*
 * Reads the symbols of a loaded object where the loader has it in memory.
 */
#include "preload/symbol.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

struct symbols {
	const ElfW(Sym) * table;
	const char *strings;
	const uint32_t *gnu_hash; /* DT_GNU_HASH or else */
	const uint32_t *hash;     /* DT_HASH: says how many there are */
};

/* The loader has relocated these pointers, except where it may not write to them. */
static const void *pointer(const struct link_map *object, const ElfW(Dyn) * entry)
{
	uintptr_t value = entry->d_un.d_ptr;

	return (const void *)(value < object->l_addr ? value + object->l_addr : value);
}

static struct symbols find_symbols(const struct link_map *object)
{
	struct symbols found = { 0 };

	for (const ElfW(Dyn) *entry = object->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_SYMTAB)
			found.table = pointer(object, entry);
		else if (entry->d_tag == DT_STRTAB)
			found.strings = pointer(object, entry);
		else if (entry->d_tag == DT_GNU_HASH)
			found.gnu_hash = pointer(object, entry);
		else if (entry->d_tag == DT_HASH)
			found.hash = pointer(object, entry);
	}
	return found;
}

/* A GNU hash table does not say how many there are: the last of the last chain is the last symbol. */
static uint32_t count_gnu(const uint32_t *hash)
{
	uint32_t buckets = hash[0], first = hash[1], bloom_words = hash[2], last = 0;
	const uint32_t *bucket = hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(*hash));
	const uint32_t *chain = bucket + buckets;

	for (uint32_t i = 0; i < buckets; i++)
		last = bucket[i] > last ? bucket[i] : last;
	if (last < first)
		return 0;
	while (!(chain[last - first] & 1))
		last++;
	return last + 1;
}

static bool is_function(const ElfW(Sym) * symbol)
{
	unsigned int type = symbol->st_info & 0xf;

	return symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC);
}

const char *symbol_at(const struct link_map *object, uintptr_t address)
{
	struct symbols symbols = find_symbols(object);
	uintptr_t offset = address - object->l_addr;
	const ElfW(Sym) *best = NULL;
	uint32_t count;

	if (!symbols.table || !symbols.strings || (!symbols.gnu_hash && !symbols.hash))
		return NULL;
	count = symbols.gnu_hash ? count_gnu(symbols.gnu_hash) : symbols.hash[1];
	for (uint32_t i = 0; i < count; i++) {
		const ElfW(Sym) *symbol = &symbols.table[i];

		if (symbol->st_value <= offset && offset - symbol->st_value < symbol->st_size &&
		    is_function(symbol) && (!best || symbol->st_value > best->st_value))
			best = symbol;
	}
	return best ? symbols.strings + best->st_name : NULL;
}
