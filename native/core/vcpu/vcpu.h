/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest mode, and how others bring a vCPU out of it. */
#ifndef PV_VCPU_H
#define PV_VCPU_H

#include <stdbool.h>

struct pv_vcpu;

/* At an exit: the NMIs that caused it; then host mode, and a rotation that is due. */
void vcpu_leave_guest(struct pv_vcpu *vcpu);
/* At the tail of VM entry: waits until nobody wants the vCPU paused, and syncs. False: the VM is over. */
bool vcpu_enter_guest(struct pv_vcpu *vcpu);
/*
 * Takes the vCPU's event_mutex while it is in host mode, so that its counts are exact and
 * stand still. The caller holds at most one event's lock. False, and the mutex is not
 * held: the VM is over.
 */
bool vcpu_hold(struct pv_vcpu *vcpu);
/* The same for the calling thread's own vCPU, which is in host mode. */
void vcpu_hold_own(struct pv_vcpu *vcpu);
void vcpu_release(struct pv_vcpu *vcpu);

#endif
