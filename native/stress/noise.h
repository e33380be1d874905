/* SPDX-License-Identifier: GPL-2.0-only */
/* Noise: threads lose time where others may come in between. What a thread does is a function of its seed. */
#ifndef STRESS_NOISE_H
#define STRESS_NOISE_H

#include <stdint.h>

/* How many of 1000 points are disturbed; 0: none. Set while no thread is at a point. */
void noise_set(uint32_t permille);
/* Begins the calling thread's sequence; 0: it is left alone, as every thread is at first. */
void noise_seed(uint64_t seed);
void noise_point(void);

#endif
