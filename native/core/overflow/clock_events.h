/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clock events that sample: the timer thread raises their overflows when they are due, in
 * NMI context, whatever the vCPU's host thread is doing meanwhile.
 *
 * Each vCPU has a queue of those that run on it. The timer takes its lock anew for every event, and lets the host
 * thread have it first, which wants it with the event_mutex held: that is not held for longer than one NMI because of
 * the timer. In a window of OVERFLOW_WINDOW_NS a vCPU's clocks together raise as many NMIs as max_sample_rate lets
 * one event raise, and then none until the next one; no overflow is lost by that.
 */
#ifndef PV_CLOCK_EVENTS_H
#define PV_CLOCK_EVENTS_H

#include <stdbool.h>

#include "core/locks/pv_sync.h"

struct pv_vm;
struct pv_vcpu;
struct pv_vm_end;
struct host_event;

enum clock_kind { CLOCK_CPU = 0, CLOCK_TASK, CLOCK_KINDS };

/* Clocks of one kind have one time. */
struct clock_line {
	bool stands;     /* its time does */
	uint64_t hidden; /* that time is clock_now() less this */
	struct host_event *first[2]; /* heaps: those of the guest, and of the agent */
};

struct clock_queue {
	/* event_mutex held: */
	uint32_t armed; /* events in the heaps */

	struct pv_spinlock lock;
	/* lock held: */
	struct clock_line line[CLOCK_KINDS];
	uint64_t window_ns; /* when the window began in which NMIs are counted */
	uint64_t window_nmis;
	struct host_event *refused; /* the vCPU's clocks raise nothing until the next window, and this one was the first */
	/* The same to write, anyone reads. In clock_now() time, UINT64_MAX: never. */
	pv_u64 next;  /* when the timer is to look at it */
	pv_u64 wakes; /* when the first of its clocks is due that wakes the vCPU out of HLT */
};

/* A clock that is due later than this does not keep a VM alive whose vCPUs are all halted. */
#define CLOCK_WAKES_WITHIN_NS 3600000000000ull

void clock_events_init(struct pv_vcpu *vcpu);
/* event_mutex of the event's vCPU held, for this and the next three. It stands at `count` and runs: it will be due.
 * `now`: of its kind's time. */
void clock_event_arm(struct pv_vcpu *vcpu, struct host_event *event, uint64_t count, uint64_t now);
/* It stops. From now on, what it has counted is the caller's to look at. */
void clock_event_disarm(struct pv_vcpu *vcpu, struct host_event *event);
/* The time of these clocks stops; what is read behind it is no earlier than what their overflows stand for. */
void clock_events_stop(struct pv_vcpu *vcpu, enum clock_kind from);
/* Their time is what the PMU says, from now on. */
void clock_events_go_on(struct pv_vcpu *vcpu);

/* Timer thread: raises what is due. Returns when the next one is, in clock_now() time, or UINT64_MAX. */
uint64_t clock_events_run(struct pv_vm *vm);
/* Can one of them still wake a vCPU that is halted? */
bool clock_events_may_wake(const struct pv_vm *vm);
/* No lock held. Of those that cannot, as they are due too late: says so in the text of the VM's end. */
void clock_events_tell(struct pv_vm *vm, struct pv_vm_end *end);

#endif
