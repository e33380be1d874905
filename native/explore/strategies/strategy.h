/* SPDX-License-Identifier: GPL-2.0-only */
/* Who goes on: each strategy is two functions, and what they keep from one schedule to the next. */
#ifndef EXPLORE_STRATEGY_H
#define EXPLORE_STRATEGY_H

#include "explore/fibers/schedule.h"

/* The program's size, from one schedule without preemptions: what PCT and URW have to know. */
struct strategy_size {
	uint32_t decisions;
	uint64_t steps[EXPLORE_FIBERS];
};
extern struct strategy_size strategy_size;

/* strategy_random.c. Prepares schedule `index`; for EXPLORE_MIX it also chooses which. */
const struct strategy *strategy_for(const struct explore_search *search, uint64_t index,
				    struct explore_verdict *verdict);
/* The one that goes on as long as it can; then the next in number. */
extern const struct strategy strategy_straight;

/* strategy_dfs.c */
const struct strategy *strategy_dfs(uint32_t preemptions, bool from_start);
/* strategy_replay.c */
const struct strategy *strategy_replay(const struct explore_switch *switches, uint32_t n);
/* The schedule is over: so many of its switches are those that were told, from the first on. */
uint32_t strategy_replay_followed(void);

#endif
