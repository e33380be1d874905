/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NMIs that wait for their vCPU's next entry: one for all events there that have come to overflows since the last.
 * It is for events that are enabled. Who stops one, or closes it, takes back what is owed for it alone; where it is
 * enabled on another vCPU instead, that one owes it. What was injected already is latched in the vCPU until it is taken.
 */
#ifndef PV_INJECT_H
#define PV_INJECT_H

#include <stdbool.h>
#include <stdint.h>

struct pv_vcpu;
struct host_event;

struct owed_nmis {
	uint64_t round;  /* entries with an NMI so far, plus 1: what an event that is among the following has */
	uint32_t events; /* for how many of the guest's events one is owed, */
	uint32_t agents; /* and of the agent's */
};

/* All with the vCPU's event_mutex held. */

void inject_init(struct pv_vcpu *vcpu);
/* Overflows of an event that is attached have come into its word. */
void inject_owe(struct pv_vcpu *vcpu, struct host_event *event);
/* The event leaves the vCPU, and arrives at one. */
void inject_leave(struct pv_vcpu *vcpu, struct host_event *event);
void inject_arrive(struct pv_vcpu *vcpu, struct host_event *event);
/* The guest is owed none for an event that is attached nowhere: who stopped it looks for himself. */
void inject_forget(struct host_event *event);
/* PV_INJECT_*, none of which is owed any more. */
uint32_t inject_take(struct pv_vcpu *vcpu);

#endif
