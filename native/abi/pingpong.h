/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The least that handing a CPU between two processes can cost: a word, a wake and
 * a wait. `bench hypercall` measures exits against it.
 */
#ifndef PV_PINGPONG_H
#define PV_PINGPONG_H

#include <stdint.h>

/* Plays one side (0 serves, 1 returns) of `rounds` round trips on a shared word that
 * starts at 0; spins for spin_ns before each sleep. Returns the nanoseconds it took,
 * or 0 when the other side did not answer for 5 s. */
uint64_t pingpong_play(uint32_t *word, uint32_t side, uint32_t rounds, uint32_t spin_ns);

#endif
