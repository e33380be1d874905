/* SPDX-License-Identifier: GPL-2.0-only */
/* A jump into the middle of an instruction: the same bytes, two ways. */
#include "../oracle.h"

static void prepare(void)
{
}

/* From its beginning: mov $0x02c083c3.., from its second byte: add $2, %eax. */
static uint64_t program(unsigned vcpu)
{
	uint64_t sum = 0;

	(void)vcpu;
	for (unsigned i = 0; i < 10; i++) {
		uint32_t x = 0, way = i & 1;

		__asm__ volatile("lea 1f(%%rip), %%rdx\n\t"
				 "add %[way], %%rdx\n\t"
				 "jmp *%%rdx\n"
				 "1:\n\t"
				 ".byte 0xb9, 0x83, 0xc0, 0x02, 0x90\n\t"
				 "add $1, %[x]"
				 : [x] "+a"(x) : [way] "r"((uint64_t)way) : "rcx", "rdx", "cc");
		sum += x;
	}
	return sum != 5 * 1 + 5 * 3;
}
