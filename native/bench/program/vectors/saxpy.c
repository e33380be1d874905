/* SPDX-License-Identifier: GPL-2.0-only */
/* y += a * x, by fused products of eight floats. */
#include <immintrin.h>

#include "program.h"

enum { FLOATS = 1024 };

__attribute__((section(".text.program"))) uint64_t program(uint64_t iterations)
{
	float x[FLOATS] __attribute__((aligned(32))), y[FLOATS] __attribute__((aligned(32)));
	uint64_t sum = 0;

	for (unsigned i = 0; i < FLOATS; i++) {
		x[i] = (float)(i % 17) * 0.25f;
		y[i] = (float)(i % 5);
	}
	for (uint64_t n = 0; n < iterations; n++) {
		const __m256 a = _mm256_set1_ps(n % 2 ? 0.5f : -0.5f);

		for (unsigned i = 0; i < FLOATS; i += 8)
			_mm256_store_ps(y + i, _mm256_fmadd_ps(a, _mm256_load_ps(x + i), _mm256_load_ps(y + i)));
		/* Keeps the loop over all of it from becoming one over each. */
		__asm__ volatile("" : : "r"(x), "r"(y) : "memory");
	}
	for (unsigned i = 0; i < FLOATS; i++)
		sum = sum * 31 + (uint64_t)(int64_t)(y[i] * 8);
	return sum;
}
