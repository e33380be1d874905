/* SPDX-License-Identifier: GPL-2.0-only */
#include "clock_events.h"

#include <stddef.h>

#include "host.h"

static void link_event(struct pv_timer *timer, struct host_event *event)
{
	event->clock_armed = true;
	event->clock_before = NULL;
	event->clock_behind = timer->clocks;
	if (timer->clocks)
		timer->clocks->clock_before = event;
	timer->clocks = event;
	if (!event->agent)
		pv_u32_add(&timer->waking, 1);
}

static void unlink_event(struct pv_timer *timer, struct host_event *event)
{
	event->clock_armed = false;
	if (event->clock_before)
		event->clock_before->clock_behind = event->clock_behind;
	else
		timer->clocks = event->clock_behind;
	if (event->clock_behind)
		event->clock_behind->clock_before = event->clock_before;
	if (!event->agent)
		pv_u32_sub(&timer->waking, 1);
}

void clock_event_arm(struct pv_vcpu *vcpu, struct host_event *event, uint64_t count)
{
	struct pv_timer *timer = &vcpu->vm->timer;
	uint64_t left, now;

	pv_spin_lock(&timer->lock);
	left = event->overflow.at - count;
	now = clock_now(vcpu->vm);
	/* Stopped behind its overflow, it is due in the past. */
	event->clock_due = event->overflow.at < count || left < UINT64_MAX - now ? now + left : UINT64_MAX;
	if (!event->clock_armed)
		link_event(timer, event);
	pv_spin_unlock(&timer->lock);
	pv_wake(&timer->wake);
}

void clock_event_disarm(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pv_timer *timer = &vcpu->vm->timer;

	pv_spin_lock(&timer->lock);
	if (event->clock_armed)
		unlink_event(timer, event);
	pv_spin_unlock(&timer->lock);
}

/* timer's lock held. What it has counted follows from when its next overflow was due. While
 * it is throttled it stays due. Returns when to look again. */
static uint64_t run_one(struct pv_vm *vm, struct host_event *event, uint64_t now)
{
	struct pv_vcpu *vcpu = event->vcpu;
	uint64_t count = event->overflow.at + (now - event->clock_due);

	if (!nmi_clock(vcpu, event, count))
		return now + OVERFLOW_WINDOW_NS;
	pv_u32_store(&vcpu->nmi_wake, 1);
	pv_u32_store(&vm->timer.wake_due, 1);
	event->clock_due = now + (event->overflow.at - count);
	return event->clock_due;
}

/* Those who are to be woken are, with no lock held. */
static void wake_vcpus(struct pv_vm *vm)
{
	if (!pv_u32_exchange(&vm->timer.wake_due, 0))
		return;
	for (uint32_t i = 0; i < vm->config.vcpus; i++)
		if (pv_u32_exchange(&vm->vcpus[i].nmi_wake, 0)) {
			vcpu_ring(&vm->vcpus[i]);
			halt_wake(&vm->vcpus[i]);
		}
}

uint64_t clock_events_run(struct pv_vm *vm)
{
	struct pv_timer *timer = &vm->timer;
	uint64_t now = clock_now(vm), next = UINT64_MAX;

	pv_spin_lock(&timer->lock);
	for (struct host_event *event = timer->clocks; event; event = event->clock_behind) {
		uint64_t look = event->clock_due <= now ? run_one(vm, event, now) : event->clock_due;

		if (look < next)
			next = look;
	}
	pv_spin_unlock(&timer->lock);
	wake_vcpus(vm);
	return next;
}

bool clock_events_may_wake(const struct pv_vm *vm)
{
	return pv_u32_load(&vm->timer.waking) > 0;
}
