/* SPDX-License-Identifier: GPL-2.0-only */
/* The timer thread: rotation of counters, clocks that sample, throttling, and patience at the VM's end. */
#ifndef PV_TIMER_H
#define PV_TIMER_H

#include "pv_sync.h"

struct pv_vm;
struct pv_vcpu;
struct host_event;

struct pv_timer {
	struct pv_event_count wake;
	pv_u32 rotating;  /* vCPUs with more events than counters */
	pv_u32 sampling;  /* vCPUs with events that may be throttled: an NMI cannot wake the timer, so it ticks */
	pv_u32 throttled; /* events that raise nothing for now */
	pv_u32 wake_due;  /* some vcpu->nmi_wake is set */

	struct pv_spinlock lock;
	/* lock held: */
	struct host_event *clocks; /* armed ones */
	/* The same to write, anyone reads: */
	pv_u32 waking; /* of them, those whose NMI wakes a vCPU out of HLT */
};

void timer_init(struct pv_vm *vm);
/* event_mutex held: does this vCPU need rotation from now on? */
void timer_want_rotation(struct pv_vcpu *vcpu, bool wanted);
/* One more vCPU with counters that sample, or one less. */
void timer_want_windows(struct pv_vm *vm, bool wanted);
/* The thread's life: returns once the VM's end is published. */
void timer_run(struct pv_vm *vm);

#endif
