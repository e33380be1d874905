/* SPDX-License-Identifier: GPL-2.0-only */
/* LZ77 with hash chains, tokens by a canonical Huffman code of at most 15 bits: compressed, and decompressed. */
#include "program.h"

enum { BYTES = 1200, SYMBOLS = 288, WINDOW = 1024, LEAST_MATCH = 3, MOST_MATCH = 34, MOST_BITS = 15 };

struct code {
	uint16_t bits[SYMBOLS];
	uint8_t length[SYMBOLS];
};

static uint8_t data[BYTES], packed[2 * BYTES], back[BYTES];
static uint16_t tokens[BYTES], distances[BYTES];
static unsigned tokens_n;
static size_t bit;

static void put(uint32_t value, unsigned n)
{
	for (unsigned i = 0; i < n; i++, bit++)
		packed[bit / 8] |= (uint8_t)((value >> i & 1) << bit % 8);
}

static uint32_t get(unsigned n)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < n; i++, bit++)
		value |= (uint32_t)(packed[bit / 8] >> bit % 8 & 1) << i;
	return value;
}

/* Literals are 0 to 255, 256 + n a match of LEAST_MATCH + n. */
static void find_tokens(void)
{
	static int16_t head[256], previous[BYTES];

	memset(head, -1, sizeof(head));
	for (unsigned at = 0; at < BYTES;) {
		unsigned best = 0, where = 0, tries = 8;
		unsigned hash = at + 2 < BYTES ? (data[at] * 5u ^ data[at + 1] * 3u ^ data[at + 2]) & 255 : 0;

		for (int i = head[hash]; i >= 0 && tries-- && at - (unsigned)i < WINDOW; i = previous[i]) {
			unsigned n = 0;

			while (n < MOST_MATCH && at + n < BYTES && data[(unsigned)i + n] == data[at + n])
				n++;
			if (n > best) {
				best = n;
				where = (unsigned)i;
			}
		}
		distances[tokens_n] = (uint16_t)(at - where);
		tokens[tokens_n++] = best >= LEAST_MATCH ? (uint16_t)(256 + best - LEAST_MATCH) : data[at];
		for (unsigned n = best >= LEAST_MATCH ? best : 1; n; n--, at++)
			if (at + 2 < BYTES) {
				hash = (data[at] * 5u ^ data[at + 1] * 3u ^ data[at + 2]) & 255;
				previous[at] = head[hash];
				head[hash] = (int16_t)at;
			}
	}
}

/* Two rarest become one, until one is left; the depth is the length. */
static void find_lengths(struct code *code)
{
	static unsigned weight[2 * SYMBOLS];
	static uint16_t parent[2 * SYMBOLS], queue[SYMBOLS];
	unsigned waiting = 0, next = SYMBOLS;

	for (unsigned i = 0; i < tokens_n; i++)
		weight[tokens[i]]++;
	for (unsigned i = 0; i < SYMBOLS; i++)
		if (weight[i])
			queue[waiting++] = (uint16_t)i;
	while (waiting > 1) {
		for (unsigned k = 0; k < 2; k++) {
			unsigned least = 0;

			for (unsigned i = 1; i < waiting; i++)
				least = weight[queue[i]] < weight[queue[least]] ? i : least;
			parent[queue[least]] = (uint16_t)next;
			weight[next] += weight[queue[least]];
			queue[least] = queue[--waiting];
		}
		queue[waiting++] = (uint16_t)next++;
	}
	for (unsigned i = 0; i < SYMBOLS; i++)
		for (unsigned node = i; weight[i] && node != next - 1; node = parent[node])
			code->length[i]++;
}

static void assign(struct code *code)
{
	unsigned counts[MOST_BITS + 2] = { 0 }, starts[MOST_BITS + 2] = { 0 };

	for (unsigned i = 0; i < SYMBOLS; i++)
		counts[code->length[i]]++;
	counts[0] = 0;
	for (unsigned n = 1; n <= MOST_BITS; n++)
		starts[n] = (starts[n - 1] + counts[n - 1]) << 1;
	for (unsigned i = 0; i < SYMBOLS; i++)
		if (code->length[i])
			code->bits[i] = (uint16_t)starts[code->length[i]]++;
}

static void write_all(const struct code *code)
{
	for (unsigned i = 0; i < SYMBOLS; i++)
		put(code->length[i], 4);
	put(tokens_n, 16);
	for (unsigned i = 0; i < tokens_n; i++) {
		unsigned token = tokens[i];

		for (unsigned n = code->length[token]; n--;)
			put(code->bits[token] >> n & 1, 1);
		if (token >= 256)
			put(distances[i], 10);
	}
}

static unsigned decode(const uint16_t *counts, const uint16_t *symbols)
{
	int value = 0, first = 0, index = 0;

	for (unsigned n = 1; n <= MOST_BITS; n++) {
		value |= (int)get(1);
		if (value - first < counts[n])
			return symbols[index + value - first];
		index += counts[n];
		first = (first + counts[n]) << 1;
		value <<= 1;
	}
	return 0;
}

static unsigned read_all(void)
{
	uint16_t counts[16] = { 0 }, offsets[17] = { 0 }, symbols[SYMBOLS];
	uint8_t lengths[SYMBOLS];
	unsigned n = 0;

	for (unsigned i = 0; i < SYMBOLS; i++)
		counts[lengths[i] = (uint8_t)get(4)]++;
	counts[0] = 0;
	for (unsigned i = 1; i < 16; i++)
		offsets[i + 1] = (uint16_t)(offsets[i] + counts[i]);
	for (unsigned i = 0; i < SYMBOLS; i++)
		if (lengths[i])
			symbols[offsets[lengths[i]]++] = (uint16_t)i;
	for (unsigned left = get(16); left; left--) {
		unsigned token = decode(counts, symbols);

		if (token < 256) {
			back[n++] = (uint8_t)token;
			continue;
		}
		for (unsigned from = n - get(10), length = token - 256 + LEAST_MATCH; length; length--)
			back[n++] = back[from++];
	}
	return n;
}

void program(void)
{
	static struct code code;
	struct random random = { 47 };
	size_t bits;

	for (unsigned i = 0; i < BYTES; i++) {
		unsigned copy = random_below(&random, 6);

		data[i] = i > 50 && copy ? data[i - 1 - random_below(&random, 3) * copy * 5 % 50]
					 : "etaoin shrdlu"[random_below(&random, 13)];
	}
	for (unsigned i = 300; i < BYTES; i += 100)
		memcpy(data + i, data + random_below(&random, i - 60), 40);
	find_tokens();
	find_lengths(&code);
	assign(&code);
	write_all(&code);
	bits = bit;
	bit = 0;
	check(read_all() == BYTES && memcmp(data, back, BYTES) == 0, "there and back");
	check(bits < 8 * BYTES * 3 / 4, "smaller");
	print_number(tokens_n);
	print_number(bits / 8);
	print_hex(digest(packed, bits / 8));
}
