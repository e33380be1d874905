/* SPDX-License-Identifier: GPL-2.0-only */
/* What keeps the timer thread awake. */
#ifndef PV_TIMER_H
#define PV_TIMER_H

#include "core/locks/pv_sync.h"

struct pv_vm;
struct pv_vcpu;

struct pv_timer {
	struct pv_event_count wake;
	pv_u32 rotating;  /* vCPUs with more events than counters */
	pv_u32 sampling;  /* vCPUs with events that may be throttled: an NMI cannot wake the timer, so it ticks */
	pv_u32 throttled; /* events that raise nothing for now */
};

/* event_mutex held: does this vCPU need rotation from now on? */
void timer_want_rotation(struct pv_vcpu *vcpu, bool wanted);
/* One more vCPU with counters that sample, or one less. */
void timer_want_windows(struct pv_vm *vm, bool wanted);

#endif
