/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes to the console in the midst of blocks. */
#include "../oracle.h"

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	(void)vcpu;
	__asm__ volatile("mov %0, %%edx\n\t"
			 ".rept 4\n\t"
			 "mov $'.', %%al\n\t"
			 "nop\n\t"
			 "out %%al, %%dx\n\t"
			 "nop\n\t"
			 ".endr\n\t"
			 "mov $10, %%al\n\t"
			 "out %%al, %%dx"
			 : : "i"(PV_PORT_CONSOLE) : "rax", "rdx", "memory");
	return 0;
}
