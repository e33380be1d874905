/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's NMI handler, and the table in which it finds the sampling events that run on
 * its vCPU: slots, not a list, so that an NMI may come, and another vCPU may take an event
 * away, at any moment.
 */
#ifndef GUEST_KVM_PMU_NMI_H
#define GUEST_KVM_PMU_NMI_H

#include "pmu/kvm_pmu.h"

/* Sampling events that may run on one vCPU at a time, unless it makes room for more. */
enum { KVM_PMU_SLOTS = 64 };

/* What the handler of one vCPU has seen; written by it alone. */
struct kvm_pmu_nmi_counts {
	uint64_t nmis;
	uint64_t empty;     /* of them, those that found no overflow at all */
	uint64_t overflows; /* taken */
	uint64_t most;      /* taken of one event at once */
};

/* From now on NMIs are the driver's, on all vCPUs. */
void kvm_pmu_nmi_start(void);
/* That handler: for a program with one of its own, which calls this. */
void kvm_pmu_nmi(struct exception_frame *frame);
struct kvm_pmu_nmi_counts kvm_pmu_nmi_counts(unsigned vcpu);
/* Room for so many on this vCPU, before any has been enabled here. */
void kvm_pmu_nmi_room(unsigned room);

/* For kvm_pmu.c. */

/* The slot of this vCPU that holds the event: the one that it has, or else a new one; NULL: all are taken. */
struct kvm_pmu_slot *kvm_pmu_slot_here(struct kvm_pmu_event *event);
/* Empties a slot, if there is one. After that the handler of its vCPU does not touch what was in it. */
void kvm_pmu_slot_empty(struct kvm_pmu_slot *slot);
/* The same for the event's own. */
void kvm_pmu_slot_leave(struct kvm_pmu_event *event);

#endif
