/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The three interfaces that can be swapped, each chosen by its name at vm_create():
 * the event table's design, how the NMI path treats a lock that is taken, and when
 * what is queued is synced to the guest.
 */
#ifndef PV_POLICY_H
#define PV_POLICY_H

#include <stdint.h>

struct pv_vm;
struct pv_vcpu;
struct host_event;

struct table_figures {
	uint64_t open, open_peak, opened;
};

/*
 * The event table: who finds which event under an id, and who keeps it alive.
 * `vcpu` is the vCPU that asks, NULL for the host itself.
 */
struct pv_design {
	const char *name;
	int (*create)(struct pv_vm *vm); /* sets vm->table; 0 or -ENOMEM */
	void (*destroy)(struct pv_vm *vm); /* the events themselves are event_set's to free */
	/* Duplicate check, limit check and insertion in one step. 0, and the caller's reference
	 * is the table's; or -PV_EEXIST, -PV_ENOSPC, and it is still the caller's. */
	int (*insert)(struct pv_vm *vm, struct pv_vcpu *vcpu, struct host_event *event);
	/* The event, to be given back with put(); NULL: no such id. */
	struct host_event *(*get)(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id);
	void (*put)(struct host_event *event);
	/* Takes the event out: its slot is free, the table's reference is the caller's. */
	struct host_event *(*remove)(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id);
	void (*figures)(struct pv_vm *vm, struct table_figures *ret);
};

/* What an overflow does when the vCPU's event_mutex is taken. Nothing overflows as long as
 * sample_period is refused, so there is nothing to decide but the name. */
struct pv_nmi_policy {
	const char *name;
};

/* When queued overflows are synced to the guest; "entry" is the tail of vcpu_enter_guest(). */
struct pv_sync_policy {
	const char *name;
};

extern const struct pv_design design_per_vm;

/* NULL: no policy of that name. */
const struct pv_design *design_find(const char *name);
const struct pv_nmi_policy *nmi_policy_find(const char *name);
const struct pv_sync_policy *sync_policy_find(const char *name);

#endif
