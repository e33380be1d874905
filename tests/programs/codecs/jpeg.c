/* SPDX-License-Identifier: GPL-2.0-only */
/* JPEG's blocks: a cosine transform of whole numbers and one in float, quantised, in zigzag, runs and Huffman's codes, and back. */
#include "program.h"

enum { BLOCKS = 3, SYMBOLS = 256 };

static const uint8_t quant[64] = {
	16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,	 58,  60,  55,	14, 13, 16, 24,	 40,  57,
	69, 56, 14, 17, 22,  29,  51,  87,  80, 62, 18, 22, 37,	 56,  68,  109, 103, 77, 24, 35, 55,  64,
	81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
};

/* cos(k pi / 16) * 2^13 / 2, by half angles. */
static int32_t cosines[32];
static float scaled[8][8];
static uint8_t zigzag[64], packed[2000], lengths[SYMBOLS];
static uint16_t codes[SYMBOLS];
static size_t bit;

static void prepare(void)
{
	double c = 0, s = 1, x[2] = { 1, 0 };

	for (int i = 0; i < 3; i++) {
		double half = __builtin_sqrt((1 + c) / 2);

		s = __builtin_sqrt((1 - c) / 2);
		c = half;
	}
	for (unsigned k = 0; k < 32; k++) {
		double next = x[0] * c - x[1] * s;

		cosines[k] = (int32_t)(x[0] * 8192 + (x[0] < 0 ? -0.5 : 0.5));
		x[1] = x[1] * c + x[0] * s;
		x[0] = next;
	}
	for (unsigned u = 0; u < 8; u++)
		for (unsigned i = 0; i < 8; i++)
			scaled[u][i] = (float)cosines[(2 * i + 1) * u % 32] / 16384 * (u ? 1 : 0.70710678f);
	for (unsigned i = 0, x = 0, y = 0; i < 64; i++) {
		zigzag[i] = (uint8_t)(y * 8 + x);
		if ((x + y) % 2 == 0) {
			if (x == 7)
				y++;
			else if (y == 0)
				x++;
			else
				x++, y--;
		} else if (y == 7) {
			x++;
		} else if (x == 0) {
			y++;
		} else {
			x--, y++;
		}
	}
}

static void forward(const float in[64], float out[64])
{
	float half[64] = { 0 };

	for (unsigned y = 0; y < 8; y++)
		for (unsigned u = 0; u < 8; u++)
			for (unsigned x = 0; x < 8; x++)
				half[y * 8 + u] += scaled[u][x] * in[y * 8 + x];
	memset(out, 0, 64 * sizeof(*out));
	for (unsigned v = 0; v < 8; v++)
		for (unsigned y = 0; y < 8; y++)
			for (unsigned u = 0; u < 8; u++)
				out[v * 8 + u] += scaled[v][y] * half[y * 8 + u];
}

static void inverse(const int32_t in[64], int32_t out[64])
{
	int32_t half[64];

	for (unsigned v = 0; v < 8; v++)
		for (unsigned x = 0; x < 8; x++) {
			int32_t sum = in[v * 8] * 5793;

			for (unsigned u = 1; u < 8; u++)
				sum += in[v * 8 + u] * cosines[(2 * x + 1) * u % 32];
			half[v * 8 + x] = (sum + 512) >> 10;
		}
	for (unsigned x = 0; x < 8; x++)
		for (unsigned y = 0; y < 8; y++) {
			int64_t sum = (int64_t)half[x] * 5793;

			for (unsigned v = 1; v < 8; v++)
				sum += (int64_t)half[v * 8 + x] * cosines[(2 * y + 1) * v % 32];
			out[y * 8 + x] = (int32_t)((sum + (1 << 17)) >> 18);
		}
}

static void put(uint32_t value, unsigned n)
{
	for (; n--; bit++)
		packed[bit / 8] |= (uint8_t)((value >> n & 1) << (7 - bit % 8));
}

