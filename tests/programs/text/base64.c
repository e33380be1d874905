/* SPDX-License-Identifier: GPL-2.0-only */
/* Base64 (RFC 4648) there and back, of every length; letters by tables and by arithmetic that compilers vectorise. */
#include "program.h"

enum { BYTES = 300 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static uint8_t values[256];

static unsigned encode(const uint8_t *from, unsigned n, char *to)
{
	unsigned length = 0;

	for (unsigned i = 0; i < n; i += 3) {
		uint32_t word = (uint32_t)from[i] << 16 | (i + 1 < n ? (uint32_t)from[i + 1] << 8 : 0) |
				(i + 2 < n ? from[i + 2] : 0);

		to[length++] = letters[word >> 18];
		to[length++] = letters[word >> 12 & 63];
		to[length++] = i + 1 < n ? letters[word >> 6 & 63] : '=';
		to[length++] = i + 2 < n ? letters[word & 63] : '=';
	}
	return length;
}

/* Every six bits in a byte of its own become letters, without a table. */
static void to_letters(uint8_t *six, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t x = six[i], c = (uint8_t)(x + 'A');

		c = (uint8_t)(c + (x > 25 ? 'a' - 'A' - 26 : 0));
		c = (uint8_t)(c - (x > 51 ? 'a' - '0' + 26 : 0));
		c = (uint8_t)(c - (x > 61 ? '0' + 10 - '+' : 0));
		c = (uint8_t)(c + (x > 62 ? '/' - '+' - 1 : 0));
		six[i] = c;
	}
}

static int decode(const char *from, unsigned length, uint8_t *to)
{
	int n = 0;

	for (unsigned i = 0; i < length; i += 4) {
		uint32_t word = 0;
		unsigned pads = 0;

		for (unsigned j = 0; j < 4; j++) {
			uint8_t value = values[(uint8_t)from[i + j]];

			if (from[i + j] == '=' && j >= 2 && i + 4 == length)
				pads++;
			else if (value == 64 || pads)
				return -1;
			word = word << 6 | (value & 63);
		}
		to[n++] = (uint8_t)(word >> 16);
		if (pads < 2)
			to[n++] = (uint8_t)(word >> 8);
		if (pads < 1)
			to[n++] = (uint8_t)word;
	}
	return n;
}

void program(void)
{
	static uint8_t data[BYTES], back[BYTES + 3], six[64];
	static char text[BYTES * 4 / 3 + 8];
	struct random random = { 37 };
	unsigned refused = 0;
	uint64_t sum = 0;

	memset(values, 64, sizeof(values));
	for (unsigned i = 0; i < 64; i++) {
		values[(uint8_t)letters[i]] = (uint8_t)i;
		six[i] = (uint8_t)i;
	}
	values['='] = 0;
	to_letters(six, 64);
	check(memcmp(six, letters, 64) == 0, "without a table");
	for (unsigned i = 0; i < BYTES; i++)
		data[i] = (uint8_t)random_next(&random);
	check(encode((const uint8_t *)"foobar", 5, text) == 8 && memcmp(text, "Zm9vYmE=", 8) == 0, "RFC 4648");
	for (unsigned n = 0; n < BYTES; n = n < 6 ? n + 1 : n * 2) {
		unsigned length = encode(data, n, text);

		check(decode(text, length, back) == (int)n && memcmp(data, back, n) == 0, "there and back");
		sum = sum * 31 + digest(text, length);
		if (length) {
			text[random_below(&random, length)] = (char)random_below(&random, 128);
			refused += decode(text, length, back) < 0;
		}
	}
	print_number(refused);
	print_hex(sum);
}
