/* SPDX-License-Identifier: GPL-2.0-only */
/* Overflows that are raised go to the event's shadow. NMIs that are too many are throttled. */
#ifndef PV_OVERFLOW_H
#define PV_OVERFLOW_H

#include <stdbool.h>
#include <stdint.h>

struct pv_vm;
struct host_event;

/* NMIs are counted over windows of this length: a tick of Linux at 250 Hz. */
enum { OVERFLOW_WINDOW_NS = 4000000 };

/*
 * NMI context, or an operation on an event that is attached nowhere. Raises what this count
 * has crossed, adapting the period. Returns how many, 0 for none.
 */
uint64_t overflow_raise_nmi(struct host_event *event, uint64_t count);
/* It is being detached, counts no more, and stands at `count`: raises what is left to raise, and ends a throttling. */
void overflow_settle(struct host_event *event, uint64_t count);
/* NMIs in a window that one event may raise, and so may all clocks of a vCPU; there is a limit. */
uint64_t overflow_most_in_a_window(const struct pv_vm *vm);
/* Is this event to be left alone for now? Ends a throttling whose window is over. */
bool overflow_throttled_nmi(struct host_event *event);
/* Another NMI for this event: false when there have been too many in this window. */
bool overflow_admit_nmi(struct host_event *event);

#endif
