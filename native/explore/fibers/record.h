/* SPDX-License-Identifier: GPL-2.0-only */
/* What happened in a schedule: its switches, and, of a replay, every step. */
#ifndef EXPLORE_RECORD_H
#define EXPLORE_RECORD_H

#include "explore/fibers/schedule.h"

enum { RECORD_SWITCHES = 3 * SCHEDULE_STEPS }; /* a step: who takes it, and what it does not wait for */

extern struct explore_switch record_switches[RECORD_SWITCHES];
extern struct explore_step record_steps[SCHEDULE_STEPS];

_Noreturn void record_too_long(unsigned number, const char *where);

/* `from` stands at its point, and gives way to `to`. */
static inline void record_switch(const struct fiber *from, unsigned to, bool preempts)
{
	record_switches[schedule.switches++] = (struct explore_switch){
		.step = schedule.step, .from = from->number, .to = (uint8_t)to, .op = from->op, .preempts = preempts,
		.where = from->where };
	schedule.preemptions += preempts;
}

/* Fiber `number` takes a step, of what `stands` says. Too many are a violation. */
static inline void record_step(unsigned number, const struct fiber *stands)
{
	uint64_t what = (uint64_t)number << 16 | (uint64_t)stands->kind << 8 | stands->op;

	schedule.trace_hash = (schedule.trace_hash ^ what) * 0x100000001b3 + (schedule.trace_hash >> 29);
	if (schedule.logging)
		record_steps[schedule.step] = (struct explore_step){
			.fiber = (uint8_t)number, .op = stands->op, .kind = stands->kind, .where = stands->where };
	if (++schedule.step == SCHEDULE_STEPS)
		record_too_long(number, stands->where);
}


#endif
