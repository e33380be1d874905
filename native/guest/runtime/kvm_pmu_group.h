/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Driver of version 2: events with a read_format, and groups of them. Counting alone. As
 * in kvm_pmu.h, functions return 0 or the hypercall's negative result.
 */
#ifndef GUEST_KVM_PMU_GROUP_H
#define GUEST_KVM_PMU_GROUP_H

#include "kvm_pv_perf.h"

enum { KVM_PMU_MEMBERS = 16 }; /* of a group, its leader included */

/* What the host stores, with room for a whole group. */
struct kvm_pmu_record {
	uint64_t count;
	int32_t overflows;
	uint32_t sequence;
	uint64_t time_enabled, time_running, id, nr;
	struct kvm_pv_perf_member member[KVM_PMU_MEMBERS];
};

struct kvm_pmu_event2 {
	struct kvm_pmu_record shared __attribute__((aligned(16))); /* with the host */
	int32_t id; /* 0: closed */
};

/* Opens it disabled: a sibling of `leader`, which is stopped, or with NULL a leader itself. */
int64_t kvm_pmu_open2(struct kvm_pmu_event2 *event, const struct kvm_pv_perf_attr *attr,
		      const struct kvm_pmu_event2 *leader);
/* The group, on this vCPU, wherever it ran before. */
int64_t kvm_pmu_enable2(struct kvm_pmu_event2 *leader);
int64_t kvm_pmu_disable2(struct kvm_pmu_event2 *leader);
int64_t kvm_pmu_read2(struct kvm_pmu_event2 *event);
int64_t kvm_pmu_close2(struct kvm_pmu_event2 *event);
/* All that the host stored last, at one moment of its; without asking it, from any vCPU. */
void kvm_pmu_snapshot(const struct kvm_pmu_event2 *event, struct kvm_pmu_record *ret);

#endif
