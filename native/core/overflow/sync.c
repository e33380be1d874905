/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/sync.h"

#include <stddef.h>

#include "core/events/reading.h"
#include "core/host/host.h"

/* Delivers one event, and adds how many overflows to *total; false: it must be tried again. A fault that is
 * injected is guest memory without a byte. */
static bool sync_event(struct pv_vcpu *vcpu, struct host_event *event, uint64_t *total)
{
	struct pv_vm *vm = vcpu->vm;
	struct guest_mem mem = *owner_mem(vm, event->agent);
	struct pmu_value value = PV_CANARY(stale_count_synced) ? event->sum : pmu_read(vcpu, event);
	uint64_t delivered;
	int failed;

	if (fault_hits(vm, PV_FAULT_GUEST_WRITE))
		mem.size = 0;
	failed = vm->design->deliver(&mem, event, &value, &delivered);
	*total += delivered;
	trace(vm, PV_TRACE_DELIVER, vcpu->index, event->id, delivered, 0);
	if (failed) {
		pv_u64_add(&vm->ledger.failed, 1);
		trace(vm, PV_TRACE_FAILED, vcpu->index, event->id, 0, 0);
		return false;
	}
	if (delivered)
		inject_owe(vcpu, event);
	return true;
}

/* What is put back comes behind what is there: the old length says when the round is over. */
void sync_events(struct pv_vcpu *vcpu)
{
	struct pv_vm *vm = vcpu->vm;
	uint64_t delivered = 0;
	uint32_t left;

	vcpu->undelivered = false;
	if (PV_CANARY(due_cleared_by_a_store))
		pv_u32_store(&vcpu->queue.due, 0);
	else
		pv_u32_exchange(&vcpu->queue.due, 0); /* not a store, which could come after the look at the list */
	queue_drain(vcpu);
	left = vcpu->queue.length;
	if (!left)
		return;
	pv_u64_add(&vm->ledger.syncs, 1);
	trace(vm, PV_TRACE_SYNC, vcpu->index, 0, left, 0);
	if (vm->config.hold_us)
		vm->hooks.hold_ns(vm->hooks.context, vm->config.hold_us * 1000ull);
	fault_delay(vm);
	for (; left; left--) {
		struct host_event *event = queue_take(vcpu);

		pv_point("sync: event taken");
		if (!sync_event(vcpu, event, &delivered)) {
			vcpu->undelivered = true;
			if (!PV_CANARY(failed_sync_not_queued_again))
				queue_add(vcpu, event);
		}
		vm->design->put(event);
	}
	trace(vm, PV_TRACE_SYNCED, vcpu->index, 0, delivered, 0);
}

void sync_after_exit(struct pv_vcpu *vcpu)
{
	if (vcpu->vm->sync->at_entry)
		return;
	pv_mutex_lock(&vcpu->event_mutex);
	sync_events(vcpu);
	pv_mutex_unlock(&vcpu->event_mutex);
}
