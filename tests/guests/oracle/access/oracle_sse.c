/* SPDX-License-Identifier: GPL-2.0-only */
/* SSE2: moves, integer and floating-point arithmetic, comparisons that branch. */
#include "../oracle.h"

static double values[GUEST_MAX_VCPUS][16] __attribute__((aligned(16)));

static void prepare(void)
{
	for (unsigned v = 0; v < GUEST_MAX_VCPUS; v++)
		for (unsigned i = 0; i < 16; i++)
			values[v][i] = i + 0.5;
}

static uint64_t program(unsigned vcpu)
{
	double sum = 0, most = 0;
	uint64_t parts[2];

	for (unsigned i = 0; i < 16; i++) {
		sum += values[vcpu][i] * 2;
		if (values[vcpu][i] > most)
			most = values[vcpu][i];
	}
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\t"
			 "psrlq $60, %%xmm0\n\t"
			 "movdqa %%xmm0, %%xmm1\n\t"
			 "paddq %%xmm1, %%xmm0\n\t"
			 "movdqu %%xmm0, %0"
			 : "=m"(parts) : : "xmm0", "xmm1");
	return (uint64_t)((int)sum != 256) | (uint64_t)(most != 15.5) << 1 |
	       (uint64_t)(parts[0] != 30 || parts[1] != 30) << 2;
}
