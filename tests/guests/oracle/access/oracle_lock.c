/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK and xchg among other instructions, and in loops. */
#include "../oracle.h"

static uint64_t words[GUEST_MAX_VCPUS][8] __attribute__((aligned(64)));

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t *w = words[vcpu], n = 100, wrong;

	memset(w, 0, sizeof(words[vcpu]));
	__asm__ volatile("1:\n\t"
			 "lock addq $2, (%[w])\n\t"
			 "mov $3, %%eax\n\t"
			 "lock xaddl %%eax, 8(%[w])\n\t"
			 "xchg %%eax, 16(%[w])\n\t"
			 "lock incb 24(%[w])\n\t"
			 "lock btsw $3, 32(%[w])\n\t"
			 "jnc 2f\n\t"
			 "lock btrw $3, 32(%[w])\n"
			 "2:\n\t"
			 "lock decq 40(%[w])\n\t"
			 "lock decq 40(%[w])\n\t"
			 "dec %[n]\n\t"
			 "jnz 1b"
			 : [n] "+r"(n) : [w] "r"(w) : "rax", "memory", "cc");
	wrong = w[0] != 200;
	wrong |= (uint64_t)(w[1] != 300) << 1;
	wrong |= (uint64_t)(w[2] != 297) << 2;
	wrong |= (uint64_t)(w[3] != 100) << 3;
	wrong |= (uint64_t)(w[4] != 0) << 4;
	wrong |= (uint64_t)(w[5] != (uint64_t)-200) << 5;
	return wrong;
}
