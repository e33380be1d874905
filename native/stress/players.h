/* SPDX-License-Identifier: GPL-2.0-only */
/* The threads that play the vCPUs, and the timer: they wait for rounds, and come to rest in guest mode. */
#ifndef STRESS_PLAYERS_H
#define STRESS_PLAYERS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/locks/panic.h"

/* A thread for each vCPU, and one for the timer. 0 or an errno. */
int players_start(uint32_t vcpus);
/* They have come to rest, and end. */
void players_end(void);
/* Plays world.program `passes` times; false: somebody was not at rest within `patience_ns`. */
bool players_round(uint64_t seed, uint32_t passes, uint64_t patience_ns);
/* What each one does, for a round that hangs. */
void players_describe(char *text, uint64_t size);

/* Makes the calling thread one whose panics and wild accesses are violations. `self` is filled in. */
void player_adopt(struct pv_thread *self, const char *name);
/* In the calling thread's signal stack a wild access becomes a panic; done once for the process. */
void players_catch_faults(void);

#endif
