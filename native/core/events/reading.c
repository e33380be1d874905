/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/events/reading.h"

#include "core/host/host.h"

uint64_t pmu_now(const struct pv_vcpu *vcpu)
{
	const struct pmu *pmu = &vcpu->pmu;

	return (pmu->frozen ? pmu->frozen_ns : clock_now(vcpu->vm)) - pmu->hidden_ns;
}

static uint64_t vcpu_count(const struct pv_vcpu *vcpu, unsigned counter, unsigned cpl)
{
	const struct pmu *pmu = &vcpu->pmu;

	return (pmu->frozen ? pmu->frozen_count[counter][cpl] : vcpu->run->count[counter][cpl]) -
	       pmu->hidden_count[counter][cpl];
}

uint64_t pmu_vcpu_ran(const struct pv_vcpu *vcpu, uint64_t now)
{
	const struct pmu *pmu = &vcpu->pmu;

	return (pmu->parked ? pmu->parked_since : now) - pmu->parked_ns;
}

uint64_t pmu_event_ran(const struct host_event *event)
{
	const struct event_overflow *overflow = &event->overflow;

	if (!event->running)
		return overflow->ran_ns;
	return overflow->ran_ns + pmu_vcpu_ran(event->vcpu, pmu_now(event->vcpu)) - overflow->ran_since;
}

unsigned pmu_counter_of(const struct host_event *event)
{
	return event->source.kind == SOURCE_BREAKPOINT ? PV_COUNT_BREAKPOINT + event->slot : event->source.counter;
}

bool pmu_has_counter(const struct host_event *event)
{
	return event->source.kind == SOURCE_COUNTER || event->source.kind == SOURCE_BREAKPOINT;
}

bool pmu_is_clock(const struct host_event *event)
{
	return source_is_clock(&event->source);
}

struct pmu_value pmu_reading_at(const struct pv_vcpu *vcpu, const struct host_event *event, uint64_t now)
{
	struct pmu_value ret = { { 0, 0 } };

	switch (event->source.kind) {
	case SOURCE_COUNTER:
	case SOURCE_BREAKPOINT:
		ret.part[0] = vcpu_count(vcpu, pmu_counter_of(event), PV_CPL_KERNEL);
		ret.part[1] = vcpu_count(vcpu, pmu_counter_of(event), PV_CPL_USER);
		break;
	case SOURCE_CPU_CLOCK:
		ret.part[0] = now;
		ret.part[1] = vcpu_count(vcpu, PV_COUNT_GUEST_TSC, PV_CPL_USER);
		break;
	case SOURCE_TASK_CLOCK:
		ret.part[0] = pmu_vcpu_ran(vcpu, now);
		ret.part[1] = vcpu_count(vcpu, PV_COUNT_GUEST_TSC, PV_CPL_USER);
		break;
	case SOURCE_DUMMY:
		break;
	}
	return ret;
}

uint64_t pmu_later(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) > 0 ? a : b;
}

/* A reading below the start is one before the instruction that enabled the event has retired. */
static struct pmu_value sum_until(const struct pv_vcpu *vcpu, const struct host_event *event, uint64_t now)
{
	struct pmu_value reading = pmu_reading_at(vcpu, event, now), sum = event->sum;

	for (int i = 0; i < 2; i++)
		sum.part[i] += pmu_later(reading.part[i], event->start.part[i]) - event->start.part[i];
	return sum;
}

struct pmu_value pmu_read_at(const struct pv_vcpu *vcpu, const struct host_event *event, uint64_t now)
{
	return event->running ? sum_until(vcpu, event, now) : event->sum;
}

/* Who is no clock does not care for the time. */
struct pmu_value pmu_read(const struct pv_vcpu *vcpu, const struct host_event *event)
{
	return pmu_read_at(vcpu, event, pmu_is_clock(event) ? pmu_now(vcpu) : 0);
}

struct pv_event_times pmu_times_at(const struct host_event *event, uint64_t now)
{
	struct pv_event_times times = event->times;

	times.enabled_ns += now - event->enabled_since;
	if (event->running)
		times.running_ns += now - event->running_since;
	return times;
}

/*
 * A clock by privilege level: the user's share is the time-stamp ticks that the vCPU
 * spent in guest user mode; the kernel's is the rest, so that both make the whole.
 */
static uint64_t clock_share(const struct host_event *event, const struct pmu_value *value)
{
	const struct event_source *source = &event->source;
	uint64_t total = value->part[0], user;

	if (source->kernel == source->user)
		return source->kernel ? total : 0;
	user = clock_ticks_to_ns(event->vm, value->part[1]);
	if (user > total)
		user = total;
	return source->user ? user : total - user;
}

uint64_t pmu_count(const struct host_event *event, const struct pmu_value *value)
{
	const struct event_source *source = &event->source;

	switch (source->kind) {
	case SOURCE_COUNTER:
	case SOURCE_BREAKPOINT:
		return ((source->kernel ? value->part[PV_CPL_KERNEL] : 0) +
			(source->user ? value->part[PV_CPL_USER] : 0)) / source->divisor;
	case SOURCE_DUMMY:
		return 0;
	default:
		return clock_share(event, value);
	}
}
