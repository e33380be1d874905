/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HLT and KVM_HC_KICK_CPU. A kick that comes before the HLT is remembered, so that
 * none is lost. When every vCPU is parked nothing can wake one: the VM ends.
 */
#ifndef PV_HALT_H
#define PV_HALT_H

#include "pv_sync.h"

struct pv_vm;
struct pv_vcpu;

struct pv_halt {
	struct pv_spinlock lock;
	/* lock held; with it vcpu->parked and vcpu->kicked: */
	uint32_t parked;
};

void halt_init(struct pv_vm *vm);
/* Returns once the vCPU has been kicked, or the VM's end has been asked for. */
void halt_park(struct pv_vcpu *vcpu);
void halt_kick(struct pv_vcpu *vcpu);

#endif
