/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The strategies that sample. Random and sticky walks; PCT (Burckhardt and others 2010): a
 * defect that needs d ordered places is hit with a known least probability; POS (Yuan and
 * others 2018): samples partial orders; URW (Zhao and others 2025): weighs a fiber by
 * what it has left. None is the best everywhere: a mix is never blind.
 */
#include "explore/strategies/strategy.h"
#include "explore/fibers/touched.h"

enum { MOST_CHANGES = 8, STICKINESS = 8, PCT_DEPTHS = 5 };

struct strategy_size strategy_size;

static uint64_t state;
static uint64_t priority[EXPLORE_FIBERS];
static uint32_t change_at[MOST_CHANGES];
static unsigned changes;
static bool lazy;

static uint64_t draw(void)
{
	state += 0x9e3779b97f4a7c15;
	return mix64(state);
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)((draw() >> 32) * n >> 32);
}

static unsigned nth(uint32_t mask, uint32_t n)
{
	while (n--)
		mask &= mask - 1;
	return (unsigned)__builtin_ctz(mask);
}

static unsigned me(void)
{
	return schedule.current->number;
}

static bool again(void)
{
	return true;
}

static unsigned random_next(void)
{
	return nth(schedule.enabled, below((uint32_t)__builtin_popcount(schedule.enabled)));
}

static unsigned sticky_next(void)
{
	if (schedule.enabled >> me() & 1 && below(STICKINESS))
		return me();
	return random_next();
}

/* Half of the schedules are lazy: a store that waits is passed over every other time. */
static unsigned random_settle(void)
{
	uint32_t stores = schedule.enabled & ~(1u << me());

	if (lazy && schedule.enabled != stores && below(2))
		return me();
	return nth(stores, below((uint32_t)__builtin_popcount(stores)));
}

static unsigned straight_settle(void)
{
	return (unsigned)__builtin_ctz(schedule.enabled & ~(1u << me()));
}

static unsigned straight_next(void)
{
	return schedule.enabled >> me() & 1 ? me() : (unsigned)__builtin_ctz(schedule.enabled);
}

static unsigned highest(void)
{
	unsigned best = (unsigned)__builtin_ctz(schedule.enabled);

	for (uint32_t left = schedule.enabled; left; left &= left - 1)
		if (priority[__builtin_ctz(left)] > priority[best])
			best = (unsigned)__builtin_ctz(left);
	return best;
}

/* At its k-th place of change the fiber that runs falls below all that have not fallen. */
static unsigned pct_next(void)
{
	for (unsigned k = 0; k < changes; k++)
		if (change_at[k] == schedule.decisions)
			priority[me()] = changes - k;
	return highest();
}

static void pct_begin(unsigned depth)
{
	changes = depth > MOST_CHANGES ? MOST_CHANGES : depth - 1;
	for (unsigned i = 0; i < EXPLORE_FIBERS; i++)
		priority[i] = draw() | 1ull << 32;
	for (unsigned k = 0; k < changes; k++)
		change_at[k] = 1 + below(strategy_size.decisions + 1);
}

/* The step that was taken last was that of the fiber that now stands somewhere else. */
static unsigned pos_next(void)
{
	static struct fiber taken;
	unsigned self = me();

	if (schedule.decisions > 1) {
		priority[self] = draw();
		for (uint32_t left = schedule.alive & ~(1u << self); left; left &= left - 1) {
			unsigned other = (unsigned)__builtin_ctz(left);

			if (touched_conflict(&taken, &schedule.fiber[other]))
				priority[other] = draw();
		}
	}
	self = highest();
	taken.kind = schedule.fiber[self].kind;
	taken.object = schedule.fiber[self].object;
	return self;
}

static void pos_begin(void)
{
	for (unsigned i = 0; i < EXPLORE_FIBERS; i++)
		priority[i] = draw();
}

static uint32_t left_to_do(unsigned fiber)
{
	uint64_t all = strategy_size.steps[fiber], done = schedule.fiber[fiber].steps;

	return done < all ? (uint32_t)(all - done) : 1;
}

static unsigned urw_next(void)
{
	uint32_t sum = 0, at;

	for (uint32_t left = schedule.enabled; left; left &= left - 1)
		sum += left_to_do((unsigned)__builtin_ctz(left));
	at = below(sum);
	for (uint32_t left = schedule.enabled; left; left &= left - 1) {
		uint32_t share = left_to_do((unsigned)__builtin_ctz(left));

		if (at < share)
			return (unsigned)__builtin_ctz(left);
		at -= share;
	}
	return (unsigned)__builtin_ctz(schedule.enabled);
}

const struct strategy strategy_straight = { straight_next, straight_settle, again };
static const struct strategy of[] = {
	[EXPLORE_RANDOM] = { random_next, random_settle, again }, [EXPLORE_STICKY] = { sticky_next, random_settle, again },
	[EXPLORE_PCT] = { pct_next, random_settle, again },       [EXPLORE_POS] = { pos_next, random_settle, again },
	[EXPLORE_URW] = { urw_next, random_settle, again },
};

/* A cycle of the mix: POS and PCT find most, and every one finds what no other does. */
static const struct turn {
	uint32_t strategy, bound;
} turns[] = {
	{ EXPLORE_POS, 0 }, { EXPLORE_PCT, 2 }, { EXPLORE_RANDOM, 0 }, { EXPLORE_PCT, 3 },
	{ EXPLORE_STICKY, 0 }, { EXPLORE_POS, 0 }, { EXPLORE_PCT, 1 }, { EXPLORE_URW, 0 },
	{ EXPLORE_PCT, 4 }, { EXPLORE_PCT, 5 },
};

const struct strategy *strategy_for(const struct explore_search *search, uint64_t index,
				    struct explore_verdict *verdict)
{
	struct turn turn = { search->strategy, search->bound };

	state = mix64(search->seed ^ mix64(index));
	if (turn.strategy == EXPLORE_MIX)
		turn = turns[index % (sizeof(turns) / sizeof(turns[0]))];
	if (turn.strategy == EXPLORE_PCT && !turn.bound)
		turn.bound = 1 + (uint32_t)(index % PCT_DEPTHS);
	lazy = state & 1;
	verdict->strategy = turn.strategy;
	verdict->bound = turn.bound;
	if (turn.strategy == EXPLORE_PCT)
		pct_begin(turn.bound);
	if (turn.strategy == EXPLORE_POS)
		pos_begin();
	return &of[turn.strategy];
}
