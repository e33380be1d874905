/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers that are the same everywhere, and the values that find mistakes. */
#ifndef DIFFERENTIAL_DICE_H
#define DIFFERENTIAL_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

/* splitmix64 */
static inline uint64_t dice_next(struct dice *dice)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint32_t dice_below(struct dice *dice, uint32_t n)
{
	return (uint32_t)((dice_next(dice) >> 32) * n >> 32);
}

/* True in so many of a hundred. */
static inline bool dice_percent(struct dice *dice, unsigned percent)
{
	return dice_below(dice, 100) < percent;
}

/* values.c */
uint64_t dice_integer(struct dice *dice);
void dice_bytes(struct dice *dice, uint8_t *to, unsigned bytes);
/* Elements of one kind: floats, doubles, integers, or anything. `bytes` is a multiple of 8. */
void dice_elements(struct dice *dice, uint8_t *to, unsigned bytes);
void dice_x87(struct dice *dice, uint8_t to[10]);
uint32_t dice_mxcsr(struct dice *dice);

#endif
