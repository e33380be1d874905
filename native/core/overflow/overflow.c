/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/overflow.h"

#include "core/events/reading.h"
#include "core/host/host.h"

enum { NS_PER_SECOND = 1000000000 };

uint64_t overflow_raise_nmi(struct host_event *event, uint64_t count)
{
	struct event_overflow *overflow = &event->overflow;
	uint64_t n = period_cross(overflow, count);

	if (!n)
		return 0;
	if (overflow->frequency)
		period_adapt(overflow, count, pmu_event_ran(event));
	trace(event->vm, PV_TRACE_RAISE, event->vcpu->index, event->id, n, count);
	pv_u64_store(&event->shadow.count, count);
	pv_point("nmi: shadow count stored");
	pv_u64_add(&event->shadow.overflows, n);
	pv_u64_add(&event->vm->ledger.raised, n);
	return n;
}

static void unthrottle(struct host_event *event)
{
	event->overflow.throttled = false;
	pv_u64_add(&event->vm->ledger.unthrottled, 1);
	trace(event->vm, PV_TRACE_UNTHROTTLE, event->vcpu->index, event->id, 0, 0);
	pv_u32_sub(&event->vm->timer.throttled, 1);
}

void overflow_settle(struct host_event *event, uint64_t count)
{
	overflow_raise_nmi(event, count);
	if (event->overflow.throttled)
		unthrottle(event);
}

bool overflow_throttled_nmi(struct host_event *event)
{
	struct event_overflow *overflow = &event->overflow;

	if (!overflow->throttled)
		return false;
	if (clock_now(event->vm) - overflow->window_ns < OVERFLOW_WINDOW_NS)
		return true;
	unthrottle(event);
	return false;
}

uint64_t overflow_most_in_a_window(const struct pv_vm *vm)
{
	uint64_t most = vm->config.max_sample_rate * (uint64_t)OVERFLOW_WINDOW_NS / NS_PER_SECOND;

	return most ? most : 1;
}

/* The NMI that is one too many is not admitted; the overflows that it stood for are in the
 * shadow, and so are those to come, and none is lost. */
bool overflow_admit_nmi(struct host_event *event)
{
	struct event_overflow *overflow = &event->overflow;
	struct pv_vm *vm = event->vm;
	uint64_t now;

	if (!vm->config.max_sample_rate)
		return true;
	now = clock_now(vm);
	if (now - overflow->window_ns >= OVERFLOW_WINDOW_NS) {
		overflow->window_ns = now;
		overflow->window_nmis = 0;
	}
	if (overflow->window_nmis++ < overflow_most_in_a_window(vm))
		return true;
	overflow->throttled = true;
	pv_u64_add(&vm->ledger.throttled, 1);
	trace(vm, PV_TRACE_THROTTLE, event->vcpu->index, event->id, 0, 0);
	pv_u32_add(&vm->timer.throttled, 1);
	return false;
}
