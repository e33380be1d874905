/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is there an order of the operations, within the times at which each was called and
 * returned, in which the sequential specification gives these results? Just-in-time
 * linearization (Lowe 2017): walk the calls and returns, and keep every state in which
 * the object may be, with the set of those pending operations that have had their effect.
 */
#include <errno.h>
#include <string.h>

#include "schedule.h"
#include "world.h"

enum { MOST_POSSIBILITIES = 2048, KINDS = EXPLORE_READ + 1 };

struct possibility {
	uint16_t state;
	uint16_t done; /* a bit a fiber: its pending operation has had its effect */
};

static struct explore_transition table[EXPLORE_STATES * 64];
static uint32_t states;
static struct possibility now[MOST_POSSIBILITIES];
static uint32_t count;
static bool too_many; /* of them: nothing can be said */

int explore_specification_set(const struct explore_transition *from, uint32_t n)
{
	uint32_t row = world.machine.vcpus * KINDS * EXPLORE_IDS;

	states = 0;
	if (!from)
		return 0;
	if (n > EXPLORE_STATES || (uint64_t)n * row > sizeof(table) / sizeof(table[0]))
		return -EINVAL;
	memcpy(table, from, (size_t)n * row * sizeof(*table));
	states = n;
	return 0;
}

static const struct explore_transition *transition(uint16_t state, const struct explore_result *result)
{
	const struct explore_op *op = &world.program.op[result->fiber][result->op];

	return &table[((state * world.machine.vcpus + result->fiber) * KINDS + op->kind) * EXPLORE_IDS +
		      op->id];
}

static void add(uint16_t state, uint16_t done)
{
	for (uint32_t i = 0; i < count; i++)
		if (now[i].state == state && now[i].done == done)
			return;
	if (count < MOST_POSSIBILITIES)
		now[count++] = (struct possibility){ state, done };
	else
		too_many = true;
}

/* Adds every possibility that comes of it that pending operations have their effect now. One
 * that never returned may have any result. */
static void let_happen(const struct explore_result *const pending[])
{
	for (uint32_t i = 0; i < count; i++) {
		for (unsigned f = 0; f < world.machine.vcpus; f++) {
			const struct explore_transition *to;

			if (!pending[f] || now[i].done >> f & 1)
				continue;
			to = transition(now[i].state, pending[f]);
			if (to->result == pending[f]->result || pending[f]->result == INT32_MIN)
				add(to->next, (uint16_t)(now[i].done | 1u << f));
		}
	}
}

/* The operation has returned: only where it has had its effect may the object be. */
static bool keep_done(unsigned fiber)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++)
		if (now[i].done >> fiber & 1)
			now[kept++] = (struct possibility){ now[i].state,
							    (uint16_t)(now[i].done & ~(1u << fiber)) };
	count = kept;
	return kept > 0;
}

static const char *const kind_names[KINDS] = { "OPEN", "CLOSE", "ENABLE", "DISABLE", "READ" };

void linearize_check(void)
{
	const struct explore_result *at[2 * WORLD_RESULTS] = { NULL };
	const struct explore_result *pending[EXPLORE_VCPUS] = { NULL };

	if (!states)
		return;
	for (uint32_t i = 0; i < world.result_count; i++) {
		at[world.results[i].invoked] = &world.results[i];
		if (world.results[i].returned != UINT32_MAX)
			at[world.results[i].returned] = &world.results[i];
	}
	count = 0;
	too_many = false;
	add(0, 0);
	for (uint32_t t = 0; t < world.clock; t++) {
		const struct explore_result *result = at[t];
		const struct explore_op *op = &world.program.op[result->fiber][result->op];

		if (t == result->invoked) {
			pending[result->fiber] = result;
			continue;
		}
		let_happen(pending);
		pending[result->fiber] = NULL;
		if (!keep_done(result->fiber) && !too_many)
			schedule_violation(EXPLORE_LINEARIZABLE,
					   "vCPU %u: %s %u returned %d, which no order of the operations explains",
					   result->fiber, kind_names[op->kind], op->id, result->result);
	}
}
