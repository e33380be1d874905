/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/pmu/pmu.h"

#include <stddef.h>

#include "core/events/group.h"
#include "core/events/reading.h"
#include "core/host/host.h"
#include "core/overflow/overflow.h"

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

static void running_add(struct pmu *pmu, struct host_event *event)
{
	event->running_before = NULL;
	event->running_behind = pmu->running;
	if (pmu->running)
		pmu->running->running_before = event;
	pmu->running = event;
	pmu->rearm = true;
}

static void running_remove(struct pmu *pmu, struct host_event *event)
{
	if (event->running_before)
		event->running_before->running_behind = event->running_behind;
	else
		pmu->running = event->running_behind;
	if (event->running_behind)
		event->running_behind->running_before = event->running_before;
	pmu->rearm = true;
}

/* What overflows may be throttled, and the timer ends that. */
static void count_sampling(struct pv_vcpu *vcpu, const struct host_event *event, int change)
{
	struct pmu *pmu = &vcpu->pmu;
	bool before = pmu->sampling;

	if (!event->overflow.period)
		return;
	pmu->sampling += (uint32_t)change;
	if (before != (pmu->sampling > 0))
		timer_want_windows(vcpu->vm, !before);
}

static void run_start(struct pv_vcpu *vcpu, struct host_event *event, uint64_t now)
{
	struct pmu_value reading = pmu_reading_at(vcpu, event, now);

	for (int i = 0; i < 2; i++)
		event->start.part[i] = pmu_later(reading.part[i], event->floor.part[i]);
	event->running_since = now;
	event->overflow.ran_since = pmu_vcpu_ran(vcpu, now);
	event->running = true;
	if (pmu_has_counter(event)) {
		running_add(&vcpu->pmu, event);
		count_sampling(vcpu, event, 1);
	}
	pmu_clock_start(vcpu, event);
}

/* A clock that samples was stopped before `now` was told. */
static void run_stop(struct pv_vcpu *vcpu, struct host_event *event, uint64_t now)
{
	if (pmu_has_counter(event)) {
		running_remove(&vcpu->pmu, event);
		count_sampling(vcpu, event, -1);
	}
	event->sum = pmu_read_at(vcpu, event, now);
	if (!PV_CANARY(time_forgotten))
		event->times.running_ns += now - event->running_since;
	event->overflow.ran_ns += pmu_vcpu_ran(vcpu, now) - event->overflow.ran_since;
	event->running = false;
}

/* All members have the same times. */
static void group_start(struct pv_vcpu *vcpu, struct host_event *leader, uint64_t now)
{
	for_each_member(event, leader)
		run_start(vcpu, event, now);
	vcpu->pmu.used += leader->counters;
}

/* The moment at which a group stops. */
static uint64_t group_clocks_stop(struct pv_vcpu *vcpu, struct host_event *leader)
{
	for_each_member(event, leader)
		pmu_clock_stop(vcpu, event);
	return pmu_now(vcpu);
}

/* The first group that waits for counters: behind those that hold some. */
static struct host_event *first_waiting(const struct pmu *pmu)
{
	struct host_event *leader = pmu->rotating.first;

	while (leader && leader->running)
		leader = leader->behind;
	return leader;
}

/* Counters that are free go to those who wait, in order. */
static void counters_fill(struct pv_vcpu *vcpu, uint64_t now)
{
	struct pmu *pmu = &vcpu->pmu;
	struct host_event *leader = first_waiting(pmu);

	for (; leader && pmu->used + leader->counters <= pmu->counters; leader = leader->behind)
		group_start(vcpu, leader, now);
	timer_want_rotation(vcpu, pmu->attached > pmu->counters);
}

/* The instruction that enables an event is not in its window: the event counts from
 * behind it, which is where the counters will stand once it has retired. */
static struct pmu_value floor_behind_exit(const struct pv_vcpu *vcpu, const struct host_event *event, uint64_t now)
{
	struct pmu_value floor = pmu_reading_at(vcpu, event, now);
	bool retires = pmu_has_counter(event) && pmu_counter_of(event) < PV_COUNTS_AT_EXIT;

	if (retires && !vcpu->pmu.frozen)
		floor.part[vcpu->run->cpl ? PV_CPL_USER : PV_CPL_KERNEL] +=
			vcpu->run->retire[pmu_counter_of(event)];
	return floor;
}

static struct event_list *list_of(struct pmu *pmu, const struct host_event *leader)
{
	return leader->counters ? &pmu->rotating : &pmu->fixed;
}

/* Are there slots for all breakpoints of the group? */
static bool slots_suffice(const struct pmu *pmu, const struct host_event *leader)
{
	unsigned needed = pmu->promised + leader->breakpoints;

	for (int i = 0; i < PV_BREAKPOINTS; i++)
		needed += pmu->slot[i] != NULL;
	return needed <= PV_BREAKPOINTS;
}

