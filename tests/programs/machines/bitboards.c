/* SPDX-License-Identifier: GPL-2.0-only */
/* Queens and knights on boards of 64 bits: popcount, the lowest bit, and extraction and deposit of bits by hand. */
#include "program.h"

/* Bits of x under the mask, packed at the bottom: pext. */
static uint64_t extract(uint64_t x, uint64_t mask)
{
	uint64_t result = 0;

	for (unsigned n = 0; mask; n++, mask &= mask - 1)
		result |= (x >> __builtin_ctzll(mask) & 1) << n;
	return result;
}

static uint64_t deposit(uint64_t x, uint64_t mask)
{
	uint64_t result = 0;

	for (; mask; mask &= mask - 1, x >>= 1)
		result |= x & 1 ? mask & -mask : 0;
	return result;
}

#ifdef __BMI2__
#include <x86intrin.h>
#define EXTRACT(x, mask) _pext_u64(x, mask)
#define DEPOSIT(x, mask) _pdep_u64(x, mask)
#else
#define EXTRACT extract
#define DEPOSIT deposit
#endif

static unsigned queens(unsigned row, uint32_t columns, uint32_t left, uint32_t right, unsigned size)
{
	unsigned found = 0;

	if (row == size)
		return 1;
	for (uint32_t free = ~(columns | left | right) & ((1u << size) - 1); free; free &= free - 1) {
		uint32_t here = free & -free;

		found += queens(row + 1, columns | here, (left | here) << 1, (right | here) >> 1, size);
	}
	return found;
}

static const uint64_t a_file = 0x0101010101010101;

static uint64_t knights(uint64_t at)
{
	uint64_t one = (at >> 1 & ~(a_file << 7)) | (at << 1 & ~a_file);
	uint64_t two = (at >> 2 & ~(a_file << 7 | a_file << 6)) | (at << 2 & ~(a_file | a_file << 1));

	return one << 16 | one >> 16 | two << 8 | two >> 8;
}

/* How far a knight has to go, from a corner. */
static unsigned distances(void)
{
	uint64_t seen = 1, edge = 1;
	unsigned sum = 0;

	for (unsigned n = 1; ~seen; n++) {
		edge = knights(edge) & ~seen;
		seen |= edge;
		sum += n * (unsigned)__builtin_popcountll(edge);
	}
	return sum;
}

static uint64_t flip(uint64_t x)
{
	x = (x >> 1 & 0x5555555555555555) | (x & 0x5555555555555555) << 1;
	x = (x >> 2 & 0x3333333333333333) | (x & 0x3333333333333333) << 2;
	x = (x >> 4 & 0x0f0f0f0f0f0f0f0f) | (x & 0x0f0f0f0f0f0f0f0f) << 4;
	return __builtin_bswap64(x);
}

void program(void)
{
	struct random random = { 107 };
	uint64_t sum = 0;

	check(queens(0, 0, 0, 0, 6) == 4, "six queens");
	check(queens(0, 0, 0, 0, 7) == 40, "seven queens");
	check(distances() == 220, "a knight");
	for (unsigned i = 0; i < 60; i++) {
		uint64_t x = random_next(&random), mask = random_next(&random) & random_next(&random);
		uint64_t packed = EXTRACT(x, mask), back = DEPOSIT(packed, mask);
		unsigned n = (unsigned)__builtin_popcountll(mask);

		check(packed == extract(x, mask), "extract");
		check(back == deposit(packed, mask) && back == (x & mask), "deposit");
		check(n == 64 || packed >> n == 0, "as many bits");
		check(flip(flip(x)) == x, "flipped twice");
		/* What BMI is for: x & -x, x & (x - 1), x ^ (x - 1), ~x & y, fields, and counts from both ends. */
		sum = sum * 31 + (x & -x) + (mask & (mask - 1)) + (packed ^ (packed - 1)) + (~x & mask);
		sum += (x >> (i & 63) & ((1ull << (n & 63)) - 1)) + (unsigned)__builtin_clzll(x | 1) +
		       (unsigned)__builtin_ctzll(x | 1ull << 63);
		sum ^= (uint64_t)((unsigned __int128)x * mask >> 64) + (x << (n & 63)) + (uint64_t)((int64_t)x >> (n & 63));
	}
	print_number(distances());
	print_hex(sum);
}
