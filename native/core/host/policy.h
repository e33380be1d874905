/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The three interfaces that can be swapped, each chosen by its name at vm_create():
 * the event table's design, how the NMI path treats a lock that is taken, and when
 * what is queued is synced to the guest.
 */
#ifndef PV_POLICY_H
#define PV_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/host/guest_mem.h"

struct pv_vm;
struct pv_vcpu;
struct host_event;
struct pmu_value;

struct table_figures {
	uint64_t open, open_peak, opened;
};

/*
 * A design: who finds which event of the guest's under an id (the agent's are owner.h's), who keeps
 * an event alive, where it counts, and how what it has counted reaches the guest. `vcpu` is the vCPU that asks, NULL for the host itself.
 */
struct pv_design {
	const char *name;
	uint32_t abi_version; /* that it offers the guest */
	bool keeps_nmis; /* an NMI that is owed comes, though its event is closed meanwhile */
	int (*create)(struct pv_vm *vm); /* sets vm->table; 0 or -ENOMEM */
	void (*destroy)(struct pv_vm *vm); /* the events themselves are event_set's to free */
	void (*figures)(struct pv_vm *vm, struct table_figures *ret);

	/* The whole of KVM_PV_PERF_OP_OPEN, with the parameter block at this gpa; and of OPEN2, from version 2 on. */
	int64_t (*open)(struct pv_vcpu *vcpu, gpa_t param);
	int64_t (*open2)(struct pv_vcpu *vcpu, gpa_t param);
	/* Duplicate check, limit check and insertion in one step. 0, and the caller's reference
	 * is the table's; or -PV_EEXIST, -PV_ENOSPC, and it is still the caller's. */
	int (*insert)(struct pv_vm *vm, struct pv_vcpu *vcpu, struct host_event *event);
	/* The event, to be given back with put(); NULL: no such id. */
	struct host_event *(*get)(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id);
	/* Takes the event out: its slot is free, the table's reference is the caller's, to release(). NULL as above. */
	struct host_event *(*remove)(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id);
	void (*release)(struct host_event *event);

	/* One more reference, for a vCPU's PMU or queue; and back, or what get() gave. */
	void (*hold)(struct host_event *event);
	void (*put)(struct host_event *event);

	/* Where ENABLE by `vcpu` makes it count. */
	struct pv_vcpu *(*place)(struct pv_vcpu *vcpu, struct host_event *event);
	/* event_mutex held, NMI context too: queues an event that has overflowed. */
	void (*queue)(struct pv_vcpu *vcpu, struct host_event *event);
	/* At a sync, and when it is disabled: what the guest gets. See delivery.h. */
	int (*deliver)(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value,
		       uint64_t *delivered);
	int (*finish)(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value,
		      uint64_t *delivered);
};

/* What an overflow does with the event; its overflows are in the shadow already. */
struct pv_nmi_policy {
	const char *name;
	void (*overflow_nmi)(struct pv_vcpu *vcpu, struct host_event *event);
};

/* When queued overflows are synced to the guest. */
struct pv_sync_policy {
	const char *name;
	bool at_entry; /* at the tail of VM entry; else at the end of each exit, as posted */
};

#endif
