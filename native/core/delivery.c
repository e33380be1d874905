/* SPDX-License-Identifier: GPL-2.0-only */
#include "delivery.h"

#include <stddef.h>

#include "host.h"

/* A clock's kernel share is a difference of two clocks, whose rates differ by a hair: never backwards. */
int deliver_count(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value)
{
	uint64_t count = pmu_count(event, value);

	if (source_splits_clock(&event->source) && count < event->written)
		count = event->written;
	event->written = count;
	return guest_store_u64(mem, event->guest_addr, count);
}

int deliver_overflows(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value,
		      uint64_t *delivered)
{
	uint64_t n = pv_u64_exchange(&event->shadow.overflows, 0);
	gpa_t word = event->guest_addr + offsetof(struct kvm_pv_perf_event, overflows);
	uint32_t added = 0;
	int ret;

	pv_point("deliver: shadow taken");
	ret = deliver_count(mem, event, value);
	if (!ret && n)
		ret = guest_add_s32(mem, word, n, &added);
	if (added < n)
		pv_u64_add(&event->shadow.overflows, n - added);
	pv_u64_add(&event->vm->ledger.delivered, added);
	*delivered = added;
	return ret;
}
