/* SPDX-License-Identifier: GPL-2.0-only */
/* ChaCha20 (RFC 8439), four blocks at a time by vectors, and one at a time by words. */
#include "program.h"

enum { BLOCKS = 16 };

typedef uint32_t lanes __attribute__((vector_size(16)));

#define QUARTER(a, b, c, d)                                                    \
	do {                                                                   \
		a += b;                                                        \
		d ^= a;                                                        \
		d = d << 16 | d >> 16;                                         \
		c += d;                                                        \
		b ^= c;                                                        \
		b = b << 12 | b >> 20;                                         \
		a += b;                                                        \
		d ^= a;                                                        \
		d = d << 8 | d >> 24;                                          \
		c += d;                                                        \
		b ^= c;                                                        \
		b = b << 7 | b >> 25;                                          \
	} while (0)

#define DOUBLE_ROUND(x)                                                        \
	do {                                                                   \
		for (unsigned i_ = 0; i_ < 4; i_++)                            \
			QUARTER(x[i_], x[i_ + 4], x[i_ + 8], x[i_ + 12]);      \
		QUARTER(x[0], x[5], x[10], x[15]);                             \
		QUARTER(x[1], x[6], x[11], x[12]);                             \
		QUARTER(x[2], x[7], x[8], x[13]);                              \
		QUARTER(x[3], x[4], x[9], x[14]);                              \
	} while (0)

static void block(const uint32_t in[16], uint32_t out[16])
{
	uint32_t x[16];

	__builtin_memcpy(x, in, sizeof(x));
	for (unsigned round = 0; round < 10; round++)
		DOUBLE_ROUND(x);
	for (unsigned i = 0; i < 16; i++)
		out[i] = x[i] + in[i];
}

static void four_blocks(const uint32_t in[16], uint32_t out[64])
{
	lanes x[16], begin[16];

	for (unsigned i = 0; i < 16; i++)
		begin[i] = x[i] = (lanes){ in[i], in[i], in[i], in[i] };
	begin[12] = x[12] = x[12] + (lanes){ 0, 1, 2, 3 };
	for (unsigned round = 0; round < 10; round++)
		DOUBLE_ROUND(x);
	for (unsigned i = 0; i < 16; i++) {
		lanes sum = x[i] + begin[i];

		for (unsigned lane = 0; lane < 4; lane++)
			out[16 * lane + i] = sum[lane];
	}
}

void program(void)
{
	static uint32_t stream[BLOCKS * 16], again[BLOCKS * 16];
	uint32_t state[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	for (unsigned i = 0; i < 8; i++)
		state[4 + i] = 0x03020100 + i * 0x04040404;
	state[12] = 1;
	state[13] = 0x09000000;
	state[14] = 0x4a000000;
	for (unsigned i = 0; i < BLOCKS; i++) {
		block(state, stream + 16 * i);
		state[12]++;
	}
	check(stream[0] == 0xe4e7f110 && stream[15] == 0x4e3c50a2, "RFC 8439, 2.3.2");
	state[12] = 1;
	for (unsigned i = 0; i < BLOCKS; i += 4) {
		four_blocks(state, again + 16 * i);
		state[12] += 4;
	}
	check(memcmp(stream, again, sizeof(stream)) == 0, "four at a time");
	print_hex(digest(stream, sizeof(stream)));
}
