/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/fibers/record.h"

struct explore_switch record_switches[RECORD_SWITCHES];
struct explore_step record_steps[SCHEDULE_STEPS];

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
	return record_switches;
}

const struct explore_step *explore_steps(uint32_t *n)
{
	*n = schedule.logging ? schedule.step : 0;
	return record_steps;
}

_Noreturn void record_too_long(unsigned number, const char *where)
{
	schedule_violation(EXPLORE_PROGRESS, "no end after %u steps; %s is at %s", (unsigned)SCHEDULE_STEPS,
			   schedule.fiber[number].thread.name, where);
}
