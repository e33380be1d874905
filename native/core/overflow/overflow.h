/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When an event overflows: one overflow for every `period` counts, however late it is
 * noticed, and the remainder is kept; or one for so many in the mean. Raised overflows go to the event's shadow.
 */
#ifndef PV_OVERFLOW_H
#define PV_OVERFLOW_H

#include <stdbool.h>
#include <stdint.h>

struct pv_vm;
struct event_source;
struct host_event;
struct pmu_value;

/* How an event overflows. Counts are of the event's own unit. */
struct event_overflow {
	uint64_t period;     /* counts between two overflows; 0: it does not sample */
	uint64_t at;         /* the count at which the next one comes */
	uint64_t spacing;    /* not 0: distances are drawn, see spacing.h, and this is the state */
	uint32_t frequency;  /* overflows a second that the period is adapted to; 0: it is fixed */
	uint64_t ran_ns, ran_since; /* how long it has run while its vCPU was not in HLT; and since when, in that time */
	uint64_t last_ran, last_count; /* when the last overflow was noticed, in ran_ns */
	bool adapts; /* there was one */
	uint64_t window_ns;  /* when the window began in which NMIs are counted */
	uint32_t window_nmis;
	bool throttled;      /* raises nothing until the next window */
};

/* NMIs are counted over windows of this length: a tick of Linux at 250 Hz. */
enum { OVERFLOW_WINDOW_NS = 4000000 };

/* `spacing`: a state of spacing.h's, or 0 for overflows that come at a fixed period. A frequency's period is fixed. */
void overflow_init(struct event_overflow *overflow, const struct event_source *source, uint64_t spacing);

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
