// SPDX-License-Identifier: MIT
/*
 * Finds a symbol of a shared object in the memory of another process, as its dynamic linker does.
 */
#include <elf.h>
#include <string.h>

#include "names/identify_rules.h"

#define HEADERS_MAX 64
#define DYNAMIC_MAX 256
#define CHAIN_MAX 4096
#define NAME_MAX_BYTES 64

struct tables {
	uint64_t base;
	uint64_t symbols, strings, hash; /* DT_SYMTAB, DT_STRTAB, DT_GNU_HASH */
};

static bool find_dynamic(struct identify_space *space, uint64_t base, Elf64_Phdr *ret_dynamic)
{
	Elf64_Ehdr header;

	if (!identify_read(space, base, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    header.e_phnum > HEADERS_MAX)
		return false;
	for (uint16_t i = 0; i < header.e_phnum; i++)
		if (!identify_read(space, base + header.e_phoff + i * sizeof(*ret_dynamic),
				   ret_dynamic, sizeof(*ret_dynamic)))
			return false;
		else if (ret_dynamic->p_type == PT_DYNAMIC)
			return true;
	return false;
}

/* glibc writes addresses into the table, others leave offsets. */
static uint64_t absolute(uint64_t base, uint64_t value)
{
	return value < base ? base + value : value;
}

static bool find_tables(struct identify_space *space, uint64_t base, struct tables *ret_tables)
{
	struct tables tables = { .base = base };
	Elf64_Phdr dynamic;
	Elf64_Dyn entry;

	if (!find_dynamic(space, base, &dynamic))
		return false;
	for (size_t i = 0; i < DYNAMIC_MAX; i++) {
		if (!identify_read(space, base + dynamic.p_vaddr + i * sizeof(entry), &entry,
				   sizeof(entry)))
			return false;
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_SYMTAB)
			tables.symbols = absolute(base, entry.d_un.d_ptr);
		if (entry.d_tag == DT_STRTAB)
			tables.strings = absolute(base, entry.d_un.d_ptr);
		if (entry.d_tag == DT_GNU_HASH)
			tables.hash = absolute(base, entry.d_un.d_ptr);
	}
	*ret_tables = tables;
	return tables.symbols && tables.strings && tables.hash;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* The value of the symbol with this index, if that is its name and it is of the object. */
static uint64_t value_if_named(struct identify_space *space, const struct tables *tables,
			       uint32_t index, const char *name)
{
	size_t bytes = strlen(name) + 1;
	char found[NAME_MAX_BYTES];
	Elf64_Sym symbol;

	if (bytes > sizeof(found) ||
	    !identify_read(space, tables->symbols + index * sizeof(symbol), &symbol,
			   sizeof(symbol)) ||
	    symbol.st_shndx == SHN_UNDEF ||
	    !identify_read(space, tables->strings + symbol.st_name, found, bytes) ||
	    memcmp(found, name, bytes) != 0)
		return 0;
	return tables->base + symbol.st_value;
}

static uint64_t search_chain(struct identify_space *space, const struct tables *tables,
			     uint64_t chains, uint32_t first, const char *name)
{
	uint32_t hash = gnu_hash(name), link = 0;

	for (uint32_t i = 0; i < CHAIN_MAX && !(link & 1); i++) {
		uint64_t value = 0;

		if (!identify_read(space, chains + i * sizeof(link), &link, sizeof(link)))
			return 0;
		if ((link | 1) == (hash | 1))
			value = value_if_named(space, tables, first + i, name);
		if (value)
			return value;
	}
	return 0;
}

uint64_t identify_symbol(struct identify_space *space, uint64_t base, const char *name)
{
	struct {
		uint32_t buckets, first, bloom_words, bloom_shift;
	} head;
	struct tables tables;
	uint32_t index;

	if (!find_tables(space, base, &tables) ||
	    !identify_read(space, tables.hash, &head, sizeof(head)) || !head.buckets)
		return 0;
	uint64_t buckets = tables.hash + sizeof(head) + (uint64_t)head.bloom_words * 8;

	if (!identify_read(space, buckets + (uint64_t)(gnu_hash(name) % head.buckets) * 4, &index,
			   sizeof(index)) ||
	    index < head.first)
		return 0;
	uint64_t chains = buckets + ((uint64_t)head.buckets + (index - head.first)) * 4;

	return search_chain(space, &tables, chains, index, name);
}
