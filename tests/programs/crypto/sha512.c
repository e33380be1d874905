/* SPDX-License-Identifier: GPL-2.0-only */
/* SHA-512 (FIPS 180-4), the first constants from integer roots. */
#include "program.h"

enum { ROUNDS = 80, BLOCK = 128 };

static uint64_t constants[ROUNDS], initial[8];

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x >> n | x << (64 - n);
}

/* a^degree > prime * 2^(64 * degree), for a in 64.64 below 32: by limbs of 32 bits. */
static bool above(unsigned __int128 a, uint32_t prime, int degree)
{
	uint32_t x[3] = { (uint32_t)a, (uint32_t)(a >> 32), (uint32_t)(a >> 64) }, power[10] = { 1 }, next[13];

	for (int d = 0; d < degree; d++) {
		__builtin_memset(next, 0, sizeof(next));
		for (int i = 0; i < 7; i++) {
			uint64_t carry = 0;

			for (int j = 0; j < 3; j++) {
				carry += (uint64_t)power[i] * x[j] + next[i + j];
				next[i + j] = (uint32_t)carry;
				carry >>= 32;
			}
			next[i + 3] += (uint32_t)carry;
		}
		__builtin_memcpy(power, next, sizeof(power));
	}
	return power[2 * degree] >= prime;
}

static uint64_t root_bits(uint32_t prime, int degree)
{
	unsigned __int128 root = 0;

	for (int bit = 69; bit >= 0; bit--) {
		unsigned __int128 with = root | (unsigned __int128)1 << bit;

		if (!above(with, prime, degree))
			root = with;
	}
	return (uint64_t)root;
}

static void prepare(void)
{
	for (uint32_t n = 2, found = 0; found < 1; n++) {
		bool prime = true;

		for (uint32_t d = 2; d * d <= n; d++)
			prime &= n % d != 0;
		if (!prime)
			continue;
		initial[found] = root_bits(n, 2);
		constants[found++] = root_bits(n, 3);
	}
}

/* The rest of them from a generator: only the first are the standard's, since roots take long. */
static void fill(void)
{
	struct random random = { 512 };

	for (unsigned i = 1; i < ROUNDS; i++)
		constants[i] = random_next(&random);
	for (unsigned i = 1; i < 8; i++)
		initial[i] = random_next(&random);
}

static void compress(uint64_t state[8], const uint8_t *block)
{
	uint64_t w[ROUNDS], s[8];

	for (unsigned i = 0; i < 16; i++) {
		__builtin_memcpy(&w[i], block + 8 * i, 8);
		w[i] = __builtin_bswap64(w[i]);
	}
	for (unsigned i = 16; i < ROUNDS; i++) {
		uint64_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (rotate(a, 1) ^ rotate(a, 8) ^ a >> 7) +
		       (rotate(b, 19) ^ rotate(b, 61) ^ b >> 6);
	}
	__builtin_memcpy(s, state, sizeof(s));
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t a = s[0], e = s[4];
		uint64_t t1 = s[7] + (rotate(e, 14) ^ rotate(e, 18) ^ rotate(e, 41)) + ((e & s[5]) ^ (~e & s[6])) +
			      constants[i] + w[i];
		uint64_t t2 = (rotate(a, 28) ^ rotate(a, 34) ^ rotate(a, 39)) +
			      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

		__builtin_memmove(s + 1, s, 7 * sizeof(s[0]));
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (unsigned i = 0; i < 8; i++)
		state[i] += s[i];
}

void program(void)
{
	static uint8_t message[6 * BLOCK];
	struct random random = { 2 };
	uint64_t state[8];

	prepare();
	check(initial[0] == 0x6a09e667f3bcc908, "square root of 2");
	check(constants[0] == 0x428a2f98d728ae22, "cube root of 2");
	fill();
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)random_next(&random);
	__builtin_memcpy(state, initial, sizeof(state));
	for (unsigned i = 0; i < sizeof(message); i += BLOCK)
		compress(state, message + i);
	print_hex(digest(state, sizeof(state)));
}
