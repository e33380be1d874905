/* SPDX-License-Identifier: GPL-2.0-only */
/* Schedule after schedule, until one of them violates an oracle. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "explore/strategies/coverage.h"
#include "explore/fibers/record.h"
#include "explore/strategies/strategy.h"
#include "explore/play/world.h"

enum { BETWEEN_CLOCKS = 256 };

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t hash(uint64_t before, const void *bytes, uint64_t size)
{
	const uint64_t *words = bytes;

	for (uint64_t i = 0; i < size / 8; i++)
		before = mix64(before ^ words[i]);
	return before;
}

/* What an operation came to, whenever that was. */
static uint64_t result_hash(const struct explore_result *result)
{
	uint64_t what = (uint64_t)result->fiber << 40 | (uint64_t)result->op << 32 | (uint32_t)result->result;

	return mix64(mix64(what) ^ result->count);
}

/* What the guests can see at the end. */
static uint64_t state_hash(void)
{
	uint64_t ret = schedule.verdict->oracle;

	for (uint32_t i = 0; i < world.result_count; i++)
		ret += result_hash(&world.results[i]);
	for (unsigned f = 0; f < world.machine.vcpus; f++)
		for (unsigned at = 0; at < world.program.length[f]; at++)
			ret = hash(ret, world.ram + guest_event_word(f, at), guest_event_bytes(f, at));
	return ret;
}

static const struct schedule_players players = { .body = world_body, .may_stay = guest_may_stay, .check = oracle_check };

static void run_one(const struct strategy *strategy, struct explore_totals *totals,
		    struct explore_verdict *verdict)
{
	verdict->oracle = EXPLORE_HELD;
	verdict->text[0] = '\0';
	schedule.strategy = strategy;
	schedule.totals = totals;
	schedule.verdict = verdict;
	world_restore();
	world_trace();
	schedule_run(world_fibers(), world.machine.tso, &players);
	coverage_end();
	totals->nmis += world.vm->ledger.nmis.v;
	totals->nmi_misses += world.vm->ledger.misses.v;
	verdict->results = world.result_count;
	verdict->state_hash = state_hash();
}

/* PCT and URW need to know how long the program is; without preemptions it is the same each time. */
static void measure_program(struct explore_totals *totals, struct explore_verdict *verdict)
{
	run_one(&strategy_straight, totals, verdict);
	strategy_size.decisions = schedule.decisions;
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++)
		strategy_size.steps[f] = schedule.fiber[f].steps;
}

static void search_all(const struct explore_search *search, struct explore_totals *totals,
		       struct explore_verdict *verdict)
{
	const struct strategy *dfs = search->strategy == EXPLORE_DFS ?
		strategy_dfs(search->bound, !search->first) : NULL;

	if (!dfs)
		measure_program(&(struct explore_totals){ 0 }, verdict);
	schedule.reduced = dfs && !search->full;
	for (uint64_t i = search->first; i < search->first + search->count; i++) {
		verdict->index = i;
		verdict->strategy = search->strategy;
		verdict->bound = search->bound;
		if (dfs && schedule.grown) {
			strategy_dfs(search->bound, true);
			schedule.grown = false;
		} else if (dfs && i && !dfs->done()) {
			totals->complete = 1;
			break;
		}
		if (search->covering)
			coverage_begin(i - search->first);
		run_one(dfs ? dfs : strategy_for(search, i, verdict), totals, verdict);
		totals->digest = mix64(totals->digest ^ verdict->trace_hash) ^ verdict->state_hash;
		if (verdict->oracle)
			break;
		if (search->deadline_ns && i % BETWEEN_CLOCKS == 0 && now_ns(CLOCK_PROCESS_CPUTIME_ID) > search->deadline_ns)
			break;
	}
	schedule.reduced = false;
}

void explore_run(const struct explore_search *search, struct explore_totals *totals,
		 struct explore_verdict *verdict)
{
	uint64_t begin = now_ns(CLOCK_THREAD_CPUTIME_ID);

	schedule.logging = false;
	schedule.tracing = search->tracing;
	coverage_forget();
	schedule_catch_faults();
	search_all(search, totals, verdict);
	schedule_release_faults();
	schedule.tracing = false;
	totals->ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
}

void explore_replay(const struct explore_switch *switches, uint32_t n, struct explore_verdict *verdict)
{
	struct explore_totals totals = { 0 };

	memset(verdict, 0, sizeof(*verdict));
	verdict->strategy = EXPLORE_REPLAY;
	schedule_catch_faults();
	schedule.logging = true;
	run_one(strategy_replay(switches, n), &totals, verdict);
	if (!verdict->oracle && strategy_replay_followed() < n) {
		verdict->oracle = EXPLORE_DIVERGED;
		snprintf(verdict->text, sizeof(verdict->text),
			 "the schedule is over at step %u; switches made as recorded: %u of %u",
			 verdict->steps, strategy_replay_followed(), n);
	}
	schedule_release_faults();
}
