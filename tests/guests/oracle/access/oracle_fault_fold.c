/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults in blocks that end in a branch, when what the block was charged has been
 * summed up already: a faulting iretq, whose block asks for a look at CPL, and a
 * fault at every distance from the end of a chunk of instructions.
 */
#include "../oracle.h"

static void prepare(void)
{
	exception_set(VECTOR_PROTECTION, oracle_skip);
}

/* RSP is kept in a register that the handler's return leaves alone. */
static void iretq_to_nowhere(void)
{
	__asm__ volatile("lea 9f(%%rip), %%rax\n\t"
			 "mov %%rax, %0\n\t"
			 "mov %%rsp, %%rbx\n\t"
			 "pushq $0x10\n\t"
			 "pushq %%rbx\n\t"
			 "pushq $2\n\t"
			 "pushq $0xfff0\n\t"
			 "pushq %%rax\n\t"
			 "iretq\n"
			 "9:\n\t"
			 "mov %%rbx, %%rsp"
			 : "=m"(oracle_resume[cpu_index()]) : : "rax", "rbx", "memory", "cc");
}

static void fault_before_branch(uint64_t work)
{
	__asm__ volatile("lea 9f(%%rip), %%rax\n\t"
			 "mov %%rax, %0\n\t"
			 "mov $0x8000000000000000, %%rax\n"
			 "2: dec %1\n\t"
			 "jnz 2b\n\t"
			 "jmp 1f\n"
			 "1: mov (%%rax), %%rax\n\t"
			 "nop\n\t"
			 "nop\n\t"
			 "jmp 9f\n\t"
			 "nop\n"
			 "9:"
			 : "=m"(oracle_resume[cpu_index()]), "+r"(work) : : "rax", "memory", "cc");
}

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu];

	for (unsigned i = 0; i < 3; i++)
		iretq_to_nowhere();
	for (unsigned i = 0; i < 300; i++)
		fault_before_branch(4900 + i);
	return oracle_faults[vcpu] - before != 303;
}
