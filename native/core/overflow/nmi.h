/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The NMI path: what a counter's overflow does on the host. It updates the event's shadow,
 * and tries to queue the event for the next sync, as the NMI policy says. It never waits,
 * allocates, prints or touches guest memory.
 *
 * The counters of a vCPU overflow in guest mode, so that its NMIs come in front of the
 * exit that they cause: nobody else touches its PMU then, lock or not (see vcpu.c). Clocks
 * run on in host mode, and their NMIs come from the timer thread at any time.
 */
#ifndef PV_NMI_H
#define PV_NMI_H

#include <stdbool.h>
#include <stdint.h>

struct pv_vcpu;
struct host_event;

/* At an exit, before host mode: the NMIs of this vCPU's counters. */
void nmi_counters(struct pv_vcpu *vcpu);
/* Timer thread, the lock of its clocks held: a clock of this vCPU stands at `count`. True: the vCPU is to be brought out. */
bool nmi_clock(struct pv_vcpu *vcpu, struct host_event *event, uint64_t count);

extern const struct pv_nmi_policy nmi_trylock, nmi_deferred, nmi_lockless;

#endif
