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

/* The vCPU's own time in ns: it stands still while frozen. */
static uint64_t vcpu_now(const struct pv_vcpu *vcpu)
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

static uint64_t parked_ns(const struct pv_vcpu *vcpu)
{
	const struct pmu *pmu = &vcpu->pmu;

	return pmu->parked_ns + (pmu->parked ? vcpu_now(vcpu) - pmu->parked_since : 0);
}

/* The raw counter of an event that has one. */
static unsigned counter_of(const struct host_event *event)
{
	return event->source.kind == SOURCE_BREAKPOINT ? PV_COUNT_BREAKPOINT + event->slot : event->source.counter;
}

static bool has_counter(const struct host_event *event)
{
	return event->source.kind == SOURCE_COUNTER || event->source.kind == SOURCE_BREAKPOINT;
}

static bool is_clock(const struct host_event *event)
{
	return event->source.kind == SOURCE_CPU_CLOCK || event->source.kind == SOURCE_TASK_CLOCK;
}

/* Where the event's source stands on this vCPU. */
static struct pmu_value reading(const struct pv_vcpu *vcpu, const struct host_event *event)
{
	struct pmu_value now = { { 0, 0 } };

	switch (event->source.kind) {
	case SOURCE_COUNTER:
	case SOURCE_BREAKPOINT:
		now.part[0] = vcpu_count(vcpu, counter_of(event), PV_CPL_KERNEL);
		now.part[1] = vcpu_count(vcpu, counter_of(event), PV_CPL_USER);
		break;
	case SOURCE_CPU_CLOCK:
		now.part[0] = vcpu_now(vcpu);
		now.part[1] = vcpu_count(vcpu, PV_COUNT_GUEST_TSC, PV_CPL_USER);
		break;
	case SOURCE_TASK_CLOCK:
		now.part[0] = vcpu_now(vcpu) - parked_ns(vcpu);
		now.part[1] = vcpu_count(vcpu, PV_COUNT_GUEST_TSC, PV_CPL_USER);
		break;
	case SOURCE_DUMMY:
		break;
	}
	return now;
}

/* The larger of two readings. One may lie a little below 0: see pmu_unfreeze(). */
static uint64_t later(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) > 0 ? a : b;
}

/* Does the clock of an event that samples stand still? */
static bool clock_stands(const struct pmu *pmu, const struct host_event *event)
{
	return pmu->frozen || (pmu->parked && event->source.kind == SOURCE_TASK_CLOCK);
}

static void clock_start(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pmu_value value;

	if (!is_clock(event) || !event->overflow.period || clock_stands(&vcpu->pmu, event))
		return;
	value = pmu_read(vcpu, event);
	clock_event_arm(vcpu, event, pmu_count(event, &value));
}

static void clock_stop(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (is_clock(event) && event->overflow.period)
		clock_event_disarm(vcpu, event);
}

/* Time stops, or goes on, for clocks that sample. */
static void clocks_update(struct pv_vcpu *vcpu)
{
	for (struct host_event *event = vcpu->pmu.software.first; event; event = event->behind) {
		if (clock_stands(&vcpu->pmu, event))
			clock_stop(vcpu, event);
		else
			clock_start(vcpu, event);
	}
}

static void run_start(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pmu_value now = reading(vcpu, event);

	for (int i = 0; i < 2; i++)
		event->start.part[i] = later(now.part[i], event->floor.part[i]);
	event->running_since = vcpu_now(vcpu);
	event->running = true;
	vcpu->pmu.rearm = true;
	vcpu->pmu.sampling += has_counter(event) && event->overflow.period;
	clock_start(vcpu, event);
}

/* A reading below the start is one before the instruction that enabled the event has retired. */
static struct pmu_value sum_until_now(const struct pv_vcpu *vcpu, const struct host_event *event)
{
	struct pmu_value now = reading(vcpu, event), sum = event->sum;

	for (int i = 0; i < 2; i++)
		sum.part[i] += later(now.part[i], event->start.part[i]) - event->start.part[i];
	return sum;
}

