/* SPDX-License-Identifier: GPL-2.0-only */
#include "stress/noise.h"

#include <sched.h>
#include <stdbool.h>
#include <time.h>

#include "core/locks/panic.h"

enum { MOST_SPINS = 1024, LONGEST_SLEEP_NS = 60000 };

static uint32_t permille;
static _Thread_local uint64_t state;

void noise_set(uint32_t n)
{
	permille = n;
}

void noise_seed(uint64_t seed)
{
	state = seed ? seed * 0x9e3779b97f4a7c15 | 1 : 0;
}

static uint32_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state * 0x2545f4914f6cdd1d >> 32);
}

static void spin(uint32_t n)
{
	while (n--)
		__builtin_ia32_pause();
}

static void sleep_ns(uint32_t ns)
{
	struct timespec time = { .tv_nsec = (long)ns };

	nanosleep(&time, NULL);
}

/* Who holds a lock sleeps more often: that is where others run into him. */
static void lose_time(uint32_t draw)
{
	bool holds = pv_self()->held > 0;
	uint32_t how = draw % 32, amount = draw / 32;

	if (how < (holds ? 4 : 1))
		sleep_ns(amount % LONGEST_SLEEP_NS);
	else if (how < 12)
		sched_yield();
	else
		spin(amount % MOST_SPINS);
}

void noise_point(void)
{
	if (state && permille && next() % 1000 < permille)
		lose_time(next());
}
