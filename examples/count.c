/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

int guest_main(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	struct kvm_pmu_event event;

	if (kvm_pmu_open(&event, &attr) || kvm_pmu_enable(&event))
		return 1;
	for (volatile int i = 0; i < 1000; i++)
		;
	if (kvm_pmu_disable(&event))
		return 1;
	console_printf("a loop of 1000 took %lu instructions\n", kvm_pmu_count(&event));
	kvm_pmu_close(&event);
	return 0;
}
