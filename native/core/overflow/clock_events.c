/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/clock_events.h"

#include <stddef.h>
#include <stdio.h>

#include "core/host/host.h"
#include "core/overflow/nmi.h"
#include "core/overflow/overflow.h"

enum {
	NS_PER_SECOND = 1000000000,
	MOST_AT_ONCE = 64, /* NMIs of one vCPU; then it is brought out, and others have their turn */
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

static enum clock_kind kind_of(const struct host_event *event)
{
	return event->source.kind == SOURCE_TASK_CLOCK ? CLOCK_TASK : CLOCK_CPU;
}

void clock_events_init(struct pv_vcpu *vcpu)
{
	pv_spinlock_init(&vcpu->clocks.lock, "a vCPU's clocks");
	pv_u64_store(&vcpu->clocks.next, UINT64_MAX);
	pv_u64_store(&vcpu->clocks.wakes, UINT64_MAX);
}

/* Lock held: when the first clock in this heap is to be looked at, in clock_now() time. */
static uint64_t due_of(const struct clock_line *line, bool agent)
{
	const struct host_event *first = line->stands ? NULL : line->first[agent];

	return first ? sum(first->clock.key, line->hidden) : UINT64_MAX;
}

/* Lock held. True: the timer is to look at it earlier than it knows. */
static bool publish(struct clock_queue *queue)
{
	uint64_t wakes = UINT64_MAX, next = UINT64_MAX, before = pv_u64_load(&queue->next);

	for (int i = 0; i < CLOCK_KINDS; i++) {
		wakes = earlier(wakes, due_of(&queue->line[i], false));
		next = earlier(next, due_of(&queue->line[i], true));
	}
	next = earlier(next, wakes);
	if (queue->refused && next < queue->window_ns + OVERFLOW_WINDOW_NS)
		next = queue->window_ns + OVERFLOW_WINDOW_NS;
	pv_u64_store(&queue->wakes, wakes);
	pv_u64_store(&queue->next, next);
	return next < before;
}

/* Lock held, and event_mutex. */
static void set_lines(struct pv_vcpu *vcpu)
{
	struct clock_line *line = vcpu->clocks.line;
	const struct pmu *pmu = &vcpu->pmu;

	line[CLOCK_CPU].stands = pmu->frozen;
	line[CLOCK_CPU].hidden = pmu->hidden_ns;
	line[CLOCK_TASK].stands = pmu->frozen || pmu->parked;
	line[CLOCK_TASK].hidden = pmu->hidden_ns + pmu->parked_ns;
}

static struct host_event **heap_of(struct clock_queue *queue, const struct host_event *event)
{
	return &queue->line[kind_of(event)].first[event->agent];
}

/* Lock held: the vCPU's clocks may raise NMIs again. */
static void admit_again(struct pv_vcpu *vcpu)
{
	trace(vcpu->vm, PV_TRACE_UNTHROTTLE, vcpu->index, vcpu->clocks.refused->id, 0, 0);
	pv_u64_add(&vcpu->vm->ledger.unthrottled, 1);
	vcpu->clocks.refused = NULL;
}

static bool arm(struct pv_vcpu *vcpu, struct host_event *event, uint64_t count, uint64_t now)
{
	struct clock_queue *queue = &vcpu->clocks;
	uint64_t left = event->overflow.at - count;

	if (event->clock_armed)
		clock_heap_remove(heap_of(queue, event), event);
	else
		queue->armed++;
	event->clock_armed = true;
	set_lines(vcpu);
	/* Stopped behind its overflow, it is due in the past. */
	event->clock_due = event->overflow.at < count ? now + left : sum(now, left);
	clock_heap_add(heap_of(queue, event), event, event->clock_due);
	return publish(queue);
}

void clock_event_arm(struct pv_vcpu *vcpu, struct host_event *event, uint64_t count, uint64_t now)
{
	bool earlier_now;

	pv_spin_lock(&vcpu->clocks.lock);
	earlier_now = arm(vcpu, event, count, now);
	pv_spin_unlock(&vcpu->clocks.lock);
	if (earlier_now)
		pv_wake(&vcpu->vm->timer.wake);
}

void clock_event_disarm(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct clock_queue *queue = &vcpu->clocks;

	if (!event->clock_armed)
		return;
	pv_spin_lock(&queue->lock);
	clock_heap_remove(heap_of(queue, event), event);
	event->clock_armed = false;
	queue->armed--;
	if (queue->refused == event)
		admit_again(vcpu);
	publish(queue);
	pv_spin_unlock(&queue->lock);
}

void clock_events_stop(struct pv_vcpu *vcpu, enum clock_kind from)
{
	struct clock_queue *queue = &vcpu->clocks;

	if (!queue->armed)
		return;
	pv_spin_lock(&queue->lock);
	for (int i = from; i < CLOCK_KINDS; i++)
		queue->line[i].stands = true;
	publish(queue);
	pv_spin_unlock(&queue->lock);
}

void clock_events_go_on(struct pv_vcpu *vcpu)
{
	bool earlier_now;

	if (!vcpu->clocks.armed)
		return;
	pv_spin_lock(&vcpu->clocks.lock);
	set_lines(vcpu);
	earlier_now = publish(&vcpu->clocks);
	pv_spin_unlock(&vcpu->clocks.lock);
	if (earlier_now)
		pv_wake(&vcpu->vm->timer.wake);
}

/* Lock held: the clock that is due first, of those that are due; NULL: none is. */
static struct host_event *first_due(struct clock_queue *queue, uint64_t now)
{
	struct host_event *ret = NULL;
	uint64_t first = UINT64_MAX;

