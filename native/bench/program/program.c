/* SPDX-License-Identifier: GPL-2.0-only */
#include "program.h"

enum { WORDS = 512 };

/* The stack is the only memory it needs, so that it runs wherever it is loaded. First in the
 * file and in its section: a loader of the bare bytes starts there. */
__attribute__((section(".text.program"))) uint64_t program(uint64_t iterations)
{
	volatile uint32_t table[WORDS];
	uint32_t x = 2463534242u;
	uint64_t sum = 0;

	for (unsigned i = 0; i < WORDS; i++)
		table[i] = i;
	for (uint64_t i = 0; i < iterations; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		table[x % WORDS] += x;
		if (x & 1)
			sum += table[x >> 23];
		else
			sum ^= (uint64_t)x << 7;
	}
	return sum;
}
