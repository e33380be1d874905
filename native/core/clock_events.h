/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clock events that sample: the timer thread raises their overflows when they are due, in
 * NMI context, whatever the vCPU's host thread is doing meanwhile.
 */
#ifndef PV_CLOCK_EVENTS_H
#define PV_CLOCK_EVENTS_H

#include "pv_sync.h"

struct pv_vm;
struct pv_vcpu;
struct host_event;

/* event_mutex of the event's vCPU held. It stands at `count` and runs: it will be due. */
void clock_event_arm(struct pv_vcpu *vcpu, struct host_event *event, uint64_t count);
/* It stops. From now on, what it has counted is the caller's to look at. */
void clock_event_disarm(struct pv_vcpu *vcpu, struct host_event *event);

/* Timer thread: raises what is due. Returns when the next one is, in clock_now() time, or UINT64_MAX. */
uint64_t clock_events_run(struct pv_vm *vm);
/* Can one of them still wake a vCPU that is halted? */
bool clock_events_may_wake(const struct pv_vm *vm);

#endif
