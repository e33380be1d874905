/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

_Static_assert(__builtin_offsetof(struct kvm_pmu_record, member) == sizeof(struct kvm_pv_perf_event2), "record");
_Static_assert(__builtin_offsetof(struct kvm_pmu_record, sequence) ==
		       __builtin_offsetof(struct kvm_pv_perf_event2, sequence), "record");

int64_t kvm_pmu_open2(struct kvm_pmu_event2 *event, const struct kvm_pv_perf_attr *attr,
		      const struct kvm_pmu_event2 *leader)
{
	struct kvm_pv_perf_event_param2 param = {
		.attr_addr = (gpa_t)attr,
		.guest_event_addr = (gpa_t)&event->shared,
		.guest_event_bytes = sizeof(event->shared),
		.group = leader ? leader->id : -1,
	};
	int64_t ret;

	memset(event, 0, sizeof(*event));
	do {
		param.id = kvm_pmu_next_id();
		ret = perf_open2((gpa_t)&param);
	} while (ret == -PV_EEXIST);
	if (ret == 0)
		event->id = param.id;
	return ret;
}

int64_t kvm_pmu_enable2(struct kvm_pmu_event2 *leader)
{
	return perf_op(KVM_PV_PERF_OP_ENABLE, leader->id);
}

int64_t kvm_pmu_disable2(struct kvm_pmu_event2 *leader)
{
	return perf_op(KVM_PV_PERF_OP_DISABLE, leader->id);
}

int64_t kvm_pmu_read2(struct kvm_pmu_event2 *event)
{
	return perf_op(KVM_PV_PERF_OP_READ, event->id);
}

int64_t kvm_pmu_close2(struct kvm_pmu_event2 *event)
{
	int64_t ret = perf_op(KVM_PV_PERF_OP_CLOSE, event->id);

	if (ret == 0)
		event->id = 0;
	return ret;
}

/* Words, not memcpy(): each is loaded once, in this order. */
void kvm_pmu_snapshot(const struct kvm_pmu_event2 *event, struct kvm_pmu_record *ret)
{
	const uint64_t *from = (const uint64_t *)&event->shared;
	uint64_t *to = (uint64_t *)ret;
	uint32_t before;

	do {
		while ((before = atomic_load(&event->shared.sequence)) % 2)
			cpu_relax();
		for (size_t i = 0; i < sizeof(*ret) / sizeof(*to); i++)
			to[i] = atomic_load(&from[i]);
	} while (atomic_load(&event->shared.sequence) != before);
}
