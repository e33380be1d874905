/* SPDX-License-Identifier: GPL-2.0-only */
/* What happened in a schedule: its switches, and, of a replay, every step. */
#ifndef EXPLORE_RECORD_H
#define EXPLORE_RECORD_H

#include "explore/fibers/schedule.h"

/* `from` stands at its point, and gives way to `to`. */
void record_switch(const struct fiber *from, unsigned to, bool preempts);
/* Fiber `number` takes a step, of what `stands` says. Too many are a violation. */
void record_step(unsigned number, const struct fiber *stands);

/* trace_log.c: a schedule begins. */
void record_traces(void);

#endif
