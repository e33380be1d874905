/* SPDX-License-Identifier: GPL-2.0-only */
/* How others reach a vCPU: its doorbell brings it out of guest mode, a kick or an NMI out of HLT. */
#ifndef PV_WAKE_H
#define PV_WAKE_H

#include "core/locks/pv_sync.h"

struct pv_vm;
struct pv_vcpu;

struct pv_halt {
	struct pv_spinlock lock;
	/* lock held; with it vcpu->parked and vcpu->kicked: */
	uint32_t parked;
};

/* Rings the doorbell: the vCPU leaves guest mode soon. */
void vcpu_ring(struct pv_vcpu *vcpu);

void halt_init(struct pv_vm *vm);
void halt_kick(struct pv_vcpu *vcpu);
/* An NMI waits for the vCPU: if it is parked, it is no more. */
void halt_wake(struct pv_vcpu *vcpu);
/* The same with the halt lock held, and what it waits on not woken. False: it was not parked, or no NMI waits. */
bool halt_unpark_for_nmi(struct pv_vcpu *vcpu);

#endif
