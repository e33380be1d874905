/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every schedule with at most so many preemptions (Musuvathi and Qadeer 2007). A decision is
 * kept with what has not been tried there; a schedule that is over is followed by the one
 * that differs in its last decision that has something left.
 */
#include "strategy.h"

static struct decision {
	uint32_t untried;
	uint8_t chosen;
	uint8_t preemptions; /* before this decision */
	uint8_t current;
	uint8_t free;        /* 1: the fiber that ran cannot go on, so that a switch is none */
} stack[SCHEDULE_STEPS];
static uint32_t depth; /* decisions kept */
static uint32_t bound;

static uint8_t cost(const struct decision *decision)
{
	return !decision->free && decision->chosen != decision->current;
}

static unsigned take(struct decision *decision, unsigned fiber)
{
	decision->chosen = (uint8_t)fiber;
	decision->untried &= ~(1u << fiber);
	return fiber;
}

static unsigned dfs_next(void)
{
	unsigned me = (unsigned)(schedule.current - schedule.fiber);
	struct decision *decision = &stack[schedule.decisions - 1];

	if (schedule.decisions <= depth)
		return decision->chosen;
	*decision = (struct decision){ .current = (uint8_t)me, .untried = schedule.enabled,
				       .free = schedule.decisions == 1 || !(schedule.enabled >> me & 1) };
	if (depth)
		decision->preemptions = decision[-1].preemptions + cost(&decision[-1]);
	depth++;
	if (!decision->free && decision->preemptions >= bound)
		decision->untried = 1u << me;
	return take(decision, decision->untried >> me & 1 ? me : (unsigned)__builtin_ctz(decision->untried));
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
	static const struct strategy dfs = { dfs_next, dfs_done };

	bound = preemptions;
	if (from_start)
		depth = 0;
	return &dfs;
}