static uint32_t get(unsigned n)
{
	uint32_t value = 0;

	for (; n--; bit++)
		value = value << 1 | (packed[bit / 8] >> (7 - bit % 8) & 1);
	return value;
}

/* A run of zeros and the size of what follows share a symbol; short runs of small ones have short codes. */
static void make_codes(void)
{
	uint32_t code = 0;

	for (unsigned i = 0; i < SYMBOLS; i++)
		lengths[i] = (uint8_t)(i < 2 ? 2 : i / 16 + i % 16 < 4 ? 5 : i / 16 + i % 16 < 8 ? 8 : 12);
	for (unsigned n = 1; n <= 12; n++, code <<= 1)
		for (unsigned i = 0; i < SYMBOLS; i++)
			if (lengths[i] == n)
				codes[i] = (uint16_t)code++;
}

static unsigned get_symbol(void)
{
	uint32_t code = 0;

	for (unsigned n = 1; n <= 12; n++) {
		code = code << 1 | get(1);
		for (unsigned i = 0; i < SYMBOLS && (n == 2 || n == 5 || n == 8 || n == 12); i++)
			if (lengths[i] == n && codes[i] == code)
				return i;
	}
	return 0;
}

static void encode(const int32_t *block)
{
	unsigned run = 0;

	for (unsigned i = 0; i < 64; i++) {
		int32_t value = block[zigzag[i]];
		uint32_t size, magnitude = (uint32_t)(value < 0 ? -value : value);

		if (!value && i) {
			run++;
			continue;
		}
		for (; run > 15; run -= 16)
			put(codes[0xf0], lengths[0xf0]);
		size = magnitude ? 32 - (uint32_t)__builtin_clz(magnitude) : 0;
		if (i == 0 && size == 0)
			size = 1, value = 1;
		put(codes[run << 4 | size], lengths[run << 4 | size]);
		put((uint32_t)(value < 0 ? value - 1 : value) & ((1u << size) - 1), size);
		run = 0;
	}
	put(codes[0], lengths[0]);
}

static void decode(int32_t *block)
{
	memset(block, 0, 64 * sizeof(*block));
	for (unsigned at = 0, symbol; (symbol = get_symbol());) {
		uint32_t size = symbol & 15, bits;

		at += symbol >> 4;
		if (!size) {
			at++;
			continue;
		}
		bits = get(size);
		block[zigzag[at++ & 63]] = bits >> (size - 1) ? (int32_t)bits : (int32_t)bits - (1 << size) + 1;
	}
}

void program(void)
{
	static int32_t quantised[BLOCKS][64], again[64], pixels[64];
	struct random random = { 127 };
	static float in[BLOCKS][64], out[64];
	unsigned error = 0;

	prepare();
	make_codes();
	for (unsigned b = 0; b < BLOCKS; b++) {
		for (unsigned i = 0; i < 64; i++)
			in[b][i] = (float)(i / 8 * (10 + b)) + (float)(i % 8 * 7) - 70 + (float)random_below(&random, 9);
		forward(in[b], out);
		for (unsigned i = 0; i < 64; i++) {
			float value = out[i] / quant[i];

			quantised[b][i] = (int32_t)(value + (value < 0 ? -0.5f : 0.5f));
		}
		quantised[b][0] += !quantised[b][0];
		encode(quantised[b]);
	}
	print_number(bit);
	print_hex(digest(packed, bit / 8));
	bit = 0;
	for (unsigned b = 0; b < BLOCKS; b++) {
		decode(again);
		check(memcmp(again, quantised[b], sizeof(again)) == 0, "what was encoded");
		for (unsigned i = 0; i < 64; i++)
			again[i] *= quant[i];
		inverse(again, pixels);
		for (unsigned i = 0; i < 64; i++) {
			int32_t d = pixels[i] - (int32_t)in[b][i];

			error += (unsigned)(d < 0 ? -d : d);
		}
	}
	check(error / 64 / BLOCKS < 8, "about the same");
	print_number(error);
	print_hex(digest(pixels, sizeof(pixels)));
}
