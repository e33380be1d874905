/* SPDX-License-Identifier: GPL-2.0-only */
/* Floats of 16 bits: rounded by whole numbers in all four ways, and by F16C's instructions where they are. */
#include "program.h"

enum { NUMBERS = 256 };

/* To nearest even, down, up, to zero: as MXCSR numbers them. */
static uint16_t to_half(float value, unsigned mode)
{
	uint32_t bits, sign, mantissa, rest, half;
	int exponent;
	unsigned shift = 13;
	bool up;

	__builtin_memcpy(&bits, &value, 4);
	sign = bits >> 31;
	exponent = (int)(bits >> 23 & 255) - 127 + 15;
	mantissa = bits & 0x7fffff;
	if (exponent == 143)
		return (uint16_t)(sign << 15 | 0x7c00 | (mantissa ? 0x200 | mantissa >> 13 : 0));
	if (exponent <= 0) {
		mantissa |= bits >> 23 & 255 ? 0x800000 : 0;
		shift = exponent < -11 ? 25 : (unsigned)(14 - exponent);
		exponent = 0;
	}
	rest = mantissa & ((1u << shift) - 1);
	half = (uint32_t)exponent << 10 | mantissa >> shift;
	if (exponent >= 31) {
		half = 0x7bff;
		rest = ~0u;
		shift = 13;
	}
	if (mode == 0)
		up = rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && half & 1);
	else
		up = rest && ((mode == 1 && sign) || (mode == 2 && !sign));
	return (uint16_t)(sign << 15 | (half + up));
}

static float from_half(uint16_t half)
{
	uint32_t sign = (uint32_t)half >> 15 << 31, exponent = half >> 10 & 31, mantissa = half & 0x3ff, bits;
	float value;

	if (exponent == 0) {
		value = (float)mantissa * 0x1p-24f;
		__builtin_memcpy(&bits, &value, 4);
		bits |= sign;
	} else if (exponent == 31) {
		bits = sign | 0x7f800000 | (mantissa ? 0x400000 | mantissa << 13 : 0);
	} else {
		bits = sign | (exponent + 112) << 23 | mantissa << 13;
	}
	__builtin_memcpy(&value, &bits, 4);
	return value;
}

static float numbers[NUMBERS], back[NUMBERS];
static uint16_t halves[4][NUMBERS];

#ifdef __F16C__
#include <immintrin.h>

static void by_instructions(void)
{
	for (unsigned i = 0; i < NUMBERS; i += 8) {
		__m256 eight = _mm256_loadu_ps(numbers + i);

		_mm_storeu_si128((__m128i *)(halves[0] + i), _mm256_cvtps_ph(eight, 0));
		_mm_storeu_si128((__m128i *)(halves[1] + i), _mm256_cvtps_ph(eight, 1));
		_mm_storeu_si128((__m128i *)(halves[2] + i), _mm256_cvtps_ph(eight, 2));
		_mm_storeu_si128((__m128i *)(halves[3] + i), _mm256_cvtps_ph(eight, 3));
		_mm256_storeu_ps(back + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(halves[0] + i))));
	}
}
#else
static void by_instructions(void)
{
	for (unsigned mode = 0; mode < 4; mode++)
		for (unsigned i = 0; i < NUMBERS; i++)
			halves[mode][i] = to_half(numbers[i], mode);
	for (unsigned i = 0; i < NUMBERS; i++)
		back[i] = from_half(halves[0][i]);
}
#endif

void program(void)
{
	struct random random = { 137 };

	check(to_half(1.0f, 0) == 0x3c00 && to_half(65519.0f, 0) == 0x7bff && to_half(65520.0f, 0) == 0x7c00, "known ones");
	for (unsigned i = 0; i < NUMBERS; i++) {
		uint32_t bits = (uint32_t)random_next(&random) & 0x807fffff;

		bits |= (i % 16 == 3 ? 255 : 98 + random_below(&random, 48)) << 23;
		bits &= i % 32 == 3 ? 0xff800000 : i % 3 ? ~0u : 0xffffe000;
		__builtin_memcpy(&numbers[i], &bits, 4);
	}
	by_instructions();
	for (unsigned i = 0; i < NUMBERS; i++) {
		float value = from_half(halves[0][i]);

		for (unsigned mode = 0; mode < 4; mode++)
			check(halves[mode][i] == to_half(numbers[i], mode), "rounded");
		check(memcmp(&value, &back[i], 4) == 0, "back");
	}
	print_hex(digest(halves, sizeof(halves)));
	print_hex(digest(back, sizeof(back)));
}
