/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is there an order of the operations, within the times at which each was called and
 * returned, in which the sequential specification gives these results? Just-in-time
 * linearization (Lowe 2017): walk the calls and returns, and keep every state in which
 * the object may be, with the set of those pending operations that have had their effect.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/fibers/schedule.h"
#include "explore/play/world.h"
#include "core/exits/perf_op.h"

enum { MOST_POSSIBILITIES = 2048 };

struct possibility {
	uint16_t state;
	uint16_t done; /* a bit a fiber: its pending operation has had its effect */
};

static struct explore_transition table[EXPLORE_STATES * 64];
static uint32_t states, columns;
static bool eager[EXPLORE_COLUMNS][EXPLORE_IDS]; /* no result goes with a change in one state and with none in another */
static struct possibility now[MOST_POSSIBILITIES];
static uint32_t count;
static bool too_many; /* of them: nothing can be said */
static const struct explore_result *pending[EXPLORE_VCPUS];

static const struct explore_transition *cell(uint32_t state, uint32_t vcpu, uint32_t column, uint32_t id)
{
	return &table[((state * world.machine.vcpus + vcpu) * columns + column) * EXPLORE_IDS + id];
}

/* Where success always changes something, or never. */
static bool is_eager(uint32_t column, uint32_t id)
{
	bool changes = false, stays = false;

	for (uint32_t state = 0; state < states; state++)
		for (uint32_t vcpu = 0; vcpu < world.machine.vcpus; vcpu++) {
			const struct explore_transition *to = cell(state, vcpu, column, id);

			changes |= !to->result && to->next != state;
			stays |= !to->result && to->next == state;
		}
	return !changes || !stays;
}

int explore_specification_set(const struct explore_transition *from, uint32_t n, uint32_t of_columns)
{
	uint64_t cells = (uint64_t)n * world.machine.vcpus * of_columns * EXPLORE_IDS;

	states = 0;
	if (!from)
		return 0;
	if (n > EXPLORE_STATES || of_columns > EXPLORE_COLUMNS || cells > sizeof(table) / sizeof(table[0]))
		return -EINVAL;
	memcpy(table, from, cells * sizeof(*table));
	states = n;
	columns = of_columns;
	for (uint32_t i = 0; i < columns * EXPLORE_IDS; i++)
		eager[i / EXPLORE_IDS][i % EXPLORE_IDS] = is_eager(i / EXPLORE_IDS, i % EXPLORE_IDS);
	return 0;
}

/* A JOIN's column is that of its leader. */
static uint32_t column_of(const struct explore_op *op)
{
	return op->kind + (op->kind == EXPLORE_JOIN ? op->value % (1u << EXPLORE_GROUP_BITS) : 0);
}

static const struct explore_transition *transition(uint16_t state, const struct explore_result *result)
{
	const struct explore_op *op = world_op_of(result);

	return cell(state, result->fiber, column_of(op), op->id);
}

static bool is_eager_call(const struct explore_result *result)
{
	return eager[column_of(world_op_of(result))][world_op_of(result)->id];
}

static bool fits(const struct explore_transition *to, const struct explore_result *result)
{
	return to->result == result->result || result->result == INT32_MIN; /* it never returned */
}

/* One that changes nothing may as well have its effect at once, where that gives the result that it had: whatever is
 * possible later without it is possible with it. */
static uint16_t with_unchanging(uint16_t state, uint16_t done)
{
	for (unsigned f = 0; f < world.machine.vcpus; f++) {
		const struct explore_transition *to;

		if (!pending[f] || done >> f & 1 || !is_eager_call(pending[f]))
			continue;
		to = transition(state, pending[f]);
		if (to->next == state && to->result == pending[f]->result)
			done |= (uint16_t)(1u << f);
	}
	return done;
}

static void add(uint16_t state, uint16_t done)
{
	done = with_unchanging(state, done);
	for (uint32_t i = 0; i < count; i++)
		if (now[i].state == state && now[i].done == done)
			return;
	if (count < MOST_POSSIBILITIES)
		now[count++] = (struct possibility){ state, done };
	else
		too_many = true;
}

static void call(const struct explore_result *result)
{
	pending[result->fiber] = result;
	for (uint32_t i = 0; i < count; i++)
		now[i].done = with_unchanging(now[i].state, now[i].done);
}

/* Adds every possibility that comes of it that pending operations have their effect now. One
 * that never returned may have any result. */
static void let_happen(void)
{
	for (uint32_t i = 0; i < count; i++) {
		for (unsigned f = 0; f < world.machine.vcpus; f++) {
			const struct explore_transition *to;

			if (!pending[f] || now[i].done >> f & 1)
				continue;
			to = transition(now[i].state, pending[f]);
			if (fits(to, pending[f]))
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

static const char *const kind_names[EXPLORE_CALLS] = { "OPEN", "CLOSE", "ENABLE", "DISABLE", "READ", "OPEN2", "OPEN2 of sibling" };

/* What goes before and what runs beside it, which in a schedule is seen in its interleaving. */
static void describe(char *text, uint64_t size, uint32_t explained)
{
	uint64_t used = (uint64_t)snprintf(text, size, "; the %u that returned before are explained", explained);

	for (unsigned f = 0; f < world.machine.vcpus && used < size; f++)
		if (pending[f])
			used += (uint64_t)snprintf(text + used, size - used, ", vCPU %u is in %s %u", f,
						   kind_names[world_op_of(pending[f])->kind], world_op_of(pending[f])->id);
}

static _Noreturn void tell(const struct explore_result *result, uint32_t explained)
{
	char beside[EXPLORE_TEXT / 2] = "";

	pending[result->fiber] = NULL;
	if (world.result_count > WORLD_RESULTS)
		describe(beside, sizeof(beside), explained);
	schedule_violation(EXPLORE_LINEARIZABLE,
			   "vCPU %u: %s %u returned %d, which no order of the operations explains%s",
			   result->fiber, kind_names[world_op_of(result)->kind], world_op_of(result)->id, result->result, beside);
}

static void put_in_order(const struct explore_result *at[])
{
	for (uint32_t i = 0; i < world.result_count; i++) {
		at[world.results[i].invoked] = &world.results[i];
		if (world.results[i].returned != UINT32_MAX)
			at[world.results[i].returned] = &world.results[i];
	}
}

static uint32_t walk(const struct explore_result *const at[])
{
	uint32_t explained = 0, widest = 1;

	memset(pending, 0, sizeof(pending));
	count = 0;
	too_many = false;
	add(0, 0);
	for (uint32_t t = 0; t < world.clock; t++) {
		const struct explore_result *result = at[t];

		if (t == result->invoked) {
			call(result);
			continue;
		}
		let_happen();
		widest = count > widest ? count : widest;
		if (!keep_done(result->fiber) && !too_many)
			tell(result, explained);
		if (too_many)
			return 0;
		pending[result->fiber] = NULL;
		explained++;
	}
	return widest;
}

uint32_t linearize_check(void)
{
	static const struct explore_result *few[2 * WORLD_RESULTS], **many;
	uint32_t widest;

	if (!states)
		return 0;
	if (world.clock <= 2 * WORLD_RESULTS) {
		put_in_order(few);
		return walk(few);
	}
	free(many); /* of a history that was violated */
	many = calloc(world.clock, sizeof(const struct explore_result *));
	if (!many)
		return 0;
	put_in_order(many);
	widest = walk(many);
	free(many);
	many = NULL;
	return widest;
}
