// SPDX-License-Identifier: MIT
/*
 * Carries out the part of DWARF's call frame instructions that tells where a return address is, for frames
 * that are known by the stack pointer, which those of compiled C++ are without variable arrays.
 */
#include "preload/unwind.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#define STACK_POINTER 7u
#define RETURN_ADDRESS 16u
#elif defined(__aarch64__)
#define STACK_POINTER 31u
#define RETURN_ADDRESS 30u
#else
#define STACK_POINTER UINT32_MAX /* none: nothing is unwound */
#define RETURN_ADDRESS 0u
#endif

#define STATES 4

/* The one way in which linkers write the sorted table, and compilers the addresses. */
enum { PCREL_SDATA4 = 0x1b, UDATA4 = 0x03, DATAREL_SDATA4 = 0x3b };

struct bytes {
	const uint8_t *at, *end;
};

struct rules {
	uint32_t cfa_register;
	int64_t cfa_offset;
	int64_t return_offset; /* from the CFA; 0: it is in a register still */
};

/* What a function's instructions are read with. */
struct cie {
	struct bytes instructions;
	uint64_t code_unit;
	int64_t data_unit;
};

/* ---- numbers -------------------------------------------------------------------------------- */

static uint8_t take_byte(struct bytes *b)
{
	return b->at < b->end ? *b->at++ : 0;
}

static uint32_t take_u32(struct bytes *b)
{
	uint32_t value = 0;

	if (b->end - b->at >= 4)
		memcpy(&value, b->at, sizeof(value));
	b->at = b->end - b->at >= 4 ? b->at + 4 : b->end;
	return value;
}

static uint64_t take_leb(struct bytes *b, bool is_signed)
{
	uint64_t value = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		byte = take_byte(b);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && byte & 0x40 && shift < 64)
		value |= ~UINT64_C(0) << shift;
	return value;
}

static uint64_t take_uleb(struct bytes *b)
{
	return take_leb(b, false);
}

static int64_t take_sleb(struct bytes *b)
{
	return (int64_t)take_leb(b, true);
}

/* A distance of 32 bits from where it stands. */
static uintptr_t take_pcrel(struct bytes *b)
{
	uintptr_t from = (uintptr_t)b->at;

	return from + (uintptr_t)(intptr_t)(int32_t)take_u32(b);
}

/* A record of .eh_frame without its length. */
static struct bytes record_at(uintptr_t address)
{
	struct bytes record = { (const uint8_t *)address, (const uint8_t *)address + 4 };
	uint32_t bytes = take_u32(&record);

	/* 64-bit records are of no program that there is. */
	record.end = record.at + (bytes == UINT32_MAX ? 0 : bytes);
	return record;
}

/* ---- finding -------------------------------------------------------------------------------- */