	for (int i = 0; i < 2 * CLOCK_KINDS; i++) {
		const struct clock_line *line = &queue->line[i / 2];
		uint64_t due = due_of(line, i % 2);

		if (due <= now && due < first) {
			first = due;
			ret = line->first[i % 2];
		}
	}
	return ret;
}

/* Lock held: may one more NMI be raised in this window? */
static bool admit(struct pv_vcpu *vcpu, struct host_event *event, uint64_t now)
{
	struct clock_queue *queue = &vcpu->clocks;
	struct pv_vm *vm = vcpu->vm;

	if (!vm->config.max_sample_rate)
		return true;
	if (now - queue->window_ns >= OVERFLOW_WINDOW_NS) {
		queue->window_ns = now;
		queue->window_nmis = 0;
		if (queue->refused)
			admit_again(vcpu);
	}
	/* One that is too many by itself is throttled by itself, and raises nothing. */
	if (event->overflow.throttled || queue->window_nmis <= overflow_most_in_a_window(vm))
		return true;
	if (!queue->refused) {
		queue->refused = event;
		pv_u64_add(&vm->ledger.throttled, 1);
		trace(vm, PV_TRACE_THROTTLE, vcpu->index, event->id, 0, 0);
	}
	return false;
}

/*
 * Lock held. What the clock has counted follows from when its next overflow was due. While it is
 * throttled it stays due, and is looked at in the next window. True: it raised an NMI.
 */
static bool raise(struct pv_vcpu *vcpu, struct host_event *event, uint64_t now)
{
	struct host_event **heap = heap_of(&vcpu->clocks, event);
	uint64_t own = now - vcpu->clocks.line[kind_of(event)].hidden;
	uint64_t count = event->overflow.at + (own - event->clock_due);
	bool raised = nmi_clock(vcpu, event, count);

	if (raised)
		event->clock_due = sum(own, event->overflow.at - count);
	clock_heap_remove(heap, event);
	clock_heap_add(heap, event, raised ? event->clock_due : own + OVERFLOW_WINDOW_NS);
	vcpu->clocks.window_nmis += raised;
	return raised;
}

/* The clock that is due first has its turn. False: none is due, or none may be raised. */
static bool run_first(struct pv_vcpu *vcpu, uint64_t now, bool *raised)
{
	struct clock_queue *queue = &vcpu->clocks;
	struct host_event *event;

	pv_spin_lock(&queue->lock);
	event = first_due(queue, now);
	if (event && admit(vcpu, event, now))
		*raised |= raise(vcpu, event, now);
	else
		event = NULL;
	publish(queue);
	pv_spin_unlock(&queue->lock);
	return event;
}

/* Who is to be brought out is, with no lock held. */
static void run_vcpu(struct pv_vcpu *vcpu, uint64_t now)
{
	bool raised = false;

	if (pv_u64_load(&vcpu->clocks.next) > now)
		return;
	for (int i = 0; i < MOST_AT_ONCE && run_first(vcpu, now, &raised); i++) {
		pv_point("clocks: between two");
		pv_spin_give_way(&vcpu->clocks.lock);
	}
	if (!raised)
		return;
	vcpu_ring(vcpu);
	halt_wake(vcpu);
}

uint64_t clock_events_run(struct pv_vm *vm)
{
	uint64_t now = clock_now(vm), next = UINT64_MAX;

	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		run_vcpu(&vm->vcpus[i], now);
		next = earlier(next, pv_u64_load(&vm->vcpus[i].clocks.next));
	}
	return next;
}

bool clock_events_may_wake(const struct pv_vm *vm)
{
	uint64_t first = UINT64_MAX;

	for (uint32_t i = 0; i < vm->config.vcpus; i++)
		first = earlier(first, pv_u64_load(&vm->vcpus[i].clocks.wakes));
	return first != UINT64_MAX && first <= sum(clock_now(vm), CLOCK_WAKES_WITHIN_NS);
}

/* When the first clock is due that would wake the vCPU, if its time goes on, and which one that is. */
static uint64_t first_to_wake(struct pv_vcpu *vcpu, int32_t *id)
{
	uint64_t first = UINT64_MAX;

	*id = -1;
	pv_spin_lock(&vcpu->clocks.lock);
	for (int i = 0; i < CLOCK_KINDS; i++) {
		uint64_t due = due_of(&vcpu->clocks.line[i], false);

		if (due >= first)
			continue;
		first = due;
		*id = vcpu->clocks.line[i].first[0]->id;
	}
	pv_spin_unlock(&vcpu->clocks.lock);
	return first;
}

void clock_events_tell(struct pv_vm *vm, struct pv_vm_end *end)
{
	uint64_t now = clock_now(vm), first = UINT64_MAX;

	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		int32_t id;
		uint64_t due = first_to_wake(&vm->vcpus[i], &id);

		if (due >= first)
			continue;
		first = due;
		snprintf(end->text, sizeof(end->text), "the clock of event %d on vCPU %u is due in %llu s, and later than %llu s is too late",
			 id, i, (unsigned long long)((due - now) / NS_PER_SECOND), CLOCK_WAKES_WITHIN_NS / NS_PER_SECOND);
	}
}
