/* SPDX-License-Identifier: GPL-2.0-only */
/* What the engine is told of the PMU at an entry: alarms, counters that need hooks, breakpoints. */
#include <stddef.h>

#include "core/events/reading.h"
#include "core/host/host.h"

/* The nearest alarm of each kind is the one that matters. */
static void alarm_set(struct pv_run *run, unsigned number, uint64_t value)
{
	if (!(run->armed >> number & 1) || value < run->alarm[number])
		run->alarm[number] = value;
	run->armed |= 1ull << number;
}

/*
 * The event's next overflow as a value of the raw counter that the engine publishes: what it
 * still lacks, behind where it began to run. Readings may lie a little below 0: see pmu_unfreeze().
 */
static void arm_event(struct pv_vcpu *vcpu, const struct host_event *event, unsigned counter)
{
	const struct event_source *source = &event->source;
	bool counts[PV_CPLS] = { [PV_CPL_KERNEL] = source->kernel, [PV_CPL_USER] = source->user };
	__int128 target = (__int128)event->overflow.at * source->divisor;
	unsigned levels = 0;

	if (!event->overflow.period || event->overflow.throttled)
		return;
	for (unsigned cpl = 0; cpl < PV_CPLS; cpl++) {
		if (!counts[cpl])
			continue;
		levels |= 1u << cpl;
		target += (int64_t)(event->start.part[cpl] + vcpu->pmu.hidden_count[counter][cpl]);
		if (!PV_CANARY(alarm_without_sum))
			target -= event->sum.part[cpl];
	}
	if (levels && target <= UINT64_MAX)
		alarm_set(vcpu->run, counter * PV_ALARM_LEVELS + levels - 1, target > 0 ? (uint64_t)target : 0);
}

/* What runs may need a hook, has a slot, or samples. */
static void arm_running(struct pv_vcpu *vcpu, const struct host_event *event)
{
	struct pv_run *run = vcpu->run;
	unsigned counter = pmu_counter_of(event);

	if (counter >= PV_COUNTS_AT_EXIT)
		run->wanted |= 1u << counter;
	if (event->source.kind == SOURCE_BREAKPOINT)
		run->breakpoint[event->slot] = event->source.breakpoint;
	if (!vcpu->pmu.frozen)
		arm_event(vcpu, event, counter);
}

void pmu_arm(struct pv_vcpu *vcpu)
{
	struct pmu *pmu = &vcpu->pmu;

	if (!pmu->rearm)
		return;
	pmu->rearm = false;
	vcpu->run->armed = 0;
	vcpu->run->wanted = 0;
	for (const struct host_event *event = pmu->running; event; event = event->running_behind)
		arm_running(vcpu, event);
}
