/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef STRESS_JUDGE_H
#define STRESS_JUDGE_H

#include "window.h"

/* The host had written all of it when the guest looked, and nothing of it since. */
static inline bool look_is_whole(const struct look *look)
{
	return look->sequence && look->sequence % 2 == 0 && look->sequence == look->sequence_behind;
}

/* Nobody was about to take overflows when the guest looked: each is in one place. */
static inline bool look_is_settled(const struct look *look)
{
	return look->ended == look->begun;
}

static inline uint64_t look_overflows(const struct look *look)
{
	return look->taken + (uint32_t)look->overflows;
}

/* Did the call end with the event's words written? */
static inline bool step_gives(const struct step *step)
{
	return step->op && !step->result && is_one_of(step->op->kind, "vd");
}

/* record.c: of version 2. `before`: the look before this one, or NULL. */
void judge_record(const struct acts *acts, enum moment moment, const struct step *step, const struct look *look,
		  const struct look *before);
/* Who has a record knows its event's number. */
void record_number(struct attempt *attempt);

#endif
