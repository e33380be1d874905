/* SPDX-License-Identifier: GPL-2.0-only */
/* xoshiro256**: how often what comes, and how far apart: chi-square of bytes, runs, and bits by popcount. */
#include "program.h"

enum { NUMBERS = 1500 };

static uint64_t state[4];

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static uint64_t next(void)
{
	uint64_t result = rotate(state[1] * 5, 7) * 9, t = state[1] << 17;

	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= t;
	state[3] = rotate(state[3], 45);
	return result;
}

/* splitmix64 */
static void seed(uint64_t x)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t z = x += 0x9e3779b97f4a7c15;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		state[i] = z ^ z >> 31;
	}
}

void program(void)
{
	static uint32_t bytes[256], runs[64];
	uint64_t ones = 0, sum = 0, square = 0;

	seed(1);
	check(state[0] == 0x910a2dec89025cc1, "splitmix64");
	for (unsigned i = 0; i < NUMBERS; i++) {
		uint64_t x = next();

		ones += (uint64_t)__builtin_popcountll(x);
		runs[__builtin_ctzll(x | 1ull << 63)]++;
		for (unsigned j = 0; j < 8; j++)
			bytes[x >> 8 * j & 255]++;
		sum ^= x;
	}
	for (unsigned i = 0; i < 256; i++)
		square += (uint64_t)bytes[i] * bytes[i];
	/* 255 degrees of freedom: as good as never out of 150 to 400 */
	square = square * 256 / (NUMBERS * 8) - NUMBERS * 8;
	check(square > 150 && square < 400, "chi-square");
	check(ones > 32 * NUMBERS - 800 && ones < 32 * NUMBERS + 800, "ones");
	check(runs[0] > NUMBERS / 2 - 150 && runs[0] < NUMBERS / 2 + 150, "runs");
	print_number(square);
	print_number(ones);
	print_hex(sum);
}
