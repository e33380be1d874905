/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HLT and KVM_HC_KICK_CPU. A kick that comes before the HLT is remembered, so that
 * none is lost; an NMI that waits for the vCPU lets it go on, too. When every vCPU is
 * parked, and no clock is due within CLOCK_WAKES_WITHIN_NS whose NMI could wake one, the VM ends.
 */
#ifndef PV_HALT_H
#define PV_HALT_H

struct pv_vcpu;

/* Returns once the vCPU has been kicked, an NMI waits for it, or the VM's end has been asked for. */
void halt_park(struct pv_vcpu *vcpu);

#endif
