/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

static uint32_t last_id;

bool kvm_pmu_discover(struct kvm_pmu_capabilities *ret)
{
	struct cpuid signature = cpuid(KVM_CPUID_SIGNATURE), pmu;

	if (signature.eax < KVM_CPUID_PV_PERF || memcmp(&signature.ebx, "KVMKVMKVM\0\0\0", 12) != 0)
		return false;
	if (!(cpuid(KVM_CPUID_FEATURES).eax >> KVM_FEATURE_PV_PERF & 1))
		return false;
	pmu = cpuid(KVM_CPUID_PV_PERF);
	*ret = (struct kvm_pmu_capabilities){
		.max_events = pmu.eax, .counters = pmu.ebx, .abi_version = pmu.ecx,
	};
	return true;
}

struct kvm_pv_perf_attr kvm_pmu_attr(uint32_t type, uint64_t config, bool exclude_user, bool exclude_kernel)
{
	return (struct kvm_pv_perf_attr){
		.type = type,
		.config = config,
		.flags = 1ull << KVM_PV_PERF_DISABLED | (uint64_t)exclude_user << KVM_PV_PERF_EXCLUDE_USER |
			 (uint64_t)exclude_kernel << KVM_PV_PERF_EXCLUDE_KERNEL,
	};
}

struct kvm_pv_perf_attr kvm_pmu_attr_sampling(uint32_t type, uint64_t config, bool exclude_user, bool exclude_kernel,
					      uint64_t period)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(type, config, exclude_user, exclude_kernel);

	attr.sample_period = period;
	return attr;
}

static int32_t next_id(void)
{
	return (int32_t)(atomic_fetch_add(&last_id, 1u) % KVM_PMU_LAST_ID) + 1;
}

/* Ids that went all the way round may still be in use: then the next one. */
int64_t kvm_pmu_open(struct kvm_pmu_event *event, const struct kvm_pv_perf_attr *attr)
{
	struct kvm_pv_perf_event_param param = {
		.attr_addr = (gpa_t)attr,
		.guest_event_addr = (gpa_t)&event->shared,
	};
	int64_t ret;

	*event = (struct kvm_pmu_event){ .sampling = attr->sample_period };
	do {
		param.id = next_id();
		ret = perf_open((gpa_t)&param);
	} while (ret == -PV_EEXIST);
	if (ret == 0)
		event->id = param.id;
	return ret;
}

/* Once it runs, its NMI may come at once: so the handler knows it before. The vCPU where it ran
 * till now forgets it afterwards, so that an overflow in between finds either of them. */
int64_t kvm_pmu_enable(struct kvm_pmu_event *event)
{
	struct kvm_pmu_slot *before = event->slot, *here = event->sampling ? kvm_pmu_slot_here(event) : NULL;
	int64_t ret;

	if (event->sampling && !here)
		return -PV_ENOSPC;
	event->slot = here;
	ret = perf_op(KVM_PV_PERF_OP_ENABLE, event->id);
	if (here == before)
		return ret;
	if (ret)
		event->slot = before;
	kvm_pmu_slot_empty(ret ? here : before);
	return ret;
}

/* The NMI of what overflowed last comes as DISABLE returns: the handler knows it till then. */
int64_t kvm_pmu_disable(struct kvm_pmu_event *event)
{
	int64_t ret = perf_op(KVM_PV_PERF_OP_DISABLE, event->id);

	if (!ret)
		kvm_pmu_slot_leave(event);
	return ret;
}

int64_t kvm_pmu_read(struct kvm_pmu_event *event, uint64_t *count)
{
	int64_t ret = perf_op(KVM_PV_PERF_OP_READ, event->id);

	*count = kvm_pmu_count(event);
	return ret;
}

int64_t kvm_pmu_close(struct kvm_pmu_event *event)
{
	int64_t ret = perf_op(KVM_PV_PERF_OP_CLOSE, event->id);

	if (!ret) {
		kvm_pmu_slot_leave(event);
		event->id = 0;
	}
	return ret;
}

uint64_t kvm_pmu_count(const struct kvm_pmu_event *event)
{
	return atomic_load(&event->shared.count);
}