static void run_stop(struct pv_vcpu *vcpu, struct host_event *event)
{
	clock_stop(vcpu, event);
	vcpu->pmu.rearm = true;
	vcpu->pmu.sampling -= has_counter(event) && event->overflow.period;
	event->sum = sum_until_now(vcpu, event);
	event->times.running_ns += vcpu_now(vcpu) - event->running_since;
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
	struct pmu_value floor = reading(vcpu, event);
	bool retires = has_counter(event) && counter_of(event) < PV_COUNTS_AT_EXIT;

	if (retires && !vcpu->pmu.frozen)
		floor.part[vcpu->run->cpl ? PV_CPL_USER : PV_CPL_KERNEL] +=
			vcpu->run->retire[counter_of(event)];
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
	if (!PV_CANARY(attached_without_reference))
		vcpu->vm->design->hold(event);
	event->floor = floor_behind_exit(vcpu, event);
	event->enabled_since = vcpu_now(vcpu);
	event->vcpu = vcpu;
	trace(vcpu->vm, PV_TRACE_ATTACH, vcpu->index, event->id, pv_u64_load(&event->shadow.overflows), 0);
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
	event->times.enabled_ns += vcpu_now(vcpu) - event->enabled_since;
	if (!PV_CANARY(detached_stays_queued))
		queue_remove(vcpu, event);
	list_remove(list_of(pmu, event), event);
	overflow_settle(event, pmu_count(event, &event->sum));
	event->vcpu = NULL;
	trace(vcpu->vm, PV_TRACE_DETACH, vcpu->index, event->id, pv_u64_load(&event->shadow.overflows), 0);
	if (event->source.kind == SOURCE_BREAKPOINT)
		pmu->slot[event->slot] = NULL;
	if (needs_counter(event))
		counter_pass_on(vcpu, had_counter);
}

struct pmu_value pmu_read(const struct pv_vcpu *vcpu, const struct host_event *event)
{
	return event->running ? sum_until_now(vcpu, event) : event->sum;
}

struct pv_event_times pmu_times(const struct pv_vcpu *vcpu, const struct host_event *event)
{
	struct pv_event_times times = event->times;

	times.enabled_ns += vcpu_now(vcpu) - event->enabled_since;
	if (event->running)
		times.running_ns += vcpu_now(vcpu) - event->running_since;
	return times;
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

/* A vCPU that is given up in guest mode has no counts that could be read: its time freezes. */
void pmu_freeze(struct pv_vcpu *vcpu)
{
	struct pmu *pmu = &vcpu->pmu;

	if (pmu->frozen)
		return;
	for (int c = 0; c < PV_COUNTS && vcpu->mode == VCPU_HOST; c++)
		for (int cpl = 0; cpl < PV_CPLS; cpl++)
			pmu->frozen_count[c][cpl] = vcpu->run->count[c][cpl];
	pmu->frozen_ns = clock_now(vcpu->vm);
	pmu->frozen = true;
	pmu->rearm = true;
	clocks_update(vcpu);
}

/* The instruction that exits is the agent's last one: it retires on entry, and is hidden too.
 * Until it has, readings are that little lower than they were when frozen. */
void pmu_unfreeze(struct pv_vcpu *vcpu)
{
	struct pmu *pmu = &vcpu->pmu;
	const struct pv_run *run = vcpu->run;

	if (!pmu->frozen)
		return;
	for (int c = 0; c < PV_COUNTS_AT_EXIT; c++)
		pmu->hidden_count[c][run->cpl ? PV_CPL_USER : PV_CPL_KERNEL] += run->retire[c];
	for (int c = 0; c < PV_COUNTS; c++) {
		for (int cpl = 0; cpl < PV_CPLS; cpl++)
			pmu->hidden_count[c][cpl] += run->count[c][cpl] - pmu->frozen_count[c][cpl];
	}
	pmu->hidden_ns += clock_now(vcpu->vm) - pmu->frozen_ns;
	pmu->frozen = false;
	pmu->rearm = true;
	clocks_update(vcpu);
}

void pmu_park(struct pv_vcpu *vcpu, bool parked)
{
	struct pmu *pmu = &vcpu->pmu;

	if (parked && !pmu->parked)
		pmu->parked_since = vcpu_now(vcpu);
	else if (!parked && pmu->parked)
		pmu->parked_ns += vcpu_now(vcpu) - pmu->parked_since;
	pmu->parked = parked;
	clocks_update(vcpu);
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
