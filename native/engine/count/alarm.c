/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Alarms: sums of a counter over privilege levels at which the host wants the vCPU out
 * of guest mode (run_page.h). The block hook has no time to compare anything, so the
 * budget is made small enough to run out at the block that may reach one; the exact
 * sums are then compared in front of the next block.
 */
#include "engine/count/alarm.h"

#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/freeze.h"
#include "engine/unicorn/blocks.h"

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

static bool is_reached(const struct cpu *cpu, unsigned alarm, const struct charged *ahead, uint64_t *distance)
{
	uint64_t at = cpu->config.run->alarm[alarm], sum = 0;

	for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
		if (alarm_levels(alarm) >> cpl & 1)
			sum += count_value(cpu, alarm_counter(alarm), cpl, ahead);
	*distance = at - sum;
	return sum >= at;
}

/* How many instructions of this privilege level cannot carry the counter over the distance. */
static uint64_t instructions_within(const struct cpu *cpu, unsigned alarm, uint64_t distance)
{
	unsigned counter = alarm_counter(alarm);

	if (!(alarm_levels(alarm) >> cpu->count.cpl & 1))
		return UINT64_MAX;
	if (counter == PV_COUNT_GUEST_TSC || (counter == PV_COUNT_CYCLES && cpu->config.page->cycles_tsc))
		return distance / TICKS_PER_INSTRUCTION;
	if (counter < PV_COUNTS_AT_EXIT)
		return distance - 1; /* one each at most: what has a penalty asks for a look */
	return UINT64_MAX; /* count_event() asks */
}

/* Nothing goes off while the counters stand still. */
static uint64_t alarms(const struct cpu *cpu)
{
	return count_frozen(&cpu->freeze) ? 0 : cpu->config.run->armed;
}

int64_t alarm_chunk(struct cpu *cpu, int64_t most)
{
	static const struct charged none = { 0 };
	uint64_t chunk = (uint64_t)most, distance = cpu->count.timer - count_elapsed(cpu);

	if (unlikely(cpu->count.timer != UINT64_MAX)) {
		if ((int64_t)distance <= 0) {
			cpu->count.attend |= ATTEND_TIMER;
			return 0;
		}
		if (distance - 1 < chunk)
			chunk = distance - 1;
	}
	for (uint64_t left = alarms(cpu); left; left &= left - 1) {
		unsigned alarm = (unsigned)__builtin_ctzll(left);
		uint64_t within;

		if (is_reached(cpu, alarm, &none, &distance)) {
			cpu->count.attend |= ATTEND_ALARM;
			return 0;
		}
		within = instructions_within(cpu, alarm, distance);
		if (within < chunk)
			chunk = within;
	}
	return (int64_t)chunk;
}

/* Once is enough: the few blocks with locked operations are slower then, and others are not. */
void alarm_entered(struct cpu *cpu)
{
	if (cpu->count.cycles_watched || cpu->config.page->cycles_tsc || !alarm_is_armed(cpu->config.run, PV_COUNT_CYCLES))
		return;
	cpu->count.cycles_watched = true;
	blocks_slow_locked(&cpu->blocks);
}

static bool any_reached(const struct cpu *cpu, uint64_t alarms, const struct charged *ahead)
{
	uint64_t distance;

	for (; alarms; alarms &= alarms - 1)
		if (is_reached(cpu, (unsigned)__builtin_ctzll(alarms), ahead, &distance))
			return true;
	return false;
}

bool alarm_reached(const struct cpu *cpu, uint64_t rip)
{
	struct charged ahead = count_ahead(cpu, rip);

	return any_reached(cpu, alarms(cpu), &ahead);
}

void alarm_look(struct cpu *cpu, unsigned counter)
{
	static const struct charged none = { 0 };
	uint64_t own = (uint64_t)((1u << PV_ALARM_LEVELS) - 1) << (counter * PV_ALARM_LEVELS);

	if (!(cpu->count.attend & ATTEND_ALARM) && any_reached(cpu, alarms(cpu) & own, &none))
		count_attend(cpu, ATTEND_ALARM);
}
