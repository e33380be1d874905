/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Alarms: sums of a counter over privilege levels at which the host wants the vCPU out
 * of guest mode (run_page.h). The block hook has no time to compare anything, so the
 * budget is made small enough to run out at the block that may reach one; the exact
 * sums are then compared in front of the next block.
 */
#include "engine/run/state.h"

/* At the very least, a TSC tick or so each: far from exact, but a look is due soon enough. */
enum { TICKS_PER_INSTRUCTION = 4 };

static unsigned alarm_counter(unsigned alarm)
{
	return alarm / PV_ALARM_LEVELS;
}

static unsigned alarm_levels(unsigned alarm)
{
	return alarm % PV_ALARM_LEVELS + 1;
}

static bool is_reached(const struct pv_engine *e, unsigned alarm, const struct charged *ahead, uint64_t *distance)
{
	uint64_t at = e->config.run->alarm[alarm], sum = 0;

	for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
		if (alarm_levels(alarm) >> cpl & 1)
			sum += count_value(e, alarm_counter(alarm), cpl, ahead);
	*distance = at - sum;
	return sum >= at;
}

/* How many instructions of this privilege level cannot carry the counter over the distance. */
static uint64_t instructions_within(const struct pv_engine *e, unsigned alarm, uint64_t distance)
{
	unsigned counter = alarm_counter(alarm);

	if (!(alarm_levels(alarm) >> e->cpl & 1))
		return UINT64_MAX;
	if (counter == PV_COUNT_GUEST_TSC || (counter == PV_COUNT_CYCLES && e->config.page->cycles_tsc))
		return distance / TICKS_PER_INSTRUCTION;
	if (counter < PV_COUNTS_AT_EXIT)
		return distance - 1; /* one each at most: what has a penalty asks for a look */
	return UINT64_MAX; /* count_event() asks */
}

/* Nothing goes off while the counters stand still. */
static uint64_t alarms(const struct pv_engine *e)
{
	return count_frozen(e) ? 0 : e->config.run->armed;
}

int64_t alarm_chunk(struct pv_engine *e, int64_t most)
{
	static const struct charged none = { 0 };
	uint64_t chunk = (uint64_t)most, distance;

	for (uint64_t left = alarms(e); left; left &= left - 1) {
		unsigned alarm = (unsigned)__builtin_ctzll(left);
		uint64_t within;

		if (is_reached(e, alarm, &none, &distance)) {
			e->attend |= ATTEND_ALARM;
			return 0;
		}
		within = instructions_within(e, alarm, distance);
		if (within < chunk)
			chunk = within;
	}
	return (int64_t)chunk;
}

/* Once is enough: the few blocks with locked operations are slower then, and others are not. */
void alarm_entered(struct pv_engine *e)
{
	if (e->cycles_watched || e->config.page->cycles_tsc || !alarm_is_armed(e, PV_COUNT_CYCLES))
		return;
	e->cycles_watched = true;
	blocks_slow_locked(e);
}

static bool any_reached(const struct pv_engine *e, uint64_t alarms, const struct charged *ahead)
{
	uint64_t distance;

	for (; alarms; alarms &= alarms - 1)
		if (is_reached(e, (unsigned)__builtin_ctzll(alarms), ahead, &distance))
			return true;
	return false;
}

bool alarm_reached(const struct pv_engine *e, uint64_t rip)
{
	struct charged ahead = count_ahead(e, rip);

	return any_reached(e, alarms(e), &ahead);
}

void alarm_look(struct pv_engine *e, unsigned counter)
{
	static const struct charged none = { 0 };
	uint64_t own = (uint64_t)((1u << PV_ALARM_LEVELS) - 1) << (counter * PV_ALARM_LEVELS);

	if (!(e->attend & ATTEND_ALARM) && any_reached(e, alarms(e) & own, &none))
		count_attend(e, ATTEND_ALARM);
}
