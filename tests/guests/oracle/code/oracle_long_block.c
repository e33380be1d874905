/* SPDX-License-Identifier: GPL-2.0-only */
/* Blocks that are longer than what a translator takes at once. */
#include "../oracle.h"

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t x = vcpu, y = 0;

	__asm__ volatile(".rept 3000\n\t"
			 "add $1, %0\n\t"
			 ".endr\n\t"
			 "mov $3, %%ecx\n"
			 "1:\n\t"
			 ".rept 700\n\t"
			 "lea 1(%1), %1\n\t"
			 ".endr\n\t"
			 "dec %%ecx\n\t"
			 "jz 2f\n\t"
			 "jmp 1b\n"
			 "2:"
			 : "+r"(x), "+r"(y) : : "rcx", "cc");
	return (uint64_t)(x != 3000 + vcpu) | (uint64_t)(y != 2100) << 1;
}
