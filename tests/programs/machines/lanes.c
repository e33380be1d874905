/* SPDX-License-Identifier: GPL-2.0-only */
/* Gathers, masked loads and stores, shifts by lanes, permutations and fused products: AVX2's and FMA's, or one by one. */
#include "program.h"

enum { SIZE = 64, TABLE = 200 };

static int32_t table[TABLE], indices[SIZE], plain[SIZE], wide[SIZE];
static float factors[SIZE], sums[SIZE];

static int32_t one(unsigned i)
{
	int32_t x = table[indices[i]];
	uint32_t shift = (uint32_t)indices[i ^ 1] & 31;

	return (int32_t)(((uint32_t)x << shift) ^ ((uint32_t)x >> (31 - shift)) ^ (uint32_t)(x >> shift));
}

#ifdef __AVX2__
#include <immintrin.h>

static void all(void)
{
	const __m256i swap = _mm256_setr_epi32(1, 0, 3, 2, 5, 4, 7, 6), most = _mm256_set1_epi32(31);

	for (unsigned i = 0; i < SIZE; i += 8) {
		__m256i index = _mm256_loadu_si256((const __m256i *)(indices + i));
		__m256i x = _mm256_i32gather_epi32(table, index, 4);
		__m256i shift = _mm256_and_si256(_mm256_permutevar8x32_epi32(index, swap), most);
		__m256i y = _mm256_xor_si256(_mm256_sllv_epi32(x, shift), _mm256_srlv_epi32(x, _mm256_sub_epi32(most, shift)));

		_mm256_storeu_si256((__m256i *)(wide + i), _mm256_xor_si256(y, _mm256_srav_epi32(x, shift)));
	}
}

/* Every lane whose number is odd, through a mask: what lies behind the last is not touched. */
static void masked(int32_t *to, const int32_t *from, unsigned n)
{
	for (unsigned i = 0; i < n; i += 8) {
		__m256i lane = _mm256_add_epi32(_mm256_set1_epi32((int)i), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
		__m256i mask = _mm256_and_si256(_mm256_slli_epi32(lane, 31), _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane));

		_mm256_maskstore_epi32(to + i, mask, _mm256_maskload_epi32(from + i, mask));
	}
}

static void fused(void)
{
	__m256 sum = _mm256_setzero_ps();

	for (unsigned i = 0; i < SIZE; i += 8) {
		__m256 x = _mm256_loadu_ps(factors + i), y = _mm256_permute2f128_ps(x, x, 1);

		sum = _mm256_fmadd_ps(x, y, sum);
		sum = _mm256_fnmadd_ps(_mm256_shuffle_ps(x, y, 0x1b), _mm256_blend_ps(x, y, 0x5a), sum);
		_mm256_storeu_ps(sums + i, _mm256_fmsubadd_ps(x, sum, y));
	}
}

static uint32_t bytes(void)
{
	const __m256i reverse = _mm256_broadcastsi128_si256(_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, -1));
	__m256i sum = _mm256_setzero_si256();

	for (unsigned i = 0; i < TABLE - 8; i += 8) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(table + i)), y = _mm256_shuffle_epi8(x, reverse);

		sum = _mm256_add_epi8(sum, _mm256_alignr_epi8(x, y, 5));
		sum = _mm256_xor_si256(sum, _mm256_mulhrs_epi16(x, _mm256_packus_epi32(y, x)));
		sum = _mm256_adds_epi16(sum, _mm256_sad_epu8(x, _mm256_permute4x64_epi64(y, 0x1e)));
		sum = _mm256_max_epu8(sum, _mm256_maddubs_epi16(_mm256_unpackhi_epi8(x, y), sum));
		sum = _mm256_sub_epi64(sum, _mm256_mul_epi32(x, _mm256_cvtepi8_epi32(_mm256_extracti128_si256(y, 1))));
	}
	return (uint32_t)_mm256_movemask_epi8(sum) + (uint32_t)_mm256_extract_epi32(sum, 5);
}
#else
static void all(void)
{
	for (unsigned i = 0; i < SIZE; i++)
		wide[i] = one(i);
}

static void masked(int32_t *to, const int32_t *from, unsigned n)
{
	for (unsigned i = 1; i < n; i += 2)
		to[i] = from[i];
}

static void fused(void)
{
	for (unsigned i = 0; i < SIZE; i++)
		sums[i] = factors[i] * factors[i ^ 4] + (i ? sums[i - 1] : 0);
}

static uint32_t bytes(void)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < TABLE; i++)
		sum = sum * 31 + __builtin_bswap32((uint32_t)table[i]);
	return sum;
}
#endif

void program(void)
{
	static int32_t from[SIZE + 8], to[SIZE + 8];
	struct random random = { 139 };

	for (unsigned i = 0; i < TABLE; i++)
		table[i] = (int32_t)random_next(&random);
	for (unsigned i = 0; i < SIZE; i++) {
		indices[i] = (int32_t)random_below(&random, TABLE);
		factors[i] = (float)random_unit(&random) - 0.5f;
		plain[i] = one(i);
		from[i] = (int32_t)random_next(&random);
	}
	all();
	for (unsigned i = 0; i < SIZE; i++)
		plain[i] = one(i);
	check(memcmp(plain, wide, sizeof(plain)) == 0, "gathered and shifted");
	for (unsigned n = 1; n < SIZE; n += 9) {
		memset(to, 0x55, sizeof(to));
		masked(to, from, n);
		for (unsigned i = 0; i < SIZE + 8; i++)
			check(to[i] == (i < n && i % 2 ? from[i] : 0x55555555), "masked");
	}
	fused();
	print_hex(digest(wide, sizeof(wide)));
	print_hex(digest(sums, sizeof(sums)));
	print_hex(bytes());
}
