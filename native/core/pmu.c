/* SPDX-License-Identifier: GPL-2.0-only */
#include "pmu.h"

#include <stddef.h>

#include "host.h"

static void list_append(struct event_list *list, struct host_event *event)
{
	event->before = list->last;
	event->behind = NULL;
	if (list->last)
		list->last->behind = event;
	else
		list->first = event;
	list->last = event;
}

static void list_remove(struct event_list *list, struct host_event *event)
{
	if (event->before)
		event->before->behind = event->behind;
	else
		list->first = event->behind;
	if (event->behind)
		event->behind->before = event->before;
	else
		list->last = event->before;
	event->before = event->behind = NULL;
}

static void run_start(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pmu_value now = pmu_reading(vcpu, event);

	for (int i = 0; i < 2; i++)
		event->start.part[i] = pmu_later(now.part[i], event->floor.part[i]);
	event->running_since = pmu_now(vcpu);
	event->running = true;
	vcpu->pmu.rearm = true;
	vcpu->pmu.sampling += pmu_has_counter(event) && event->overflow.period;
	pmu_clock_start(vcpu, event);
}

static void run_stop(struct pv_vcpu *vcpu, struct host_event *event)
{
	pmu_clock_stop(vcpu, event);
	vcpu->pmu.rearm = true;
	vcpu->pmu.sampling -= pmu_has_counter(event) && event->overflow.period;
	event->sum = pmu_read(vcpu, event);
	event->times.running_ns += pmu_now(vcpu) - event->running_since;
	event->running = false;
}

static bool needs_counter(const struct host_event *event)
{
	return event->source.kind == SOURCE_COUNTER;
}

/* The first event that waits for a counter: behind those that hold one. */
static struct host_event *first_waiting(const struct pmu *pmu)
{
	struct host_event *event = pmu->hardware.first;

	while (event && event->running)
		event = event->behind;
	return event;
}

static void note_attached(struct pv_vcpu *vcpu, int change)
{
	struct pmu *pmu = &vcpu->pmu;

	pmu->attached += (uint32_t)change;
	timer_want_rotation(vcpu, pmu->attached > pmu->counters);
}

/* The instruction that enables an event is not in its window: the event counts from
 * behind it, which is where the counters will stand once it has retired. */
static struct pmu_value floor_behind_exit(const struct pv_vcpu *vcpu, const struct host_event *event)
{
	struct pmu_value floor = pmu_reading(vcpu, event);
	bool retires = pmu_has_counter(event) && pmu_counter_of(event) < PV_COUNTS_AT_EXIT;

	if (retires && !vcpu->pmu.frozen)
		floor.part[vcpu->run->cpl ? PV_CPL_USER : PV_CPL_KERNEL] +=
			vcpu->run->retire[pmu_counter_of(event)];
	return floor;
}

static struct event_list *list_of(struct pmu *pmu, const struct host_event *event)
{
	if (needs_counter(event))
		return &pmu->hardware;
	return event->source.kind == SOURCE_BREAKPOINT ? &pmu->breakpoints : &pmu->software;
}

static bool slot_take(struct pmu *pmu, struct host_event *event)
{
	for (uint32_t i = 0; i < PV_BREAKPOINTS; i++)
		if (!pmu->slot[i]) {
			pmu->slot[i] = event;
			event->slot = i;
			return true;
		}
	return false;
}

int pmu_attach(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pmu *pmu = &vcpu->pmu;

	if (event->source.kind == SOURCE_BREAKPOINT && !slot_take(pmu, event))
		return -PV_ENOSPC;
	vcpu->vm->design->hold(event);
	event->floor = floor_behind_exit(vcpu, event);
	event->enabled_since = pmu_now(vcpu);
	event->vcpu = vcpu;
	list_append(list_of(pmu, event), event);
	if (!needs_counter(event) || pmu->attached < pmu->counters)
		run_start(vcpu, event);
	if (needs_counter(event))
		note_attached(vcpu, 1);
	if (pv_u64_load(&event->shadow.overflows))
		vcpu->vm->design->queue(vcpu, event); /* it brought them from where it was */
	return 0;
}

/* The counter that it held goes to the next event. */
static void counter_pass_on(struct pv_vcpu *vcpu, bool had_counter)
{
	struct host_event *next = first_waiting(&vcpu->pmu);

	if (had_counter && next)
		run_start(vcpu, next);
	note_attached(vcpu, -1);
}

void pmu_detach(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pmu *pmu = &vcpu->pmu;
	bool had_counter = event->running;

	if (event->running)
		run_stop(vcpu, event);
	event->times.enabled_ns += pmu_now(vcpu) - event->enabled_since;
	queue_remove(vcpu, event);
	list_remove(list_of(pmu, event), event);
	event->vcpu = NULL;
	overflow_settle(event, pmu_count(event, &event->sum));
	if (event->source.kind == SOURCE_BREAKPOINT)
		pmu->slot[event->slot] = NULL;
	if (needs_counter(event))
		counter_pass_on(vcpu, had_counter);
}

void pmu_rotate(struct pv_vcpu *vcpu)
{
	struct pmu *pmu = &vcpu->pmu;
	struct host_event *event = pmu->hardware.first;

	if (pmu->attached <= pmu->counters)
		return;
	run_stop(vcpu, event);
	list_remove(&pmu->hardware, event);
	list_append(&pmu->hardware, event);
	run_start(vcpu, first_waiting(pmu));
	pv_u64_count(&vcpu->figures.rotations, 1);
}
