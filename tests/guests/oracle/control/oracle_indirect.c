/* SPDX-License-Identifier: GPL-2.0-only */
/* Indirect jumps and calls: tables, returns to pushed addresses, ret n. */
#include "../oracle.h"

static uint64_t one(uint64_t x)
{
	return x + 1;
}

static uint64_t twice(uint64_t x)
{
	return 2 * x;
}

static uint64_t minus(uint64_t x)
{
	return x - 3;
}

static uint64_t (*const volatile table[])(uint64_t) = { one, twice, minus, twice };

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t x = 1, y = 0;

	(void)vcpu;
	for (unsigned i = 0; i < 40; i++)
		x = table[i % ARRAY_SIZE(table)](x) & 0xffff;
	__asm__ volatile("lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "ret\n\t"
			 "ud2\n"
			 "1: push $7\n\t"
			 "call 2f\n\t"
			 "jmp 3f\n"
			 "2: add 8(%%rsp), %0\n\t"
			 "ret $8\n"
			 "3: lea 4f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "jmp *(%%rsp)\n\t"
			 "ud2\n"
			 "4: pop %%rax"
			 : "+r"(y) : : "rax", "memory", "cc");
	return (uint64_t)(y != 7) | (uint64_t)(x == 0) << 1;
}
