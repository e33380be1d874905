/* SPDX-License-Identifier: GPL-2.0-only */
/* The program that the machine's vCPUs run, and what is known of it before it runs. */
#include <errno.h>
#include <string.h>

#include "explore/play/account.h"
#include "explore/play/world.h"

static struct explore_result results[WORLD_RESULTS];

static void note_open(const struct explore_op *op, unsigned fiber, unsigned at, uint32_t before)
{
	bool clock = op->kind == EXPLORE_OPEN && op->value & EXPLORE_OF_CLOCK; /* or a breakpoint */

	world.word[op->id] = before || clock ? 0 : guest_event_word(fiber, at);
	world.format[op->id] = before ? 0 : guest_format(op);
	if (op->kind == EXPLORE_JOIN)
		world.owner[op->id] = -2; /* who works on its leader works on it, too */
}

/* The ids of which the program alone says enough to know more than the specification does. */
static void find_simple_ids(void)
{
	const struct explore_program *program = &world.program;
	uint32_t opens[EXPLORE_IDS] = { 0 };

	for (unsigned id = 0; id < EXPLORE_IDS; id++) {
		world.word[id] = 0;
		world.format[id] = 0;
		world.owner[id] = -1;
	}
	for (unsigned f = 0; f < world.machine.vcpus; f++) {
		for (unsigned i = 0; i < program->length[f]; i++) {
			const struct explore_op *op = &program->op[f][i];

			if (guest_opens(op->kind))
				note_open(op, f, i, opens[op->id]++);
			if (op->kind != EXPLORE_ENABLE && op->kind != EXPLORE_DISABLE &&
			    op->kind != EXPLORE_CLOSE)
				continue;
			if (world.owner[op->id] == -1)
				world.owner[op->id] = (int8_t)f;
			else if (world.owner[op->id] != (int8_t)f)
				world.owner[op->id] = -2;
		}
	}
}

int world_program_set(const struct explore_program *program)
{
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++) {
		bool vcpu = f < world.machine.vcpus;

		if (program->length[f] > (f <= world.machine.vcpus ? EXPLORE_OPS : 0))
			return -EINVAL;
		for (unsigned i = 0; i < program->length[f]; i++) {
			const struct explore_op *op = &program->op[f][i];

			if (op->id >= EXPLORE_IDS || op->kind >= EXPLORE_KINDS ||
			    vcpu != (op->kind < EXPLORE_TICK) ||
			    (op->kind >= EXPLORE_KICK && op->id >= world.machine.vcpus))
				return -EINVAL;
		}
	}
	world.program = *program;
	find_simple_ids();
	return 0;
}

void world_begin(void)
{
	for (uint32_t i = 0; i < world.machine.vcpus; i++) {
		memset(world.ram + guest_event_word(i, 0), 0, world.program.length[i] * (size_t)WORLD_SLOT);
		memset(&world.guest[i], 0, sizeof(world.guest[i]));
		memset(world.guest[i].window, 0xff, sizeof(world.guest[i].window));
	}
	memset(world.closed, 0, sizeof(world.closed));
	account_begin();
	world.results = results;
	world.history = false;
	world.result_count = world.clock = 0;
}
