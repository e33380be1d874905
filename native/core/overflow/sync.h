/* SPDX-License-Identifier: GPL-2.0-only */
/* Queued events are synced to the guest, and the vCPU is marked for the NMI that tells it. */
#ifndef PV_EVENT_SYNC_H
#define PV_EVENT_SYNC_H

struct pv_vcpu;

/* event_mutex held, in host mode: everything queued is delivered. What cannot be stays queued. */
void sync_events(struct pv_vcpu *vcpu);
/* The same at the end of an exit, for the policy that was posted. */
void sync_after_exit(struct pv_vcpu *vcpu);

#endif
