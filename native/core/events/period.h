/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When an event overflows: one overflow for every `period` counts, however late it is
 * noticed, and the remainder is kept; or one for so many in the mean.
 */
#ifndef PV_PERIOD_H
#define PV_PERIOD_H

#include <stdbool.h>
#include <stdint.h>

struct event_source;

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

/* `spacing`: a state of spacing.h's, or 0 for overflows that come at a fixed period. A frequency's period is fixed. */
void period_init(struct event_overflow *overflow, const struct event_source *source, uint64_t spacing);

/* All overflows up to `count`. Returns how many were crossed, 0 for none; the next lies beyond. */
uint64_t period_cross(struct event_overflow *overflow, uint64_t count);
/* Of a frequency: what the period should have been, from what was counted since the last overflow, and how long the
 * event has run; the next overflow lies that far on. */
void period_adapt(struct event_overflow *overflow, uint64_t count, uint64_t ran);

#endif
