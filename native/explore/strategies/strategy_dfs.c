/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every schedule with at most so many preemptions (Musuvathi and Qadeer 2007); a step that goes
 * past somebody's waiting store counts as one, so that a bound has in it all that it has where
 * stores do not wait. A decision is kept with what has not been tried there; a schedule that is over is followed by the one
 * that differs in its last decision that has something left.
 */
#include "explore/strategies/strategy.h"

static struct decision {
	uint32_t untried;
	uint8_t chosen;
	uint8_t preemptions; /* before this decision */
	uint8_t current;
	uint8_t free;        /* 1: the fiber that ran cannot go on, so that a switch is none */
	uint8_t settles;     /* 1: going on counts, and letting a store go does not */
} stack[3 * SCHEDULE_STEPS];
static uint32_t depth; /* decisions kept */
static uint32_t bound;

static uint8_t cost(const struct decision *decision)
{
	return !decision->free && (decision->chosen == decision->current) == decision->settles;
}

static unsigned take(struct decision *decision, unsigned fiber)
{
	decision->chosen = (uint8_t)fiber;
	decision->untried &= ~(1u << fiber);
	return fiber;
}

/* What costs nothing is tried first, and alone where nothing more may be spent. */
static unsigned choose(bool settles)
{
	uint32_t me = 1u << schedule.current->number;
	struct decision *decision = &stack[schedule.decisions - 1];
	uint32_t costless = settles ? schedule.enabled & ~me : me;

	if (schedule.decisions <= depth)
		return decision->chosen;
	*decision = (struct decision){ .current = (uint8_t)__builtin_ctz(me), .untried = schedule.enabled,
				       .free = schedule.decisions == 1 || !(schedule.enabled & me),
				       .settles = settles };
	if (depth)
		decision->preemptions = decision[-1].preemptions + cost(&decision[-1]);
	depth++;
	if (!decision->free && decision->preemptions >= bound)
		decision->untried &= costless;
	return take(decision, (unsigned)__builtin_ctz(decision->untried & costless ? decision->untried & costless :
											      decision->untried));
}

static unsigned dfs_next(void)
{
	return choose(false);
}

static unsigned dfs_settle(void)
{
	return choose(true);
}

static bool dfs_done(void)
{
	while (depth && !stack[depth - 1].untried)
		depth--;
	if (!depth)
		return false;
	take(&stack[depth - 1], (unsigned)__builtin_ctz(stack[depth - 1].untried));
	return true;
}

const struct strategy *strategy_dfs(uint32_t preemptions, bool from_start)
{
	static const struct strategy dfs = { dfs_next, dfs_settle, dfs_done };

	bound = preemptions;
	if (from_start)
		depth = 0;
	return &dfs;
}
