/* SPDX-License-Identifier: GPL-2.0-only */
/* loop, loope, loopne, jrcxz and jecxz, taken and not. */
#include "../oracle.h"

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t x = 0;

	(void)vcpu;
	__asm__ volatile("mov $10, %%ecx\n"
			 "1: inc %0\n\t"
			 "loop 1b\n\t"
			 "mov $10, %%ecx\n"
			 "2: inc %0\n\t"
			 "cmp $15, %0\n\t"
			 "loopne 2b\n\t"
			 "mov $10, %%ecx\n"
			 "3: inc %0\n\t"
			 "cmp $16, %0\n\t"
			 "loope 3b\n\t"
			 "mov $1, %%ecx\n"
			 "4: dec %%ecx\n\t"
			 "jrcxz 5f\n\t"
			 "ud2\n"
			 "5: inc %%ecx\n\t"
			 "jecxz 4b\n\t"
			 "mov $1, %%ecx\n"
			 "6: loop 6b\n\t"
			 "mov $5, %%ecx\n"
			 "7: loop 7b"
			 : "+r"(x) : : "rcx", "cc");
	return x != 17;
}
