/* SPDX-License-Identifier: GPL-2.0-only */
/* PNG's pixels: rows are filtered in five ways and deflated (RFC 1951, fixed codes); inflated, unfiltered, and checked. */
#include "program.h"

enum { WIDTH = 24, HEIGHT = 10, CHANNELS = 3, ROW = WIDTH * CHANNELS, RAW = HEIGHT * (1 + ROW) };

static uint8_t image[HEIGHT][ROW], filtered[RAW], packed[2 * RAW], raw[RAW], back[HEIGHT][ROW];
static size_t bit;

static const uint16_t length_base[] = { 3,  4,	5,  6,	7,  8,	9,  10, 11,  13,  15,  17,  19,	 23, 27,
					31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258 };
static const uint8_t length_extra[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };

static unsigned distance_base(unsigned code)
{
	return code < 4 ? code + 1 : (2 + (code & 1)) * (1u << (code / 2 - 1)) + 1;
}

static unsigned distance_extra(unsigned code)
{
	return code < 4 ? 0 : code / 2 - 1;
}

static uint8_t paeth(int a, int b, int c)
{
	int pa = b - c < 0 ? c - b : b - c, pb = a - c < 0 ? c - a : a - c, pc = a + b - 2 * c;

	pc = pc < 0 ? -pc : pc;
	return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

static uint8_t predict(unsigned filter, const uint8_t *row, const uint8_t *above, unsigned i)
{
	int a = i >= CHANNELS ? row[i - CHANNELS] : 0, b = above ? above[i] : 0;
	int c = above && i >= CHANNELS ? above[i - CHANNELS] : 0;

	switch (filter) {
	case 1:
		return (uint8_t)a;
	case 2:
		return (uint8_t)b;
	case 3:
		return (uint8_t)((a + b) / 2);
	case 4:
		return paeth(a, b, c);
	default:
		return 0;
	}
}

static void put(uint32_t value, unsigned n)
{
	for (unsigned i = 0; i < n; i++, bit++)
		packed[bit / 8] |= (uint8_t)((value >> i & 1) << bit % 8);
}

/* Codes go with the highest bit first. */
static void put_code(uint32_t code, unsigned n)
{
	while (n--)
		put(code >> n & 1, 1);
}

static void put_symbol(unsigned symbol)
{
	if (symbol < 144)
		put_code(0x30 + symbol, 8);
	else if (symbol < 256)
		put_code(0x190 + symbol - 144, 9);
	else if (symbol < 280)
		put_code(symbol - 256, 7);
	else
		put_code(0xc0 + symbol - 280, 8);
}

static void deflate(void)
{
	put(3, 3); /* the last block, fixed codes */
	for (unsigned at = 0; at < RAW;) {
		unsigned best = 0, where = 0, code = 0;
		/* What was ROW + 1 and CHANNELS bytes before, and a little further. */
		static const unsigned tries[] = { CHANNELS, ROW + 1, 1, 2, ROW + 4 };

		for (unsigned t = 0; t < LENGTH(tries); t++) {
			unsigned n = 0;

			while (tries[t] <= at && n < 258 && at + n < RAW && filtered[at + n] == filtered[at + n - tries[t]])
				n++;
			if (n > best) {
				best = n;
				where = tries[t];
			}
		}
		if (best < 3) {
			put_symbol(filtered[at++]);
			continue;
		}
		while (code < 28 && length_base[code + 1] <= best)
			code++;
		put_symbol(257 + code);
		put(best - length_base[code], length_extra[code]);
		for (code = 0; code < 29 && distance_base(code + 1) <= where;)
			code++;
		put_code(code, 5);
		put(where - distance_base(code), distance_extra(code));
		at += best;
	}
	put_symbol(256);
}

static uint32_t get(unsigned n)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < n; i++, bit++)
		value |= (uint32_t)(packed[bit / 8] >> bit % 8 & 1) << i;
	return value;
}

static uint32_t get_code(unsigned n, uint32_t code)
{
	while (n--)
		code = code << 1 | get(1);
	return code;
}

static unsigned get_symbol(void)
{
	uint32_t code = get_code(7, 0);

	if (code < 0x18)
		return 256 + code;
	code = get_code(1, code);
	if (code >= 0x30 && code < 0xc0)
		return code - 0x30;
	if (code >= 0xc0 && code < 0xc8)
		return 280 + code - 0xc0;
	return 144 + get_code(1, code) - 0x190;
}

static unsigned inflate(void)
{
	unsigned n = 0;

	check(get(3) == 3, "one block");
	for (unsigned symbol; (symbol = get_symbol()) != 256;) {
		unsigned length, code, distance;

		if (symbol < 256) {
			raw[n++] = (uint8_t)symbol;
			continue;
		}
		length = length_base[symbol - 257] + get(length_extra[symbol - 257]);
		code = get_code(5, 0);
		distance = distance_base(code) + get(distance_extra(code));
		for (; length && n < RAW; length--, n++)
			raw[n] = raw[n - distance];
	}
	return n;
}

static uint32_t adler(const uint8_t *data, unsigned n)
{
	uint32_t a = 1, b = 0;

	for (unsigned i = 0; i < n; i++) {
		a = (a + data[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

void program(void)
{
	struct random random = { 113 };
	size_t bits;

	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < ROW; x++)
			image[y][x] = (uint8_t)(x / 3 * (3 + x % 3) + y * 5 + (y > 6 ? random_below(&random, 3) : 0));
	for (unsigned y = 0; y < HEIGHT; y++) {
		filtered[y * (1 + ROW)] = (uint8_t)(y % 5);
		for (unsigned x = 0; x < ROW; x++)
			filtered[y * (1 + ROW) + 1 + x] =
				(uint8_t)(image[y][x] - predict(y % 5, image[y], y ? image[y - 1] : NULL, x));
	}
	deflate();
	bits = bit;
	bit = 0;
	check(inflate() == RAW && bit == bits, "inflated");
	check(adler(raw, RAW) == adler(filtered, RAW), "Adler-32");
	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < ROW; x++)
			back[y][x] = (uint8_t)(raw[y * (1 + ROW) + 1 + x] +
					       predict(raw[y * (1 + ROW)], back[y], y ? back[y - 1] : NULL, x));
	check(memcmp(image, back, sizeof(image)) == 0, "the image");
	print_number(bits);
	print_hex(adler(raw, RAW));
	print_hex(digest(packed, bits / 8));
}
