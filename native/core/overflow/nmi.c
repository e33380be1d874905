/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/nmi.h"

#include <stddef.h>

#include "core/events/reading.h"
#include "core/host/host.h"
#include "core/host/policy.h"
#include "core/overflow/overflow.h"

/* Overflows of one event, raised already, try to reach the queue. */
static void deliver_nmi(struct pv_vcpu *vcpu, struct host_event *event, uint64_t raised)
{
	if (!overflow_admit_nmi(event))
		return;
	pv_u64_add(&vcpu->vm->ledger.nmis, 1);
	trace(vcpu->vm, PV_TRACE_NMI, vcpu->index, event->id, raised, 0);
	vcpu->vm->nmi->overflow_nmi(vcpu, event);
}

static void counter_nmi(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pmu_value value;
	uint64_t raised;

	if (!event->overflow.period)
		return;
	if (event->overflow.throttled)
		vcpu->pmu.rearm = true; /* it has no alarm, and from now on it may need one */
	if (overflow_throttled_nmi(event))
		return;
	value = pmu_read(vcpu, event);
	raised = overflow_raise_nmi(event, pmu_count(event, &value));
	if (!raised)
		return;
	vcpu->pmu.rearm = true;
	deliver_nmi(vcpu, event, raised);
}

void nmi_counters(struct pv_vcpu *vcpu)
{
	if (!vcpu->pmu.sampling)
		return;
	pv_nmi_enter();
	for (struct host_event *event = vcpu->pmu.running; event; event = event->running_behind)
		counter_nmi(vcpu, event);
	pv_nmi_exit();
}

bool nmi_clock(struct pv_vcpu *vcpu, struct host_event *event, uint64_t count)
{
	uint64_t raised;

	pv_nmi_enter();
	raised = overflow_throttled_nmi(event) ? 0 : overflow_raise_nmi(event, count);
	if (raised)
		deliver_nmi(vcpu, event, raised);
	pv_nmi_exit();
	return raised > 0;
}

/* A miss: the overflows stay in the shadow. */
static bool trylock_nmi(struct pv_vcpu *vcpu, const struct host_event *event)
{
	if (!fault_hits(vcpu->vm, PV_FAULT_TRYLOCK) && pv_mutex_trylock(&vcpu->event_mutex))
		return true;
	pv_u64_add(&vcpu->vm->ledger.misses, 1);
	trace(vcpu->vm, PV_TRACE_MISS, vcpu->index, event->id, 0, 0);
	return false;
}

static bool queue_nmi(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (!trylock_nmi(vcpu, event))
		return false;
	vcpu->vm->design->queue(vcpu, event);
	pv_mutex_unlock(&vcpu->event_mutex);
	return true;
}

/* As posted: what was missed waits in the shadow for the event's next overflow, or its disabling. */
static void overflow_trylock_nmi(struct pv_vcpu *vcpu, struct host_event *event)
{
	queue_nmi(vcpu, event);
}

/* A miss is noted without a lock, and is synced at the next entry. */
static void overflow_deferred_nmi(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (!queue_nmi(vcpu, event) && !PV_CANARY(miss_not_deferred))
		queue_defer_nmi(vcpu, event);
}

static void overflow_lockless_nmi(struct pv_vcpu *vcpu, struct host_event *event)
{
	queue_defer_nmi(vcpu, event);
}

const struct pv_nmi_policy nmi_trylock = { .name = "trylock", .overflow_nmi = overflow_trylock_nmi };
const struct pv_nmi_policy nmi_deferred = { .name = "deferred", .overflow_nmi = overflow_deferred_nmi };
const struct pv_nmi_policy nmi_lockless = { .name = "lockless", .overflow_nmi = overflow_lockless_nmi };
