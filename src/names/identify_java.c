// SPDX-License-Identifier: MIT
/*
 * The memory of a Java virtual machine, as HotSpot itself describes it to debuggers: gHotSpotVMStructs
 * says where its variables are and how its structures are laid out.
 */
#include <stdlib.h>

#include "names/identify_rules.h"

#define ENTRIES_MAX 16384
#define LOADERS_MAX 256
#define KLASSES_MAX 4096
#define METASPACE_GRANULE (64 * KIB)

/* struct VMStructEntry of share/runtime/vmStructs.hpp. */
struct vm_entry {
	uint64_t type, field, type_string;
	uint32_t is_static, unused;
	uint64_t offset, address;
};

enum vm_field {
	HEAP, /* pointers to variables … */
	CODE_LOW,
	CODE_HIGH,
	LOADERS,
	HEAP_RESERVED, /* … and offsets of members */
	RANGE_START,
	RANGE_WORDS,
	LOADER_NEXT,
	LOADER_KLASSES,
	KLASS_NEXT,
	KLASS_CONSTANTS,
	CONSTANTS_HOLDER,
	VM_FIELDS,
};

static const struct {
	const char *type, *field;
} wanted[VM_FIELDS] = {
	[HEAP] = { "Universe", "_collectedHeap" },
	[CODE_LOW] = { "CodeCache", "_low_bound" },
	[CODE_HIGH] = { "CodeCache", "_high_bound" },
	[LOADERS] = { "ClassLoaderDataGraph", "_head" },
	[HEAP_RESERVED] = { "CollectedHeap", "_reserved" },
	[RANGE_START] = { "MemRegion", "_start" },
	[RANGE_WORDS] = { "MemRegion", "_word_size" },
	[LOADER_NEXT] = { "ClassLoaderData", "_next" },
	[LOADER_KLASSES] = { "ClassLoaderData", "_klasses" },
	[KLASS_NEXT] = { "Klass", "_next_link" },
	[KLASS_CONSTANTS] = { "InstanceKlass", "_constants" },
	[CONSTANTS_HOLDER] = { "ConstantPool", "_pool_holder" },
};

#define STRINGS 32 /* pages of them that are kept */

struct vm {
	struct identify_space *space;
	uint64_t at[VM_FIELDS]; /* address or offset */
	bool known[VM_FIELDS];
	struct {
		uint64_t page;
		char bytes[PAGE];
	} strings[STRINGS];
};

/* ---- the description ------------------------------------------------------------------------ */

static const char *string_page(struct vm *vm, uint64_t page)
{
	size_t slot = page / PAGE % STRINGS;

	if (vm->strings[slot].page == page)
		return vm->strings[slot].bytes;
	vm->strings[slot].page = 0;
	if (!identify_read(vm->space, page, vm->strings[slot].bytes, PAGE))
		return NULL;
	vm->strings[slot].page = page;
	return vm->strings[slot].bytes;
}

/* Many strings share a page, so pages are read. */
static bool is_string(struct vm *vm, uint64_t addr, const char *string)
{
	for (;; addr++, string++) {
		const char *page = string_page(vm, addr & ~(uint64_t)(PAGE - 1));

		if (!page || page[addr % PAGE] != *string)
			return false;
		if (!*string)
			return true;
	}
}

static void take_entry(struct vm *vm, const struct vm_entry *entry)
{
	for (size_t f = 0; f < VM_FIELDS; f++) {
		if (vm->known[f] || entry->is_static != (f < HEAP_RESERVED) ||
		    !is_string(vm, entry->field, wanted[f].field) ||
		    !is_string(vm, entry->type, wanted[f].type))
			continue;
		vm->at[f] = entry->is_static ? entry->address : entry->offset;
		vm->known[f] = true;
	}
}

static void read_description(struct vm *vm, uint64_t base)
{
	uint64_t variable = identify_symbol(vm->space, base, "gHotSpotVMStructs"), table;
	struct vm_entry entry;

	if (!variable || !identify_read(vm->space, variable, &table, sizeof(table)))
		return;
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (!identify_read(vm->space, table + i * sizeof(entry), &entry, sizeof(entry)) ||
		    !entry.type || !entry.field)
			return;
		take_entry(vm, &entry);
	}
}

