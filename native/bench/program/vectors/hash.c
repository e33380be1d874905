/* SPDX-License-Identifier: GPL-2.0-only */
/* A hash of four lanes of 64 bits, by products of 32, shifts and shuffles, as xxHash's are. */
#include <immintrin.h>

#include "program.h"

enum { BYTES = 4096 };

static uint64_t hash(const uint8_t *text, uint64_t seed)
{
	const __m256i key = _mm256_set_epi64x(0x1cad21f72c81017c, (int64_t)0xdb979083e96dd4de, 0x1f67b3b7a4a44072, 0x78e5c0cc4ee679cb);
	__m256i state = _mm256_set1_epi64x((int64_t)seed);

	for (unsigned i = 0; i < BYTES; i += 32) {
		__m256i part = _mm256_loadu_si256((const __m256i *)(text + i)), mixed = _mm256_xor_si256(part, key);
		__m256i product = _mm256_mul_epu32(mixed, _mm256_srli_epi64(mixed, 32));

		state = _mm256_add_epi64(state, _mm256_add_epi64(product, _mm256_shuffle_epi32(part, 0x4e)));
		state = _mm256_xor_si256(state, _mm256_srli_epi64(state, 47));
	}
	return (uint64_t)(_mm256_extract_epi64(state, 0) ^ _mm256_extract_epi64(state, 1) * 3 ^
			  _mm256_extract_epi64(state, 2) * 5 ^ _mm256_extract_epi64(state, 3) * 7);
}

__attribute__((section(".text.program"))) uint64_t program(uint64_t iterations)
{
	uint8_t text[BYTES] __attribute__((aligned(32)));
	uint64_t sum = 0;

	for (unsigned i = 0; i < BYTES; i++)
		text[i] = (uint8_t)(i * 7 % 251);
	for (uint64_t n = 0; n < iterations; n++) {
		text[n % BYTES]++;
		__asm__ volatile("" : : "r"(text) : "memory");
		sum = hash(text, sum);
	}
	return sum;
}
