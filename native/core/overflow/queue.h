/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The overflow_events of one vCPU: events whose overflows wait for the next sync. An event
 * is in it at most once, and the list is threaded through the events, so that it cannot
 * overflow. Beside it stands a list that is pushed to without a lock, for NMI policies
 * that do not want the event_mutex; whoever holds that moves its events to the queue.
 */
#ifndef PV_QUEUE_H
#define PV_QUEUE_H

#include "core/locks/pv_sync.h"

struct pv_vcpu;
struct host_event;

struct overflow_queue {
	/* event_mutex held: */
	struct host_event *first, *last;
	uint32_t length;
	/* Anyone: */
	pv_ptr deferred;
	pv_u32 due; /* something that the guest wants an NMI for is in either list */
};

/* event_mutex held. The queue takes a reference; an event that is queued already stays as it is. */
void queue_add(struct pv_vcpu *vcpu, struct host_event *event);
/* event_mutex held: takes out the first event, with the queue's reference. NULL: there is none. */
struct host_event *queue_take(struct pv_vcpu *vcpu);
/* event_mutex held: takes the event out of both lists, if it is in one. */
void queue_remove(struct pv_vcpu *vcpu, struct host_event *event);
/* event_mutex held: what was deferred is queued. */
void queue_drain(struct pv_vcpu *vcpu);
/* Without a lock, from any context: takes a reference. */
void queue_defer_nmi(struct pv_vcpu *vcpu, struct host_event *event);

#endif
