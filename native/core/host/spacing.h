/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Overflows at random distances, whose mean is the event's period: a Poisson process on the
 * axis of what the event counts. That of a clock is independent of all that the VM does,
 * which a fixed period, that comes round with the sync that it causes, is not.
 */
#ifndef PV_SPACING_H
#define PV_SPACING_H

#include <stdint.h>

/* A state that is not 0, the same for the same seed and number. */
uint64_t spacing_seed(uint64_t seed, uint64_t number);
/* Moves the state on. A distance of an exponential distribution, 1 to INT64_MAX. Any context. */
uint64_t spacing_draw(uint64_t *state, uint64_t mean);

#endif
