/* SPDX-License-Identifier: GPL-2.0-only */
/* int3 and int n, with handlers that just return. */
#include "../oracle.h"

static void count_it(struct exception_frame *frame)
{
	(void)frame;
	oracle_faults[cpu_index()]++;
}

static void prepare(void)
{
	exception_set(VECTOR_BREAKPOINT, count_it);
	exception_set(0x40, count_it);
	exception_set(0xff, count_it);
}

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu];

	for (unsigned i = 0; i < 10; i++)
		__asm__ volatile("nop\n\t"
				 "int3\n\t"
				 "nop\n\t"
				 "int $0x40\n\t"
				 "int $0xff\n\t"
				 ".byte 0xcd, 3\n\t"
				 "nop"
				 : : : "memory");
	return oracle_faults[vcpu] - before != 40;
}
