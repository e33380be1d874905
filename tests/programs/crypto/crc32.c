/* SPDX-License-Identifier: GPL-2.0-only */
/* CRC-32 bit by bit, by one table, and by eight, and how those of two parts are put together. */
#include "program.h"

static uint32_t tables[8][256];

static uint32_t bit_by_bit(uint32_t crc, uint8_t byte)
{
	crc ^= byte;
	for (unsigned i = 0; i < 8; i++)
		crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	return crc;
}

static void prepare(void)
{
	for (unsigned i = 0; i < 256; i++)
		tables[0][i] = bit_by_bit(0, (uint8_t)i);
	for (unsigned t = 1; t < 8; t++)
		for (unsigned i = 0; i < 256; i++)
			tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 255];
}

static uint32_t by_one(const uint8_t *data, size_t n)
{
	uint32_t crc = ~0u;

	while (n--)
		crc = crc >> 8 ^ tables[0][(crc ^ *data++) & 255];
	return ~crc;
}

static uint32_t by_eight(const uint8_t *data, size_t n)
{
	uint32_t crc = ~0u;

	for (; n >= 8; n -= 8, data += 8) {
		uint64_t word;

		__builtin_memcpy(&word, data, 8);
		word ^= crc;
		crc = 0;
		for (unsigned i = 0; i < 8; i++)
			crc ^= tables[7 - i][word >> 8 * i & 255];
	}
	while (n--)
		crc = crc >> 8 ^ tables[0][(crc ^ *data++) & 255];
	return ~crc;
}

/* The CRC behind n more zeros, by powers of the matrix for one. */
static uint32_t behind_zeros(uint32_t crc, size_t n)
{
	uint32_t matrix[32], squared[32];

	for (unsigned i = 0; i < 32; i++)
		matrix[i] = bit_by_bit(1u << i, 0);
	for (; n; n >>= 1) {
		uint32_t sum = 0;

		for (unsigned i = 0; i < 32 && n & 1; i++)
			sum ^= crc >> i & 1 ? matrix[i] : 0;
		crc = n & 1 ? sum : crc;
		for (unsigned i = 0; i < 32; i++) {
			squared[i] = 0;
			for (unsigned j = 0; j < 32; j++)
				squared[i] ^= matrix[i] >> j & 1 ? matrix[j] : 0;
		}
		__builtin_memcpy(matrix, squared, sizeof(matrix));
	}
	return crc;
}

void program(void)
{
	static uint8_t data[3001];
	struct random random = { 32 };
	uint32_t whole;

	prepare();
	check(by_one((const uint8_t *)"123456789", 9) == 0xcbf43926, "123456789");
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)random_next(&random);
	whole = by_one(data, sizeof(data));
	check(by_eight(data, sizeof(data)) == whole, "by eight");
	check((behind_zeros(by_one(data, 1000), 2001) ^ by_eight(data + 1000, 2001)) == whole, "of two parts");
	print_hex(whole);
}
