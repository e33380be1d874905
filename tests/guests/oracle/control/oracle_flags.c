/* SPDX-License-Identifier: GPL-2.0-only */
/* Flags: pushfq and popfq, lahf and sahf, carries, conditional moves and sets. */
#include "../oracle.h"

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t flags, wrong = 0, low = ~0ull, high = vcpu;
	uint8_t set;

	__asm__ volatile("pushq $0xcd7\n\t"
			 "popfq\n\t"
			 "pushfq\n\t"
			 "popq %0\n\t"
			 "cld"
			 : "=r"(flags) : : "memory", "cc");
	wrong |= (flags & 0xcd7) != 0xcd7;
	__asm__ volatile("add $1, %0\n\t"
			 "adc $0, %1"
			 : "+r"(low), "+r"(high) : : "cc");
	wrong |= (uint64_t)(low != 0 || high != vcpu + 1ull) << 1;
	__asm__ volatile("cmp $5, %1\n\t"
			 "setb %0\n\t"
			 "lahf\n\t"
			 "sahf\n\t"
			 "cmovae %2, %1"
			 : "=&q"(set), "+r"(low) : "r"(77ull) : "rax", "cc");
	return wrong | (uint64_t)(set != 1 || low != 0) << 2;
}
