/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Driver of the paravirtual perf interface: what a guest kernel's PMU layer does
 * with its events. Functions return 0 or the hypercall's negative result.
 * An event may be used by any vCPU, but not by two at the same time.
 */
#ifndef GUEST_KVM_PMU_H
#define GUEST_KVM_PMU_H

#include <stdbool.h>

#include "exception.h"
#include "kvm_pv_perf.h"

enum {
	/* Ids go round from 1 to here. Those above are the host's own. */
	KVM_PMU_LAST_ID = 0x3fffffff,
};

struct kvm_pmu_event;
struct kvm_pmu_slot;

/*
 * In the NMI handler of the vCPU that the event runs on: `n` overflows were taken, and this is
 * where they have hit. It may disable and close this event, and no other.
 */
typedef void (*kvm_pmu_overflow)(struct kvm_pmu_event *event, uint32_t n, struct exception_frame *frame);

struct kvm_pmu_event {
	struct kvm_pv_perf_event shared __attribute__((aligned(16))); /* with the host */
	int32_t id; /* 0: closed */
	struct kvm_pmu_event *next; /* of the same task */

	/* Of a sampling event; see kvm_pmu_nmi.h. */
	bool sampling;
	struct kvm_pmu_slot *slot; /* NULL: no vCPU's handler looks at it */
	uint64_t taken;            /* overflows that handlers have taken */
	kvm_pmu_overflow overflow; /* set between open and enable; NULL: they are but added up */
	void *data;                /* for `overflow` */
};

/* What CPUID says. False: no such feature. */
struct kvm_pmu_capabilities {
	uint32_t max_events, counters, abi_version;
};
bool kvm_pmu_discover(struct kvm_pmu_capabilities *ret);

/* A counting event of this type, for :u and :k of the usual kind. */
struct kvm_pv_perf_attr kvm_pmu_attr(uint32_t type, uint64_t config, bool exclude_user, bool exclude_kernel);

/* The same with a sample_period; it needs kvm_pmu_nmi_start() once. */
struct kvm_pv_perf_attr kvm_pmu_attr_sampling(uint32_t type, uint64_t config, bool exclude_user, bool exclude_kernel,
					      uint64_t period);

/* Opens it disabled, under a new id; whatever the event was before, it is new. */
int64_t kvm_pmu_open(struct kvm_pmu_event *event, const struct kvm_pv_perf_attr *attr);
/* Starts it on this vCPU, wherever it ran before. -PV_ENOSPC: too many that sample run here. */
int64_t kvm_pmu_enable(struct kvm_pmu_event *event);
/* Stops it; its count is final until it is enabled again. What of its overflows no handler has
 * taken is in shared.overflows. */
int64_t kvm_pmu_disable(struct kvm_pmu_event *event);
/* Its present count, running or not. */
int64_t kvm_pmu_read(struct kvm_pmu_event *event, uint64_t *count);
int64_t kvm_pmu_close(struct kvm_pmu_event *event);
/* The count that the host stored last, without asking it. */
uint64_t kvm_pmu_count(const struct kvm_pmu_event *event);

#endif
