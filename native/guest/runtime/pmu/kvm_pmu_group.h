/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event groups, version 2 of the interface: members that are counted together or not at all,
 * and read at one moment. Functions return 0 or the hypercall's negative result.
 */
#ifndef GUEST_KVM_PMU_GROUP_H
#define GUEST_KVM_PMU_GROUP_H

#include "kvm_pv_perf.h"

enum {
	KVM_PMU_GROUP_MEMBERS = 8,
	KVM_PMU_GROUP_FORMAT = KVM_PV_PERF_FORMAT_TOTAL_TIME_ENABLED | KVM_PV_PERF_FORMAT_TOTAL_TIME_RUNNING |
			       KVM_PV_PERF_FORMAT_ID | KVM_PV_PERF_FORMAT_GROUP,
};

/* A member; what it shares with the host has room for the whole group, which the leader's needs. */
struct kvm_pmu_member {
	uint8_t shared[sizeof(struct kvm_pv_perf_event2) + KVM_PMU_GROUP_MEMBERS * sizeof(struct kvm_pv_perf_member)]
		__attribute__((aligned(16)));
	int32_t id;
};

struct kvm_pmu_group {
	struct kvm_pmu_member member[KVM_PMU_GROUP_MEMBERS]; /* the leader first */
	unsigned members;
};

/* What all of them stood at, at one moment. */
struct kvm_pmu_group_values {
	uint64_t time_enabled, time_running; /* ns */
	uint64_t members;
	struct kvm_pv_perf_member member[KVM_PMU_GROUP_MEMBERS];
};

static inline struct kvm_pv_perf_event2 *kvm_pmu_group_shared(struct kvm_pmu_group *group, unsigned member)
{
	return (struct kvm_pv_perf_event2 *)(void *)group->member[member].shared;
}

/* Opens one more member under this id; the first one leads. The group must be disabled. */
int64_t kvm_pmu_group_add(struct kvm_pmu_group *group, int32_t id, const struct kvm_pv_perf_attr *attr);
/* The whole group, on this vCPU. */
int64_t kvm_pmu_group_enable(struct kvm_pmu_group *group);
int64_t kvm_pmu_group_disable(struct kvm_pmu_group *group);
/* Asks the host for what it has counted by now. */
int64_t kvm_pmu_group_read(struct kvm_pmu_group *group, struct kvm_pmu_group_values *ret);
/* What the host stored last, whole, though it may be writing at this moment. */
void kvm_pmu_group_values(struct kvm_pmu_group *group, struct kvm_pmu_group_values *ret);
/* Closes all, siblings first. The first error, if there is one. */
int64_t kvm_pmu_group_close(struct kvm_pmu_group *group);

#endif
