/* SPDX-License-Identifier: GPL-2.0-only */
/* Round trips of the cheapest operation there is: what `bench hypercall` times. */
#include "guest.h"

GUEST_DESCRIPTION("READs one event over and over; count=100000");

int guest_main(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	uint64_t count = option_number("count", 100000), seen;
	struct kvm_pmu_event event;
	int64_t error;

	option_only("count", NULL);
	error = kvm_pmu_open(&event, &attr);
	if (!error)
		error = kvm_pmu_enable(&event);
	for (uint64_t i = 0; i < count && !error; i++)
		error = kvm_pmu_read(&event, &seen);
	kvm_pmu_close(&event);
	return error ? 1 : 0;
}
