/* SPDX-License-Identifier: GPL-2.0-only */
/* How far it is to a byte, 64 at a time, as C libraries look for it. */
#include <immintrin.h>

#include "program.h"

enum { BYTES = 4096 };

static unsigned find(const uint8_t *text, uint8_t byte)
{
	const __m256i wanted = _mm256_set1_epi8((char)byte);

	for (unsigned i = 0; i < BYTES; i += 64) {
		__m256i low = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(text + i)), wanted);
		__m256i high = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(text + i + 32)), wanted);

		if (!_mm256_testz_si256(_mm256_or_si256(low, high), _mm256_or_si256(low, high))) {
			uint64_t mask = (uint32_t)_mm256_movemask_epi8(low);

			mask |= (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
			return i + (unsigned)__builtin_ctzll(mask);
		}
	}
	return BYTES;
}

__attribute__((section(".text.program"))) uint64_t program(uint64_t iterations)
{
	uint8_t text[BYTES] __attribute__((aligned(32)));
	uint64_t sum = 0;

	for (unsigned i = 0; i < BYTES; i++)
		text[i] = (uint8_t)(i * 7 % 128);
	for (uint64_t n = 0; n < iterations; n++) {
		unsigned at = BYTES - 1 - (unsigned)(n * 331 % 2000);

		text[at] = 200;
		__asm__ volatile("" : : "r"(text) : "memory");
		sum = sum * 3 + find(text, 200);
		text[at] = 1;
	}
	return sum;
}
