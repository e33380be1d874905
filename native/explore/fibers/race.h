/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data races (O9): two accesses to the same memory, one of them a write and neither atomic, that
 * no lock, atomic or wake-up orders. The core is compiled with -fsanitize=thread for this, and
 * linked with race.c in place of the sanitizer's runtime: what it finds is found again in a replay.
 */
#ifndef EXPLORE_RACE_H
#define EXPLORE_RACE_H

#ifdef EXPLORE_RACES
#define RACE_UNSEEN __attribute__((no_sanitize("thread")))
/* A schedule begins: what was before it is ordered before all of it. */
void race_begin(void);
/* The current fiber takes what others gave through this object, or gives. */
void race_acquire(const void *object);
void race_release(const void *object);
#else
#define RACE_UNSEEN
static inline void race_begin(void)
{
}
static inline void race_acquire(const void *object)
{
	(void)object;
}
static inline void race_release(const void *object)
{
	(void)object;
}
#endif

#endif
