/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUID, RDTSC and other instructions that a hypervisor may want to see. */
#include "../oracle.h"

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	(void)vcpu;
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t low, high;

		wrong |= cpuid(KVM_CPUID_SIGNATURE).eax != KVM_CPUID_PV_PERF;
		cpuid(i);
		__asm__ volatile("nop; rdtsc; nop; mfence; lfence; sfence; pause; nop" : "=a"(low), "=d"(high));
	}
	return wrong;
}