int pmu_promise(struct pv_vcpu *vcpu, struct host_event *leader)
{
	if (!slots_suffice(&vcpu->pmu, leader))
		return -PV_ENOSPC;
	leader->promised = leader->breakpoints;
	vcpu->pmu.promised += leader->promised;
	return 0;
}

static void slot_take(struct pmu *pmu, struct host_event *event)
{
	event->slot = 0;
	while (pmu->slot[event->slot])
		event->slot++;
	pmu->slot[event->slot] = event;
}

static void member_attach(struct pv_vcpu *vcpu, struct host_event *event, uint64_t now)
{
	if (event->source.kind == SOURCE_BREAKPOINT)
		slot_take(&vcpu->pmu, event);
	if (!PV_CANARY(attached_without_reference))
		vcpu->vm->design->hold(event);
	event->floor = floor_behind_exit(vcpu, event, now);
	event->enabled_since = now;
	event->vcpu = vcpu;
	agent_counts_attach(vcpu, event);
	inject_arrive(vcpu, event);
	if (PV_CANARY(period_begins_anew))
		event->overflow.at = pmu_count(event, &event->sum) + event->overflow.period;
	trace(vcpu->vm, PV_TRACE_ATTACH, vcpu->index, event->id, pv_u64_load(&event->shadow.overflows), 0);
	if (pv_u64_load(&event->shadow.overflows))
		vcpu->vm->design->queue(vcpu, event); /* it brought them from where it was */
}

int pmu_attach(struct pv_vcpu *vcpu, struct host_event *leader)
{
	struct pmu *pmu = &vcpu->pmu;
	uint64_t now = pmu_now(vcpu);

	pmu->promised -= leader->promised;
	leader->promised = 0;
	if (!slots_suffice(pmu, leader))
		return -PV_ENOSPC;
	for_each_member(event, leader)
		member_attach(vcpu, event, now);
	list_append(list_of(pmu, leader), leader);
	pmu->attached += leader->counters;
	if (!leader->counters)
		group_start(vcpu, leader, now);
	counters_fill(vcpu, now);
	return 0;
}

static void member_detach(struct pv_vcpu *vcpu, struct host_event *event, uint64_t now)
{
	if (event->running)
		run_stop(vcpu, event, now);
	event->times.enabled_ns += now - event->enabled_since;
	if (!PV_CANARY(detached_stays_queued))
		queue_remove(vcpu, event);
	overflow_settle(event, pmu_count(event, &event->sum));
	event->vcpu = NULL;
	agent_counts_detach(vcpu, event);
	inject_leave(vcpu, event);
	trace(vcpu->vm, PV_TRACE_DETACH, vcpu->index, event->id, pv_u64_load(&event->shadow.overflows), 0);
	if (event->source.kind == SOURCE_BREAKPOINT)
		vcpu->pmu.slot[event->slot] = NULL;
}

void pmu_detach(struct pv_vcpu *vcpu, struct host_event *leader)
{
	struct pmu *pmu = &vcpu->pmu;
	uint64_t now = group_clocks_stop(vcpu, leader);

	list_remove(list_of(pmu, leader), leader);
	pmu->attached -= leader->counters;
	if (leader->running)
		pmu->used -= leader->counters;
	for_each_member(event, leader)
		member_detach(vcpu, event, now);
	counters_fill(vcpu, now);
}

/* The last counter that a group needs may go with its sibling: then it need not wait for its turn. */
static void stop_rotating(struct pv_vcpu *vcpu, struct host_event *leader, uint64_t now)
{
	list_remove(&vcpu->pmu.rotating, leader);
	list_append(&vcpu->pmu.fixed, leader);
	if (!leader->running)
		group_start(vcpu, leader, now);
}

void pmu_leave(struct pv_vcpu *vcpu, struct host_event *sibling)
{
	struct pmu *pmu = &vcpu->pmu;
	struct host_event *leader = sibling->leader;
	bool rotates = leader->counters;
	uint64_t now;

	pmu_clock_stop(vcpu, sibling);
	now = pmu_now(vcpu);
	group_leave(sibling);
	pmu->attached -= sibling->counters;
	if (sibling->running)
		pmu->used -= sibling->counters;
	member_detach(vcpu, sibling, now);
	if (rotates && !leader->counters)
		stop_rotating(vcpu, leader, now);
	counters_fill(vcpu, now);
}

void pmu_rotate(struct pv_vcpu *vcpu)
{
	struct pmu *pmu = &vcpu->pmu;
	struct host_event *leader = pmu->rotating.first;
	uint64_t now;

	if (pmu->attached <= pmu->counters)
		return;
	now = group_clocks_stop(vcpu, leader);
	for_each_member(event, leader)
		run_stop(vcpu, event, now);
	pmu->used -= leader->counters;
	list_remove(&pmu->rotating, leader);
	list_append(&pmu->rotating, leader);
	counters_fill(vcpu, now);
	pv_u64_count(&vcpu->figures.rotations, 1);
}
