/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK of operands that are not aligned, in the midst of a block, after some that are, and before others. */
#include "../oracle.h"

enum { ROUNDS = 50, LINE_BYTES = 64 };

static uint8_t bytes[GUEST_MAX_VCPUS][2 * LINE_BYTES] __attribute__((aligned(LINE_BYTES)));

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t word = 0, wrong = 0;

	memset(bytes[vcpu], 0, sizeof(bytes[vcpu]));
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t *at = bytes[vcpu] + LINE_BYTES - i % 8; /* the first is aligned */
		uint64_t before, loaded = 3;

		memcpy(&before, at, sizeof(before));
		__asm__ volatile("lock incq %[word]\n\t"
				 "lock xadd %[loaded], (%[at])\n\t"
				 "lock incq %[word]"
				 : [word] "+m"(word), [loaded] "+r"(loaded) : [at] "r"(at) : "memory", "cc");
		wrong |= loaded != before;
		memcpy(&loaded, at, sizeof(loaded));
		wrong |= (uint64_t)(loaded != before + 3) << 1;
	}
	return wrong | (uint64_t)(word != 2 * ROUNDS) << 2;
}
