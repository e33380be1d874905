/* SPDX-License-Identifier: GPL-2.0-only */
/* Stack instructions: enter, leave, push and pop of memory, segments' null, pushes in loops. */
#include "../oracle.h"

static uint64_t memory[GUEST_MAX_VCPUS];

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t x = 0;

	memory[vcpu] = 5;
	__asm__ volatile("mov $10, %%ecx\n"
			 "1: push %%rcx\n\t"
			 "dec %%ecx\n\t"
			 "jnz 1b\n\t"
			 "mov $10, %%ecx\n"
			 "2: pop %%rax\n\t"
			 "add %%rax, %0\n\t"
			 "loop 2b\n\t"
			 "pushq %1\n\t"
			 "enter $32, $0\n\t"
			 "movq $1, -8(%%rbp)\n\t"
			 "leave\n\t"
			 "popq %1\n\t"
			 "pushq $3\n\t"
			 "popq %%rax"
			 : "+r"(x), "+m"(*(volatile uint64_t *)&memory[vcpu]) : : "rax", "rcx", "memory", "cc");
	return (uint64_t)(x != 55) | (uint64_t)(memory[vcpu] != 5) << 1;
}
