/* SPDX-License-Identifier: GPL-2.0-only */
/* How far a vCPU was in its steps: known from what steps.S consists of, and from the turns that it waited. */
#include "stress.h"

struct length {
	uint64_t to_call, behind; /* from where the kind was chosen; `behind` the call, or all of it */
};

static struct length instructions_of(const struct step *step)
{
	switch (step->kind) {
	case STEP_CALL:
		return (struct length){ WAY_TO_CALL, WAY_FROM_CALL };
	case STEP_STOP:
		if (step->result == RESULT_SKIPPED)
			return (struct length){ WAY_ASK, WAY_SKIP };
		return (struct length){ WAY_ASK + WAY_TO_CALL, WAY_FROM_CALL };
	case STEP_TAKE:
		return (struct length){ 0, WAY_TAKE + WAY_TAKE_ONE * step->argument[1] };
	case STEP_WAIT:
		return (struct length){ 0, WAY_WAIT + WAY_TURN * (uint64_t)step->result };
	default:
		return (struct length){ 0, 0 };
	}
}

static struct length branches_of(const struct step *step)
{
	switch (step->kind) {
	case STEP_CALL:
		return (struct length){ 0, 1 };
	case STEP_STOP:
		return (struct length){ 1, 1 };
	case STEP_TAKE:
		return (struct length){ 0, 1 + step->argument[1] };
	case STEP_WAIT:
		return (struct length){ 0, 1 + (uint64_t)step->result };
	default:
		return (struct length){ 0, 0 };
	}
}

static uint64_t walk_instructions(struct step *step, uint64_t at)
{
	struct way *way = &step->way[0];
	struct length length = instructions_of(step);

	way->look = at + WAY_BEGIN + WAY_SPIN * step->spin;
	way->invoked = way->look + WAY_LOOK + WAY_TO_TICK;
	way->call = way->invoked + WAY_CHOOSE + length.to_call;
	way->after = way->call + length.behind;
	way->returned = way->after + WAY_LOOK + WAY_STAMP + WAY_TO_TICK;
	return way->returned + WAY_NEXT;
}

static uint64_t walk_branches(struct step *step, uint64_t at)
{
	struct way *way = &step->way[1];
	struct length length = branches_of(step);

	way->look = way->invoked = at + step->spin;
	way->call = way->invoked + 1 + length.to_call;
	way->after = way->returned = way->call + length.behind;
	return way->returned + 1;
}

void round_walk(struct player *player)
{
	uint64_t instructions = 0, branches = 0;

	for (unsigned i = 0; i < player->length; i++) {
		instructions = walk_instructions(&player->steps[i], instructions);
		branches = walk_branches(&player->steps[i], branches);
	}
}
