/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which places of the core met on one object, and in which order: an access of one fiber, and the next one, of
 * another fiber, of which one at least changes the object. And which operations returned before which of another
 * vCPU's. Some schedules are looked at, and not all: what was never seen the other way round is rare at best.
 */
#ifndef EXPLORE_COVERAGE_H
#define EXPLORE_COVERAGE_H

#include "explore/fibers/schedule.h"

/* A search begins: nothing has met. */
void coverage_forget(void);
/* A schedule begins, the `at`-th of its search. */
void coverage_begin(uint64_t at);
/* The schedule is over: in which order did its operations return? */
void coverage_end(void);

#endif