/* ---- what it leads to ----------------------------------------------------------------------- */

static bool follow(struct vm *vm, uint64_t addr, uint64_t *ret_value)
{
	return identify_read(vm->space, addr, ret_value, sizeof(*ret_value));
}

static bool variable(struct vm *vm, enum vm_field field, uint64_t *ret_value)
{
	return vm->known[field] && follow(vm, vm->at[field], ret_value);
}

static bool member(struct vm *vm, uint64_t object, enum vm_field field, uint64_t *ret_value)
{
	return vm->known[field] && follow(vm, object + vm->at[field], ret_value);
}

/* Only what lies wholly in the range: what is merged with it is something else besides. */
static void mark_range(struct identify_space *space, uint64_t start, uint64_t end,
		       enum identify_kind kind)
{
	for (size_t i = 0; i < space->count; i++) {
		struct identify_region *region = &space->regions[i];

		if (region->form == IDENTIFY_ANON && region->start >= start && region->end <= end)
			identify_mark(region, kind);
	}
}

static void mark_heap(struct vm *vm)
{
	uint64_t heap, start, words;

	if (!variable(vm, HEAP, &heap) || !vm->known[HEAP_RESERVED] ||
	    !member(vm, heap + vm->at[HEAP_RESERVED], RANGE_START, &start) ||
	    !member(vm, heap + vm->at[HEAP_RESERVED], RANGE_WORDS, &words) ||
	    words > (UINT64_MAX - start) / 8)
		return;
	mark_range(vm->space, start, start + words * 8, IDENTIFY_JAVA_HEAP);
}

static void mark_code(struct vm *vm)
{
	uint64_t low, high;

	if (variable(vm, CODE_LOW, &low) && variable(vm, CODE_HIGH, &high))
		mark_range(vm->space, low, high, IDENTIFY_JAVA_CODE);
}

/* Metaspace is made usable by granules: a region that is not of whole ones has been merged. */
static void mark_metaspace(struct vm *vm, uint64_t addr)
{
	struct identify_region *region = identify_at(vm->space, addr);

	if (region && region->form == IDENTIFY_ANON && identify_is_rw(region) &&
	    region->start % METASPACE_GRANULE == 0 && region->end % METASPACE_GRANULE == 0)
		identify_mark(region, IDENTIFY_JAVA_METASPACE);
}

/* A class and its constants point at each other, and both are in metaspace. */
static void mark_klass(struct vm *vm, uint64_t klass)
{
	uint64_t constants, holder;

	if (!member(vm, klass, KLASS_CONSTANTS, &constants) ||
	    !member(vm, constants, CONSTANTS_HOLDER, &holder) || holder != klass)
		return;
	mark_metaspace(vm, klass);
	mark_metaspace(vm, constants);
}

/* The lists may change while they are read: then they end, or come to their limit. */
static void mark_klasses(struct vm *vm)
{
	uint64_t loader, klass;
	size_t klasses = 0;

	if (!variable(vm, LOADERS, &loader))
		return;
	for (size_t l = 0; loader && l < LOADERS_MAX; l++) {
		if (!member(vm, loader, LOADER_KLASSES, &klass))
			return;
		for (; klass && klasses < KLASSES_MAX; klasses++) {
			mark_klass(vm, klass);
			if (!member(vm, klass, KLASS_NEXT, &klass))
				break;
		}
		if (!member(vm, loader, LOADER_NEXT, &loader))
			return;
	}
}

void identify_java(struct identify_space *space)
{
	const struct identify_region *library = identify_first_of(space, PROGRAM_JAVA);
	struct vm *vm = library ? calloc(1, sizeof(*vm)) : NULL;

	if (!vm)
		return;
	vm->space = space;
	read_description(vm, library->start);
	mark_heap(vm);
	mark_code(vm);
	mark_klasses(vm);
	free(vm);
}
