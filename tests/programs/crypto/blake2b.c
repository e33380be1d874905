/* SPDX-License-Identifier: GPL-2.0-only */
/* BLAKE2b (RFC 7693). */
#include "program.h"

static const uint64_t initial[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static const uint8_t order[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x >> n | x << (64 - n);
}

static inline void mix(uint64_t v[16], unsigned a, unsigned b, unsigned c, unsigned d, uint64_t x, uint64_t y)
{
	v[a] += v[b] + x;
	v[d] = rotate(v[d] ^ v[a], 32);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 24);
	v[a] += v[b] + y;
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 63);
}

static void compress(uint64_t h[8], const uint8_t block[128], uint64_t length, bool last)
{
	uint64_t v[16], m[16];

	__builtin_memcpy(m, block, sizeof(m));
	for (unsigned i = 0; i < 8; i++) {
		v[i] = h[i];
		v[i + 8] = initial[i];
	}
	v[12] ^= length;
	v[14] = last ? ~v[14] : v[14];
	for (unsigned round = 0; round < 12; round++) {
		const uint8_t *s = order[round % 10];

		for (unsigned i = 0; i < 4; i++)
			mix(v, i, i + 4, i + 8, i + 12, m[s[2 * i]], m[s[2 * i + 1]]);
		for (unsigned i = 0; i < 4; i++)
			mix(v, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12, m[s[2 * i + 8]], m[s[2 * i + 9]]);
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

static void blake2b(uint64_t h[8], const uint8_t *data, size_t n)
{
	uint8_t block[128];
	uint64_t done = 0;

	for (unsigned i = 0; i < 8; i++)
		h[i] = initial[i];
	h[0] ^= 0x01010000 ^ 64;
	for (; n - done > sizeof(block); done += sizeof(block))
		compress(h, data + done, done + sizeof(block), false);
	__builtin_memset(block, 0, sizeof(block));
	__builtin_memcpy(block, data + done, n - done);
	compress(h, block, n, true);
}

void program(void)
{
	static uint8_t message[2000];
	struct random random = { 3 };
	uint64_t h[8], sum = 0;

	blake2b(h, (const uint8_t *)"abc", 3);
	check(h[0] == 0x0d4d1c983fa580ba && h[7] == 0x239900d4ed8623b9, "abc");
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)random_next(&random);
	for (unsigned n = 1; n <= sizeof(message); n = n * 3 + 1) {
		blake2b(h, message, n);
		sum ^= h[n % 8];
	}
	print_hex(sum);
}
