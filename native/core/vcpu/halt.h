/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HLT and KVM_HC_KICK_CPU. A kick that comes before the HLT is remembered, so that
 * none is lost; an NMI that waits for the vCPU lets it go on, too. When every vCPU is
 * parked, and no clock is due within CLOCK_WAKES_WITHIN_NS whose NMI could wake one, the VM ends.
 */
#ifndef PV_HALT_H
#define PV_HALT_H

#include "core/locks/pv_sync.h"

struct pv_vm;
struct pv_vcpu;

struct pv_halt {
	struct pv_spinlock lock;
	/* lock held; with it vcpu->parked and vcpu->kicked: */
	uint32_t parked;
};

void halt_init(struct pv_vm *vm);
/* Returns once the vCPU has been kicked, an NMI waits for it, or the VM's end has been asked for. */
void halt_park(struct pv_vcpu *vcpu);
void halt_kick(struct pv_vcpu *vcpu);
/* An NMI waits for the vCPU: if it is parked, it is no more. */
void halt_wake(struct pv_vcpu *vcpu);

#endif
