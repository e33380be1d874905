/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults whose handlers mend the cause: the instruction is executed again. */
#include "../oracle.h"

static uint8_t memory[GUEST_MAX_VCPUS][3 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void mend(struct exception_frame *frame)
{
	(void)frame;
	oracle_faults[cpu_index()]++;
	page_set_present(exception_address(), true);
}

/* Gives a divisor to the division that had none. */
static void mend_division(struct exception_frame *frame)
{
	oracle_faults[cpu_index()]++;
	frame->rcx = 7;
}

static void prepare(void)
{
	exception_set(VECTOR_PAGE_FAULT, mend);
	exception_set(VECTOR_DIVIDE, mend_division);
	for (unsigned v = 0; v < cpu_count(); v++)
		page_split((uint64_t)memory[v] + PAGE_BYTES);
}

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu], quotient = 70, sum = 0, *at = (uint64_t *)(memory[vcpu] + PAGE_BYTES);

	*at = 5;
	for (unsigned i = 0; i < 10; i++) {
		page_set_present((uint64_t)at, false);
		__asm__ volatile("nop\n\t"
				 "add $1, %0\n\t"
				 "add (%1), %0\n\t"
				 "add $1, %0\n\t"
				 "mov %0, 8(%1)"
				 : "+r"(sum) : "r"(at) : "memory");
		page_set_present((uint64_t)at, false);
		__asm__ volatile("nop\n\t"
				 "lock addq $1, (%0)\n\t"
				 "lock subq $1, (%0)\n\t"
				 "nop"
				 : : "r"(at) : "memory", "cc");
	}
	__asm__ volatile("xor %%edx, %%edx\n\t"
			 "xor %%ecx, %%ecx\n\t"
			 "div %%rcx"
			 : "+a"(quotient) : : "rcx", "rdx", "cc");
	return (uint64_t)(sum != 70) | (uint64_t)(quotient != 10) << 1 |
	       (uint64_t)(oracle_faults[vcpu] - before != 21) << 2;
}
