/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercalls that do nothing, that fail, and that count, back to back. */
#include "../oracle.h"

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	struct kvm_pmu_event event;
	uint64_t wrong = 0, count;

	(void)vcpu;
	__asm__ volatile(".rept 5\n\t"
			 "mov $999, %%eax\n\t"
			 "vmcall\n\t"
			 "vmmcall\n\t"
			 ".endr"
			 : : : "rax", "memory");
	wrong |= kvm_pmu_open(&event, &attr) != 0;
	for (unsigned i = 0; i < 5; i++) {
		wrong |= kvm_pmu_enable(&event) != 0;
		wrong |= kvm_pmu_read(&event, &count) != 0;
		wrong |= kvm_pmu_disable(&event) != 0;
	}
	return wrong | (uint64_t)(kvm_pmu_close(&event) != 0) << 1;
}
