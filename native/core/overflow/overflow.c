/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/overflow.h"

#include "core/vm/host.h"
#include "core/overflow/spacing.h"

enum {
	NS_PER_SECOND = 1000000000,
	FIRST_PERIOD = 10000, /* of a frequency, until there is something to go by */
	ADAPT_SHARE = 8,      /* of the way to what would have been right, at each overflow */
	MOST_DRAWN = 1 << 16, /* distances in one go: some millisecond of the NMI path, for each event */
};

static uint64_t distance(struct event_overflow *overflow)
{
	return overflow->spacing ? spacing_draw(&overflow->spacing, overflow->period) : overflow->period;
}

/* A clock's frequency is a period. */
void overflow_init(struct event_overflow *overflow, const struct event_source *source, uint64_t spacing)
{
	*overflow = (struct event_overflow){ .period = source->period };
	if (source->frequency && source_is_clock(source)) {
		overflow->period = NS_PER_SECOND / source->frequency;
	} else if (source->frequency) {
		overflow->frequency = source->frequency;
		overflow->period = FIRST_PERIOD;
	}
	if (source->frequency && !overflow->period)
		overflow->period = 1;
	if (!source->frequency)
		overflow->spacing = spacing;
	overflow->at = overflow->period ? distance(overflow) : 0;
}

/* All overflows up to `count`, a period apart. Returns how many were crossed; the next lies beyond. */
static uint64_t cross_even(struct event_overflow *overflow, uint64_t count)
{
	uint64_t n = 1 + (count - overflow->at) / overflow->period;

	overflow->at += n * overflow->period;
	return n;
}

/* The same where each distance is drawn; those of what is noticed very late are even in the end. */
static uint64_t cross_drawn(struct event_overflow *overflow, uint64_t count)
{
	uint64_t n = 0;

	for (; count >= overflow->at && n < MOST_DRAWN; n++)
		overflow->at += distance(overflow);
	return count < overflow->at ? n : n + cross_even(overflow, count);
}

/* The same for any event. */
static uint64_t cross(struct event_overflow *overflow, uint64_t count)
{
	if (!overflow->period || count < overflow->at)
		return 0;
	return overflow->spacing ? cross_drawn(overflow, count) : cross_even(overflow, count);
}

/* What the period should have been, from what was counted since the last overflow; the next one lies that far on. */
static void adapt(struct event_overflow *overflow, uint64_t count, uint64_t ran)
{
	uint64_t took = ran - overflow->last_ran;
	bool adapts = overflow->adapts;
	unsigned __int128 counted = count - overflow->last_count;
	uint64_t right, old = overflow->period;

	overflow->adapts = true;
	overflow->last_ran = ran;
	overflow->last_count = count;
	if (!adapts || !took)
		return;
	counted = counted * NS_PER_SECOND / took / overflow->frequency;
	right = counted > INT64_MAX ? INT64_MAX : (uint64_t)counted;
	if (right > old)
		overflow->period += (right - old + ADAPT_SHARE - 1) / ADAPT_SHARE;
	else
		overflow->period -= (old - right) / ADAPT_SHARE;
	if (!overflow->period)
		overflow->period = 1;
	overflow->at += overflow->period - old;
}

uint64_t overflow_raise_nmi(struct host_event *event, uint64_t count)
{
	struct event_overflow *overflow = &event->overflow;
	uint64_t n = cross(overflow, count);

	if (!n)
		return 0;
	if (overflow->frequency)
		adapt(overflow, count, pmu_event_ran(event));
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
