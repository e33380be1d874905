/* SPDX-License-Identifier: GPL-2.0-only */
/* A call of itself, until its stack is full: a block that follows itself, and faults in the end. */
#include "../oracle.h"

static uint8_t stacks[GUEST_MAX_VCPUS][2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	exception_set(VECTOR_PAGE_FAULT, oracle_skip);
	for (unsigned v = 0; v < cpu_count(); v++) {
		page_split((uint64_t)stacks[v]);
		page_set_present((uint64_t)stacks[v], false);
	}
}

static uint64_t at_user(void *arg)
{
	uint64_t left;

	for (unsigned i = 0; i < 3; i++)
		__asm__ volatile("lea 9f(%%rip), %%rax\n\t"
				 "mov %%rax, %1\n\t"
				 "mov %%rsp, %%r12\n\t"
				 "lea %c3(%2), %%rsp\n\t"
				 "inc %%rcx\n"
				 "1: call 1b\n\t"
				 "ud2\n"
				 "9: mov %%rsp, %0\n\t"
				 "mov %%r12, %%rsp"
				 : "=&r"(left), "=m"(oracle_resume[cpu_index()])
				 : "r"(arg), "i"(2 * PAGE_BYTES)
				 : "rax", "rcx", "r12", "memory", "cc");
	return left - (uint64_t)arg;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu], left = user_run(at_user, stacks[vcpu]);

	return (left != PAGE_BYTES) | (uint64_t)(oracle_faults[vcpu] - before != 3) << 1;
}
