/* SPDX-License-Identifier: GPL-2.0-only */
/* Plays the records of an input, in their order or in between. */
#ifndef FUZZ_PLAYER_H
#define FUZZ_PLAYER_H

#include "fuzz/record.h"

void player_begin(const struct fuzz_input *input);
/* Plays the next record, or arms it. False: there is none. */
bool player_next(void);
/* What was armed is forgotten. */
void player_disarm(void);
/* Nothing comes in between while it is left alone. */
void player_leave_alone(bool alone);
/* The record that is being played waits in HLT, and those that follow are within none of its. */
unsigned player_halt(void);
/* It goes on, with what player_halt() returned. */
void player_go_on(unsigned depth);
/* How many records are being played, one within the other. */
unsigned player_depth(void);
/* Adds to the digest of the run. */
void player_mix(uint64_t value);
void player_result(struct fuzz_result *ret);

/* operation.c: plays one record. */
void operation_play(const struct fuzz_record *record);
/* Can it be played now? */
bool operation_possible(const struct fuzz_record *record);

#endif
