/* SPDX-License-Identifier: GPL-2.0-only */
/* SHA-256 (FIPS 180-4) of messages of several lengths. */
#include "program.h"

static uint32_t constants[64];

struct sha256 {
	uint32_t state[8];
	uint64_t length;
	uint8_t block[64];
};

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

/* The first 32 bits of the fractional part of a prime's root, without floating point: by bisection. */
static uint32_t root_bits(uint32_t prime, int degree)
{
	unsigned __int128 low = 0, high = (unsigned __int128)1 << 37;

	while (high - low > 1) {
		unsigned __int128 middle = (low + high) / 2;
		bool above;

		if (degree == 2)
			above = middle * middle > (unsigned __int128)prime << 64;
		else
			above = middle * middle / 65536 * middle / 65536 > (unsigned __int128)prime << 64;
		if (above)
			high = middle;
		else
			low = middle;
	}
	return (uint32_t)low;
}

static void prepare(struct sha256 *hash)
{
	unsigned found = 0;

	for (uint32_t n = 2; found < 64; n++) {
		bool prime = true;

		for (uint32_t d = 2; d * d <= n; d++)
			prime &= n % d != 0;
		if (!prime)
			continue;
		if (found < 8)
			hash->state[found] = root_bits(n, 2);
		constants[found++] = root_bits(n, 3);
	}
	hash->length = 0;
}

static void compress(struct sha256 *hash)
{
	uint32_t w[64], s[8];

	for (unsigned i = 0; i < 16; i++) {
		uint32_t word;

		__builtin_memcpy(&word, hash->block + 4 * i, 4);
		w[i] = __builtin_bswap32(word);
	}
	for (unsigned i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
		       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
	__builtin_memcpy(s, hash->state, sizeof(s));
	for (unsigned i = 0; i < 64; i++) {
		uint32_t a = s[0], e = s[4];
		uint32_t t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & s[5]) ^ (~e & s[6])) +
			      constants[i] + w[i];
		uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
			      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

		for (unsigned j = 7; j; j--)
			s[j] = s[j - 1];
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (unsigned i = 0; i < 8; i++)
		hash->state[i] += s[i];
}

static void feed(struct sha256 *hash, const uint8_t *data, size_t n)
{
	for (; n; n--) {
		hash->block[hash->length++ % 64] = *data++;
		if (hash->length % 64 == 0)
			compress(hash);
	}
}

static void finish(struct sha256 *hash)
{
	uint64_t bits = __builtin_bswap64(hash->length * 8);
	uint8_t byte = 0x80;

	feed(hash, &byte, 1);
	for (byte = 0; hash->length % 64 != 56;)
		feed(hash, &byte, 1);
	feed(hash, (const uint8_t *)&bits, 8);
}

void program(void)
{
	static uint8_t message[512];
	struct sha256 empty, hash;
	struct random random = { 1 };

	prepare(&empty);
	hash = empty;
	feed(&hash, (const uint8_t *)"abc", 3);
	finish(&hash);
	check(hash.state[0] == 0xba7816bf && hash.state[7] == 0xf20015ad, "abc");
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)random_next(&random);
	for (unsigned i = 0; i < 4; i++) {
		hash = empty;
		feed(&hash, message + i, 3u << 2 * i);
		finish(&hash);
		print_hex(hash.state[0]);
	}
}
