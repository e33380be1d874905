/* SPDX-License-Identifier: GPL-2.0-only */
/* AES-128 of four blocks at a time by bit planes: no table and no branch depends on what is encrypted. */
#include "program.h"

enum { ROUNDS = 10 };

/* Bit b of byte i of block j is bit 16 * j + i of plane b. */
struct planes {
	uint64_t bit[8];
};

static const uint64_t row = 0x1111111111111111;

static struct planes pack(const uint8_t bytes[64])
{
	struct planes p = { { 0 } };

	for (unsigned i = 0; i < 64; i++)
		for (unsigned b = 0; b < 8; b++)
			p.bit[b] |= (uint64_t)(bytes[i] >> b & 1) << i;
	return p;
}

static void unpack(const struct planes *p, uint8_t bytes[64])
{
	for (unsigned i = 0; i < 64; i++) {
		bytes[i] = 0;
		for (unsigned b = 0; b < 8; b++)
			bytes[i] |= (uint8_t)((p->bit[b] >> i & 1) << b);
	}
}

/* x^8 = x^4 + x^3 + x + 1 */
static struct planes reduce(uint64_t wide[15])
{
	struct planes p;

	for (unsigned i = 14; i >= 8; i--) {
		wide[i - 4] ^= wide[i];
		wide[i - 5] ^= wide[i];
		wide[i - 7] ^= wide[i];
		wide[i - 8] ^= wide[i];
	}
	__builtin_memcpy(p.bit, wide, sizeof(p.bit));
	return p;
}

static struct planes product(const struct planes *x, const struct planes *y)
{
	uint64_t wide[15] = { 0 };

	for (unsigned i = 0; i < 8; i++)
		for (unsigned j = 0; j < 8; j++)
			wide[i + j] ^= x->bit[i] & y->bit[j];
	return reduce(wide);
}

static struct planes square(const struct planes *x, unsigned times)
{
	struct planes p = *x;

	for (; times; times--) {
		uint64_t wide[15] = { 0 };

		for (unsigned i = 0; i < 8; i++)
			wide[2 * i] = p.bit[i];
		p = reduce(wide);
	}
	return p;
}

/* x^254 by four products, then the affine map. */
static struct planes substitute(const struct planes *x)
{
	struct planes x2 = square(x, 1), x3 = product(x, &x2), x12 = square(&x3, 2), x15 = product(&x12, &x3);
	struct planes x240 = square(&x15, 4), x14 = product(&x12, &x2), inverse = product(&x240, &x14), p;

	for (unsigned i = 0; i < 8; i++) {
		p.bit[i] = 0x63 >> i & 1 ? ~0ull : 0;
		for (unsigned k = 0; k < 5; k++)
			p.bit[i] ^= inverse.bit[(i + 8 - k) % 8];
	}
	return p;
}

/* Lanes of 16 bits, to the right by n. */
static uint64_t rotate_lanes(uint64_t x, unsigned n)
{
	uint64_t low = 0x0001000100010001ull * (0xffffu >> n);

	return n ? (x >> n & low) | (x << (16 - n) & ~low) : x;
}

static void shift_rows(struct planes *p)
{
	for (unsigned b = 0; b < 8; b++) {
		uint64_t x = p->bit[b], moved = 0;

		for (unsigned r = 0; r < 4; r++)
			moved |= rotate_lanes(x & row << r, 4 * r);
		p->bit[b] = moved;
	}
}

/* The byte of the next row, n further. */
static uint64_t next_row(uint64_t x, unsigned n)
{
	uint64_t low = row * (0xfu >> n);

	return (x >> n & low) | (x << (4 - n) & ~low);
}

static void mix_columns(struct planes *p)
{
	uint64_t sum[8], rest[8];

	for (unsigned b = 0; b < 8; b++) {
		uint64_t x = p->bit[b];

		sum[b] = x ^ next_row(x, 1);
		rest[b] = next_row(x, 1) ^ next_row(x, 2) ^ next_row(x, 3);
	}
	for (unsigned b = 0; b < 8; b++)
		p->bit[b] = (b ? sum[b - 1] : 0) ^ (0x1b >> b & 1 ? sum[7] : 0) ^ rest[b];
}

static void add(struct planes *p, const struct planes *key)
{
	for (unsigned b = 0; b < 8; b++)
		p->bit[b] ^= key->bit[b];
}

static void encrypt(struct planes *p, const struct planes keys[ROUNDS + 1])
{
	add(p, &keys[0]);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		*p = substitute(p);
		shift_rows(p);
		if (round != ROUNDS)
			mix_columns(p);
		add(p, &keys[round]);
	}
}

/* The four bytes of a word, by the box above. */
static void expand(const uint8_t key[16], struct planes keys[ROUNDS + 1])
{
	uint8_t bytes[16 * (ROUNDS + 1)], four[64], constant = 1;

	__builtin_memcpy(bytes, key, 16);
	for (unsigned i = 16; i < sizeof(bytes); i += 4) {
		uint8_t word[64] = { 0 };

		__builtin_memcpy(word, bytes + i - 4, 4);
		if (i % 16 == 0) {
			struct planes p = pack(word);

			p = substitute(&p);
			unpack(&p, word);
			word[4] = word[0];
			__builtin_memmove(word, word + 1, 4);
			word[0] ^= constant;
			constant = (uint8_t)(constant << 1 ^ (constant & 0x80 ? 0x1b : 0));
		}
		for (unsigned j = 0; j < 4; j++)
			bytes[i + j] = bytes[i + j - 16] ^ word[j];
	}
	for (unsigned r = 0; r <= ROUNDS; r++) {
		for (unsigned i = 0; i < 64; i++)
			four[i] = bytes[16 * r + i % 16];
		keys[r] = pack(four);
	}
}

void program(void)
{
	static struct planes keys[ROUNDS + 1];
	uint8_t key[16], text[64];
	struct planes p;
	uint64_t first;

	for (unsigned i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	for (unsigned i = 0; i < 64; i++)
		text[i] = (uint8_t)(i % 16 * 0x11 ^ i / 16);
	expand(key, keys);
	p = pack(text);
	encrypt(&p, keys);
	unpack(&p, text);
	__builtin_memcpy(&first, text, 8);
	check(first == 0x30047b6ad8e0c469, "FIPS 197, C.1");
	encrypt(&p, keys);
	print_hex(digest(&p, sizeof(p)) ^ digest(text, sizeof(text)));
}
