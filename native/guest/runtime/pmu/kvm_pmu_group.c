/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

int64_t kvm_pmu_group_add(struct kvm_pmu_group *group, int32_t id, const struct kvm_pv_perf_attr *attr)
{
	struct kvm_pmu_member *member = &group->member[group->members];
	bool leads = !group->members;
	struct kvm_pv_perf_attr own = *attr;
	struct kvm_pv_perf_event_param2 param = {
		.attr_addr = (gpa_t)&own,
		.guest_event_addr = (gpa_t)member->shared,
		.guest_event_bytes = sizeof(member->shared),
		.id = id,
		.group = leads ? -1 : group->member[0].id,
	};
	int64_t ret;

	if (group->members == KVM_PMU_GROUP_MEMBERS)
		return -PV_ENOSPC;
	*member = (struct kvm_pmu_member){ .id = id };
	own.read_format = KVM_PMU_GROUP_FORMAT & ~(leads ? 0u : (unsigned)KVM_PV_PERF_FORMAT_GROUP);
	ret = perf_open2((gpa_t)&param);
	group->members += ret == 0;
	return ret;
}

int64_t kvm_pmu_group_enable(struct kvm_pmu_group *group)
{
	return perf_op(KVM_PV_PERF_OP_ENABLE, group->member[0].id);
}

int64_t kvm_pmu_group_disable(struct kvm_pmu_group *group)
{
	return perf_op(KVM_PV_PERF_OP_DISABLE, group->member[0].id);
}

int64_t kvm_pmu_group_read(struct kvm_pmu_group *group, struct kvm_pmu_group_values *ret)
{
	int64_t result = perf_op(KVM_PV_PERF_OP_READ, group->member[0].id);

	kvm_pmu_group_values(group, ret);
	return result;
}

/* Another vCPU's sync may come at any time: what was read between two changes of the sequence is one moment's. */
void kvm_pmu_group_values(struct kvm_pmu_group *group, struct kvm_pmu_group_values *ret)
{
	const struct kvm_pv_perf_event2 *shared = kvm_pmu_group_shared(group, 0);
	uint32_t before, after;

	do {
		before = __atomic_load_n(&shared->sequence, __ATOMIC_ACQUIRE);
		ret->time_enabled = atomic_load(&shared->time_enabled);
		ret->time_running = atomic_load(&shared->time_running);
		ret->members = atomic_load(&shared->nr);
		for (unsigned i = 0; i < KVM_PMU_GROUP_MEMBERS && i < ret->members; i++) {
			ret->member[i].value = atomic_load(&shared->member[i].value);
			ret->member[i].id = atomic_load(&shared->member[i].id);
		}
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(&shared->sequence, __ATOMIC_RELAXED);
	} while (before != after || before % 2);
}

int64_t kvm_pmu_group_close(struct kvm_pmu_group *group)
{
	int64_t first = 0;

	while (group->members) {
		int64_t ret = perf_op(KVM_PV_PERF_OP_CLOSE, group->member[--group->members].id);

		first = first ? first : ret;
	}
	return first;
}
