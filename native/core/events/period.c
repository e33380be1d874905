/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/events/period.h"

#include "core/events/attr.h"
#include "core/host/spacing.h"

enum {
	NS_PER_SECOND = 1000000000,
	FIRST_PERIOD = 10000, /* of a frequency, until there is something to go by */
	ADAPT_SHARE = 8,      /* of the way to what would have been right, at each overflow */
	MOST_DRAWN = 1 << 16, /* distances in one go: some millisecond of the NMI path, for each event */
};

static uint64_t distance(struct event_overflow *overflow)
{
	return overflow->spacing ? spacing_draw(&overflow->spacing, overflow->period) : overflow->period;
}

/* A clock's frequency is a period. */
void period_init(struct event_overflow *overflow, const struct event_source *source, uint64_t spacing)
{
	*overflow = (struct event_overflow){ .period = source->period };
	if (source->frequency && source_is_clock(source)) {
		overflow->period = NS_PER_SECOND / source->frequency;
	} else if (source->frequency) {
		overflow->frequency = source->frequency;
		overflow->period = FIRST_PERIOD;
	}
	if (source->frequency && !overflow->period)
		overflow->period = 1;
	if (!source->frequency)
		overflow->spacing = spacing;
	overflow->at = overflow->period ? distance(overflow) : 0;
}

/* All overflows up to `count`, a period apart. Returns how many were crossed; the next lies beyond. */
static uint64_t cross_even(struct event_overflow *overflow, uint64_t count)
{
	uint64_t n = 1 + (count - overflow->at) / overflow->period;

	overflow->at += n * overflow->period;
	return n;
}

/* The same where each distance is drawn; those of what is noticed very late are even in the end. */
static uint64_t cross_drawn(struct event_overflow *overflow, uint64_t count)
{
	uint64_t n = 0;

	for (; count >= overflow->at && n < MOST_DRAWN; n++)
		overflow->at += distance(overflow);
	return count < overflow->at ? n : n + cross_even(overflow, count);
}

uint64_t period_cross(struct event_overflow *overflow, uint64_t count)
{
	if (!overflow->period || count < overflow->at)
		return 0;
	return overflow->spacing ? cross_drawn(overflow, count) : cross_even(overflow, count);
}

void period_adapt(struct event_overflow *overflow, uint64_t count, uint64_t ran)
{
	uint64_t took = ran - overflow->last_ran;
	bool adapts = overflow->adapts;
	unsigned __int128 counted = count - overflow->last_count;
	uint64_t right, old = overflow->period;

	overflow->adapts = true;
	overflow->last_ran = ran;
	overflow->last_count = count;
	if (!adapts || !took)
		return;
	counted = counted * NS_PER_SECOND / took / overflow->frequency;
	right = counted > INT64_MAX ? INT64_MAX : (uint64_t)counted;
	if (right > old)
		overflow->period += (right - old + ADAPT_SHARE - 1) / ADAPT_SHARE;
	else
		overflow->period -= (old - right) / ADAPT_SHARE;
	if (!overflow->period)
		overflow->period = 1;
	overflow->at += overflow->period - old;
}
