/* SPDX-License-Identifier: MIT */
/*
 * Which of many page table entries are pages that count, a bit each: sixteen at a time where SSE2 is there, which it is on
 * every x86-64. Pure.
 */
#ifndef MEMOIR_KERNEL_PTE_MASKS_H
#define MEMOIR_KERNEL_PTE_MASKS_H

#include <stddef.h>

#include "kernel/pte.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define PTE_MASK_ENTRIES 64u

struct pte_masks {
	uint64_t counted; /* pte_counted() */
	uint64_t odd;     /* neither that nor empty nor special: swapped, migrating, markers */
};

static inline bool pte_odd(uint64_t entry)
{
	return entry && !pte_present(entry);
}

#ifdef __SSE2__
/* Of four entries: the low halves, which have the bits that tell, and what is 0 where the whole entry is. */
struct pte_quad {
	__m128i low, any;
};

static inline struct pte_quad pte_quad(const uint64_t *entries)
{
	__m128 a = _mm_castsi128_ps(_mm_loadu_si128((const void *)entries)),
	       b = _mm_castsi128_ps(_mm_loadu_si128((const void *)(entries + 2)));
	__m128i low = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0))),
		high = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));

	return (struct pte_quad){ low, _mm_or_si128(low, high) };
}

/* All bits set where none is in common. */
static inline __m128i pte_has_none(__m128i low, uint64_t bits)
{
	return _mm_cmpeq_epi32(_mm_and_si128(low, _mm_set1_epi32((int)bits)), _mm_setzero_si128());
}

static inline __m128i pte_absent4(const struct pte_quad *quad)
{
	return pte_has_none(quad->low, PTE_BIT_PRESENT | PTE_BIT_PROTNONE);
}

static inline __m128i pte_counted4(const struct pte_quad *quad)
{
	return _mm_andnot_si128(pte_absent4(quad), pte_has_none(quad->low, PTE_BIT_SPECIAL));
}

static inline __m128i pte_odd4(const struct pte_quad *quad)
{
	return _mm_andnot_si128(_mm_cmpeq_epi32(quad->any, _mm_setzero_si128()), pte_absent4(quad));
}

static inline unsigned int pte_bits16(__m128i a, __m128i b, __m128i c, __m128i d)
{
	return (unsigned int)_mm_movemask_epi8(
		_mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d)));
}

static inline size_t pte_masks_by_16(const uint64_t *entries, size_t n, struct pte_masks *masks)
{
	size_t i = 0;

	for (; i + 16 <= n; i += 16) {
		struct pte_quad q[4];

		for (size_t k = 0; k < 4; k++)
			q[k] = pte_quad(entries + i + k * 4);
		masks->counted |= (uint64_t)pte_bits16(pte_counted4(&q[0]), pte_counted4(&q[1]),
						       pte_counted4(&q[2]), pte_counted4(&q[3]))
				  << i;
		masks->odd |= (uint64_t)pte_bits16(pte_odd4(&q[0]), pte_odd4(&q[1]),
						   pte_odd4(&q[2]), pte_odd4(&q[3]))
			      << i;
	}
	return i;
}
#else
static inline size_t pte_masks_by_16(const uint64_t *entries, size_t n, struct pte_masks *masks)
{
	(void)entries;
	(void)n;
	(void)masks;
	return 0;
}
#endif

/* Of no more than the first PTE_MASK_ENTRIES. */
static inline struct pte_masks pte_masks(const uint64_t *entries, size_t n)
{
	struct pte_masks masks = { 0 };

	if (n > PTE_MASK_ENTRIES)
		n = PTE_MASK_ENTRIES;
	for (size_t i = pte_masks_by_16(entries, n, &masks); i < n; i++) {
		masks.counted |= (uint64_t)pte_counted(entries[i]) << i;
		masks.odd |= (uint64_t)pte_odd(entries[i]) << i;
	}
	return masks;
}

#endif
