/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/host/spacing.h"

/* xorshift64*: the state is never 0. */
static uint64_t uniform(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

uint64_t spacing_seed(uint64_t seed, uint64_t number)
{
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15 ^ (number + 1) * 0xbf58476d1ce4e5b9;

	if (!state)
		state = 1;
	for (int i = 0; i < 8; i++) /* seeds that are close give states that are not */
		uniform(&state);
	return state;
}

/*
 * Von Neumann's method, which needs comparisons alone: of numbers drawn until one is larger
 * than that before it, an even run accepts the first as the fraction, and an odd one adds 1
 * to the whole.
 */
uint64_t spacing_draw(uint64_t *state, uint64_t mean)
{
	unsigned __int128 ret;

	for (uint64_t whole = 0;; whole++) {
		uint64_t first = uniform(state), last = first, next = uniform(state);
		unsigned length = 2;

		for (; next <= last; length++) {
			last = next;
			next = uniform(state);
		}
		if (length % 2)
			continue;
		ret = (unsigned __int128)whole * mean + ((unsigned __int128)first * mean >> 64);
		return !ret ? 1 : ret > INT64_MAX ? INT64_MAX : (uint64_t)ret;
	}
}
