/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The branch predictor model, private to a vCPU and shared by its privilege levels. It sees
 * the branches that retire, in order: it neither speculates nor is delayed.
 * Conditional branches: gshare, a table of 2-bit counters that start weakly not taken, by
 * address xor the outcomes of the last conditional branches. Returns: a stack of what the
 * last calls pushed. Indirect jumps and calls: the target of last time. Direct jumps and
 * calls are always right. Far transfers (int n, iret, syscall, far jumps) are not predicted
 * and never count as missed.
 */
#ifndef PV_PREDICTOR_H
#define PV_PREDICTOR_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PREDICTOR_HISTORY_DEFAULT = 12,
	PREDICTOR_RETURNS = 16,  /* a call too many overwrites the oldest */
	PREDICTOR_TARGETS = 512, /* direct-mapped by address, tagged with all of it */
};

enum branch_kind {
	BRANCH_NONE = 0, /* or a far transfer */
	BRANCH_CONDITIONAL,
	BRANCH_JUMP,
	BRANCH_CALL,
	BRANCH_JUMP_INDIRECT,
	BRANCH_CALL_INDIRECT,
	BRANCH_RETURN,
};

struct predictor_target {
	uint64_t address, target;
};

struct predictor {
	uint8_t *taken; /* 2-bit counters: 2 and 3 predict taken */
	uint64_t mask, history;
	uint32_t returns, top; /* valid entries, and where the next one goes */
	uint64_t return_to[PREDICTOR_RETURNS];
	struct predictor_target target[PREDICTOR_TARGETS];
};

/* 0, or -EINVAL for bits of history out of range, or -ENOMEM. 0 bits are the default. */
int predictor_create(struct predictor *predictor, uint32_t history_bits);
void predictor_destroy(struct predictor *predictor);
/* As after power-on. */
void predictor_forget(struct predictor *predictor);
/*
 * A branch at `address` has retired, and went to `target`; `next` is the address behind it.
 * Was it mispredicted? A conditional branch to `next` itself counts as not taken.
 */
bool predictor_retire(struct predictor *predictor, enum branch_kind kind, uint64_t address, uint64_t next,
		      uint64_t target);

#endif
