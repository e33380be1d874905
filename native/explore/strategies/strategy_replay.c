/* SPDX-License-Identifier: GPL-2.0-only */
/* Switches where it was told to, and nowhere else. */
#include <stddef.h>

#include "explore/strategies/strategy.h"

static const struct explore_switch *plan;
static uint32_t planned;

static void diverged(const struct fiber *self)
{
	schedule_violation(EXPLORE_DIVERGED, "at step %u %s stands at %s, where it did not go on when this was recorded",
			   schedule.step, self->thread.name, self->where);
}

/* The plan's next switch, if it is due. */
static const struct explore_switch *due_now(void)
{
	const struct explore_switch *due = schedule.switches < planned ? &plan[schedule.switches] : NULL;

	return due && due->step == schedule.step && due->from == schedule.current->number ? due : NULL;
}

static bool concerns_stores(const struct explore_switch *due)
{
	return due->to >= SCHEDULE_STORES || due->to == due->from;
}

static unsigned replay_settle(void)
{
	const struct explore_switch *due = due_now();

	if (!due || !concerns_stores(due) || !(schedule.enabled >> due->to & 1))
		diverged(schedule.current);
	return due->to;
}

/* The switches in which nobody was asked are the schedule's own; they count all the same. */
static unsigned replay_next(void)
{
	unsigned me = schedule.current->number;
	const struct explore_switch *due = schedule.switches < planned ? &plan[schedule.switches] : NULL;

	if (due_now() && !concerns_stores(due)) {
		if (!(schedule.enabled >> due->to & 1))
			diverged(&schedule.fiber[due->to]);
		return due->to;
	}
	if (!(schedule.enabled >> me & 1) || (due && due->step <= schedule.step && !due_now()))
		diverged(schedule.current);
	return me;
}

static bool replay_done(void)
{
	return false;
}

uint32_t strategy_replay_followed(void)
{
	const struct explore_switch *made;
	uint32_t n, at = 0;

	made = explore_switches(&n);
	while (at < planned && at < n && made[at].step == plan[at].step && made[at].from == plan[at].from &&
	       made[at].to == plan[at].to)
		at++;
	return at;
}

const struct strategy *strategy_replay(const struct explore_switch *switches, uint32_t n)
{
	static const struct strategy replay = { replay_next, replay_settle, replay_done };

	plan = switches;
	planned = n;
	return &replay;
}
