/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/fibers/record.h"

static struct explore_switch switches[3 * SCHEDULE_STEPS]; /* a step: who takes it, and what it does not wait for */
static struct explore_step steps[SCHEDULE_STEPS];

static const char *const point_names[POINT_KINDS] = {
	[POINT_LOAD] = "load", [POINT_STORE] = "store", [POINT_UPDATE] = "update",
	[POINT_LOCK] = "lock", [POINT_TRYLOCK] = "trylock", [POINT_UNLOCK] = "unlock",
	[POINT_WAIT] = "wait", [POINT_WAKE] = "wake", [POINT_GUEST] = "guest",
	[POINT_IDLE] = "idle", [POINT_TAG] = "point", [POINT_RELEASE] = "unlock",
	[POINT_VISIBLE] = "visible",
};

const char *explore_point_name(uint32_t kind)
{
	return kind < POINT_KINDS ? point_names[kind] : "?";
}

const struct explore_switch *explore_switches(uint32_t *n)
{
	*n = schedule.switches;
	return switches;
}

const struct explore_step *explore_steps(uint32_t *n)
{
	*n = schedule.logging ? schedule.step : 0;
	return steps;
}

void record_switch(const struct fiber *from, unsigned to, bool preempts)
{
	switches[schedule.switches++] = (struct explore_switch){
		.step = schedule.step, .from = (uint8_t)(from - schedule.fiber), .to = (uint8_t)to,
		.op = from->op, .preempts = preempts, .where = from->where };
	schedule.preemptions += preempts;
}

void record_step(unsigned number, const struct fiber *stands)
{
	uint64_t what = (uint64_t)number << 16 | (uint64_t)stands->kind << 8 | stands->op;

	schedule.trace_hash = (schedule.trace_hash ^ what) * 0x100000001b3 + (schedule.trace_hash >> 29);
	if (schedule.logging)
		steps[schedule.step] = (struct explore_step){
			.fiber = (uint8_t)number, .op = stands->op, .kind = stands->kind,
			.where = stands->where };
	if (++schedule.step == SCHEDULE_STEPS)
		schedule_violation(EXPLORE_PROGRESS, "no end after %u steps; %s is at %s",
				   (unsigned)SCHEDULE_STEPS, schedule.fiber[number].thread.name, stands->where);
}