/* The record of the last function that begins at pc or before, by .eh_frame_hdr; 0: there is none. */
static uintptr_t find_fde(const uint8_t *header, uintptr_t pc)
{
	struct bytes b = { header + 4, header + 12 };
	struct {
		int32_t begin, fde;
	} entry;
	uint32_t low = 0, high;

	if (!header || header[0] != 1 || header[1] != PCREL_SDATA4 || header[2] != UDATA4 ||
	    header[3] != DATAREL_SDATA4)
		return 0;
	take_u32(&b);
	high = take_u32(&b);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		memcpy(&entry, header + 12 + middle * sizeof(entry), sizeof(entry));
		if ((uintptr_t)header + (uintptr_t)(intptr_t)entry.begin <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return 0;
	memcpy(&entry, header + 12 + (low - 1) * sizeof(entry), sizeof(entry));
	return (uintptr_t)header + (uintptr_t)(intptr_t)entry.fde;
}

/* The letters behind the z, each with its data; false: not all is as compilers write it. */
static bool read_augmentation(struct bytes data, const char *letters)
{
	bool known = false;

	for (; *letters; letters++) {
		if (*letters == 'R')
			known = take_byte(&data) == PCREL_SDATA4;
		else if (*letters == 'L')
			take_byte(&data);
		else if (*letters == 'P') /* a pointer, of the size that its encoding says */
			data.at += (take_byte(&data) & 0x07) == 0x03 ? 4 : 8;
		else if (*letters != 'B')
			return false; /* S: a signal's frame */
	}
	return known;
}

static bool read_cie(uintptr_t address, struct cie *cie)
{
	struct bytes b = record_at(address);
	const char *letters;
	uint64_t bytes;

	if (take_u32(&b) != 0 || take_byte(&b) != 1)
		return false;
	letters = (const char *)b.at;
	b.at += strnlen(letters, (size_t)(b.end - b.at)) + 1;
	if (*letters != 'z' || b.at >= b.end)
		return false;
	cie->code_unit = take_uleb(&b);
	cie->data_unit = take_sleb(&b);
	if (take_byte(&b) != RETURN_ADDRESS)
		return false;
	bytes = take_uleb(&b);
	if (bytes > (size_t)(b.end - b.at))
		return false;
	cie->instructions = (struct bytes){ b.at + bytes, b.end };
	return read_augmentation((struct bytes){ b.at, b.at + bytes }, letters + 1);
}

/* The function's own instructions, and where it begins. */
static bool read_fde(uintptr_t address, uintptr_t pc, struct cie *cie, struct bytes *instructions,
		     uintptr_t *begin)
{
	struct bytes b = record_at(address);
	uintptr_t from = (uintptr_t)b.at;
	uint32_t back = take_u32(&b);

	if (!back || !read_cie(from - back, cie))
		return false;
	*begin = take_pcrel(&b);
	if (pc < *begin || pc - *begin >= take_u32(&b))
		return false;
	b.at += take_uleb(&b);
	*instructions = b;
	return b.at <= b.end;
}

/* ---- instructions --------------------------------------------------------------------------- */

struct run {
	const struct cie *cie;
	struct rules now, initial, kept[STATES];
	uint32_t kept_count;
	uintptr_t at, pc;
};

static void set_offset(struct run *run, uint64_t reg, int64_t offset)
{
	if (reg == RETURN_ADDRESS)
		run->now.return_offset = offset * run->cie->data_unit;
}

/* Those whose operands are in the bytes that follow; false: one that is not known, or no stack pointer's. */
static bool run_extended(struct run *run, uint8_t what, struct bytes *b)
{
	uint64_t reg;

	switch (what) {
	case 0x00: /* nop */
	case 0x2d: /* AArch64: the return address is signed from here on, or no more */
		return true;
	case 0x02: /* advance_loc1 */
		run->at += take_byte(b) * run->cie->code_unit;
		return true;
	case 0x03: { /* advance_loc2 */
		uint64_t low = take_byte(b);

		run->at += (low | (uint64_t)take_byte(b) << 8) * run->cie->code_unit;
		return true;
	}
	case 0x04: /* advance_loc4 */
		run->at += take_u32(b) * run->cie->code_unit;
		return true;
	case 0x05: /* offset_extended */
		reg = take_uleb(b);
		set_offset(run, reg, (int64_t)take_uleb(b));
		return true;
	case 0x07: /* undefined */
	case 0x08: /* same_value */
	case 0x2e: /* GNU_args_size */
		take_uleb(b);
		return true;
	case 0x0a: /* remember_state */
		if (run->kept_count == STATES)
			return false;
		run->kept[run->kept_count++] = run->now;
		return true;
	case 0x0b: /* restore_state */
		if (!run->kept_count)
			return false;
		run->now = run->kept[--run->kept_count];
		return true;
	case 0x0c: /* def_cfa */
		run->now.cfa_register = (uint32_t)take_uleb(b);
		run->now.cfa_offset = (int64_t)take_uleb(b);
		return true;
	case 0x0d: /* def_cfa_register */
		run->now.cfa_register = (uint32_t)take_uleb(b);
		return true;
	case 0x0e: /* def_cfa_offset */
		run->now.cfa_offset = (int64_t)take_uleb(b);
		return true;
	default:
		return false;
	}
}

/* Up to the one that comes behind pc. */
static bool run_instructions(struct run *run, struct bytes b)
{
	while (b.at < b.end && run->at <= run->pc) {
		uint8_t byte = take_byte(&b), low = byte & 0x3f;

		if (byte >> 6 == 1) /* advance_loc */
			run->at += low * run->cie->code_unit;
		else if (byte >> 6 == 2) /* offset */
			set_offset(run, low, (int64_t)take_uleb(&b));
		else if (byte >> 6 == 3 && low == RETURN_ADDRESS) /* restore */
			run->now.return_offset = run->initial.return_offset;
		else if (byte >> 6 == 0 && !run_extended(run, byte, &b))
			return false;
	}
	return true;
}

/* ---- a frame -------------------------------------------------------------------------------- */

bool unwind(struct frame *frame)
{
	struct dl_find_object object;
	struct bytes instructions;
	struct cie cie;
	struct run run = { .cie = &cie, .pc = frame->pc - 1 };
	uintptr_t fde;

	if (_dl_find_object((void *)run.pc, &object) < 0 || !object.dlfo_eh_frame)
		return false;
	fde = find_fde(object.dlfo_eh_frame, run.pc);
	if (!fde || !read_fde(fde, run.pc, &cie, &instructions, &run.at))
		return false;
	if (!run_instructions(&run, cie.instructions))
		return false;
	run.initial = run.now;
	if (!run_instructions(&run, instructions) || run.now.cfa_register != STACK_POINTER ||
	    run.now.cfa_offset <= 0 || run.now.return_offset >= 0)
		return false;
	frame->sp += (uintptr_t)run.now.cfa_offset;
	memcpy(&frame->pc, (const void *)(frame->sp + (uintptr_t)run.now.return_offset),
	       sizeof(frame->pc));
	return true;
}
