/* SPDX-License-Identifier: GPL-2.0-only */
/* AES-128 (FIPS 197) by tables of words, in counter mode. */
#include "program.h"

enum { ROUNDS = 10, BLOCKS = 40 };

static uint8_t box[256];
static uint32_t tables[4][256];

static uint8_t twice(uint8_t x)
{
	return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1b : 0));
}

static uint32_t rotate(uint32_t x, unsigned n)
{
	return n ? x << n | x >> (32 - n) : x;
}

/* By powers of the generator 3: what is x^n is the inverse of x^(255 - n). */
static void prepare(void)
{
	uint8_t power[255], value = 1;

	for (unsigned i = 0; i < 255; i++) {
		power[i] = value;
		value ^= twice(value);
	}
	for (unsigned i = 0; i < 255; i++) {
		uint8_t x = power[(255 - i) % 255], mixed = x;

		for (unsigned bit = 1; bit < 5; bit++)
			mixed ^= (uint8_t)(x << bit | x >> (8 - bit));
		box[power[i]] = mixed ^ 0x63;
	}
	box[0] = 0x63;
	for (unsigned i = 0; i < 256; i++) {
		uint8_t s = box[i], s2 = twice(s);
		uint32_t word = s2 | (uint32_t)s << 8 | (uint32_t)s << 16 | (uint32_t)(s2 ^ s) << 24;

		for (unsigned t = 0; t < 4; t++)
			tables[t][i] = rotate(word, 8 * t);
	}
}

static void expand(const uint8_t key[16], uint32_t round_keys[4 * (ROUNDS + 1)])
{
	uint8_t constant = 1;

	__builtin_memcpy(round_keys, key, 16);
	for (unsigned i = 4; i < 4 * (ROUNDS + 1); i++) {
		uint32_t word = round_keys[i - 1];

		if (i % 4 == 0) {
			word = rotate(word, 24);
			word = box[word & 255] | (uint32_t)box[word >> 8 & 255] << 8 |
			       (uint32_t)box[word >> 16 & 255] << 16 | (uint32_t)box[word >> 24] << 24;
			word ^= constant;
			constant = twice(constant);
		}
		round_keys[i] = round_keys[i - 4] ^ word;
	}
}

static void encrypt(const uint32_t *keys, const uint8_t in[16], uint8_t out[16])
{
	uint32_t s[4], t[4];

	__builtin_memcpy(s, in, 16);
	for (unsigned i = 0; i < 4; i++)
		s[i] ^= keys[i];
	for (unsigned round = 1; round < ROUNDS; round++) {
		for (unsigned i = 0; i < 4; i++)
			t[i] = tables[0][s[i] & 255] ^ tables[1][s[(i + 1) % 4] >> 8 & 255] ^
			       tables[2][s[(i + 2) % 4] >> 16 & 255] ^ tables[3][s[(i + 3) % 4] >> 24] ^
			       keys[4 * round + i];
		__builtin_memcpy(s, t, sizeof(s));
	}
	for (unsigned i = 0; i < 4; i++)
		t[i] = (box[s[i] & 255] | (uint32_t)box[s[(i + 1) % 4] >> 8 & 255] << 8 |
			(uint32_t)box[s[(i + 2) % 4] >> 16 & 255] << 16 | (uint32_t)box[s[(i + 3) % 4] >> 24] << 24) ^
		       keys[4 * ROUNDS + i];
	__builtin_memcpy(out, t, 16);
}

void program(void)
{
	static uint8_t stream[BLOCKS][16];
	uint32_t keys[4 * (ROUNDS + 1)];
	uint8_t key[16], text[16];
	uint64_t first;

	prepare();
	for (unsigned i = 0; i < 16; i++) {
		key[i] = (uint8_t)i;
		text[i] = (uint8_t)(i * 0x11);
	}
	expand(key, keys);
	encrypt(keys, text, stream[0]);
	__builtin_memcpy(&first, stream[0], 8);
	check(first == 0x30047b6ad8e0c469, "FIPS 197, C.1");
	for (unsigned i = 0; i < BLOCKS; i++) {
		text[15] = (uint8_t)i;
		encrypt(keys, text, stream[i]);
	}
	print_hex(digest(stream, sizeof(stream)));
}
