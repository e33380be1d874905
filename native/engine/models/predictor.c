/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/models/predictor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/models/config.h"

enum { WEAKLY_NOT_TAKEN = 1, WEAKLY_TAKEN = 2, STRONGLY_TAKEN = 3 };

int predictor_create(struct predictor *predictor, uint32_t history_bits)
{
	uint32_t bits = history_bits ? history_bits : PREDICTOR_HISTORY_DEFAULT;

	*predictor = (struct predictor){ 0 };
	if (bits > PV_PREDICTOR_BITS_MAX)
		return -EINVAL;
	predictor->mask = (1ull << bits) - 1;
	predictor->taken = malloc(predictor->mask + 1);
	if (!predictor->taken)
		return -ENOMEM;
	predictor_forget(predictor);
	return 0;
}

void predictor_destroy(struct predictor *predictor)
{
	free(predictor->taken);
	predictor->taken = NULL;
}

void predictor_forget(struct predictor *predictor)
{
	memset(predictor->taken, WEAKLY_NOT_TAKEN, predictor->mask + 1);
	predictor->history = 0;
	predictor->returns = predictor->top = 0;
	/* No branch lies at the last byte there is. */
	memset(predictor->target, 0xff, sizeof(predictor->target));
}

static bool conditional_missed(struct predictor *predictor, uint64_t address, bool taken)
{
	uint8_t *counter = &predictor->taken[(address ^ predictor->history) & predictor->mask];
	bool missed = (*counter >= WEAKLY_TAKEN) != taken;

	if (taken && *counter < STRONGLY_TAKEN)
		++*counter;
	else if (!taken && *counter > 0)
		--*counter;
	predictor->history = (predictor->history << 1 | taken) & predictor->mask;
	return missed;
}

static bool target_missed(struct predictor *predictor, uint64_t address, uint64_t target)
{
	struct predictor_target *last = &predictor->target[address % PREDICTOR_TARGETS];
	bool missed = last->address != address || last->target != target;

	*last = (struct predictor_target){ .address = address, .target = target };
	return missed;
}

static void push_return(struct predictor *predictor, uint64_t next)
{
	predictor->return_to[predictor->top] = next;
	predictor->top = (predictor->top + 1) % PREDICTOR_RETURNS;
	if (predictor->returns < PREDICTOR_RETURNS)
		predictor->returns++;
}

static bool return_missed(struct predictor *predictor, uint64_t target)
{
	if (!predictor->returns)
		return true;
	predictor->returns--;
	predictor->top = (predictor->top + PREDICTOR_RETURNS - 1) % PREDICTOR_RETURNS;
	return predictor->return_to[predictor->top] != target;
}

bool predictor_retire(struct predictor *predictor, enum branch_kind kind, uint64_t address, uint64_t next,
		      uint64_t target)
{
	if (kind == BRANCH_CALL || kind == BRANCH_CALL_INDIRECT)
		push_return(predictor, next);
	switch (kind) {
	case BRANCH_CONDITIONAL:
		return conditional_missed(predictor, address, target != next);
	case BRANCH_JUMP_INDIRECT:
	case BRANCH_CALL_INDIRECT:
		return target_missed(predictor, address, target);
	case BRANCH_RETURN:
		return return_missed(predictor, target);
	case BRANCH_NONE:
	case BRANCH_JUMP:
	case BRANCH_CALL:
		break;
	}
	return false;
}
