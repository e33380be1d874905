/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/queue.h"

#include <stddef.h>

#include "core/host/host.h"

static void append(struct overflow_queue *queue, struct host_event *event)
{
	event->queued = true;
	event->queue_before = queue->last;
	event->queue_next = NULL;
	if (queue->last)
		queue->last->queue_next = event;
	else
		queue->first = event;
	queue->last = event;
	queue->length++;
}

/* An agent's NMI does not wake the guest out of HLT. */
static void note_due(struct pv_vcpu *vcpu, const struct host_event *event)
{
	if (!event->agent)
		pv_u32_store(&vcpu->queue.due, 1);
}

void queue_add(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (!event->queued) {
		if (!PV_CANARY(queued_without_reference))
			vcpu->vm->design->hold(event);
		append(&vcpu->queue, event);
	}
	note_due(vcpu, event);
}

static void cut(struct overflow_queue *queue, struct host_event *event)
{
	if (event->queue_before)
		event->queue_before->queue_next = event->queue_next;
	else
		queue->first = event->queue_next;
	if (event->queue_next)
		event->queue_next->queue_before = event->queue_before;
	else
		queue->last = event->queue_before;
	event->queue_before = event->queue_next = NULL;
	event->queued = false;
	queue->length--;
}

struct host_event *queue_take(struct pv_vcpu *vcpu)
{
	struct host_event *event = vcpu->queue.first;

	if (event) {
		event_check_live(event, "syncs");
		cut(&vcpu->queue, event);
	}
	return event;
}

void queue_remove(struct pv_vcpu *vcpu, struct host_event *event)
{
	queue_drain(vcpu);
	if (!event->queued)
		return;
	cut(&vcpu->queue, event);
	vcpu->vm->design->put(event);
}

/* The flag is cleared before the event is queued: an overflow that comes then is deferred anew. */
void queue_drain(struct pv_vcpu *vcpu)
{
	struct host_event *event, *next;

	if (!pv_ptr_load(&vcpu->queue.deferred))
		return;
	event = pv_ptr_exchange(&vcpu->queue.deferred, NULL);
	for (; event; event = next) {
		if (PV_CANARY(flag_cleared_before_next)) {
			pv_u32_exchange(&event->deferred, 0);
			pv_point("drain: flag cleared");
		}
		next = event->deferred_next;
		pv_u32_exchange(&event->deferred, 0);
		pv_point("drain: between flag and queue");
		queue_add(vcpu, event);
		vcpu->vm->design->put(event);
	}
}

void queue_defer_nmi(struct pv_vcpu *vcpu, struct host_event *event)
{
	void *head;

	if (!pv_u32_exchange(&event->deferred, 1)) {
		vcpu->vm->design->hold(event);
		do {
			head = pv_ptr_load(&vcpu->queue.deferred);
			event->deferred_next = head;
			if (PV_CANARY(push_not_retried)) {
				pv_ptr_store(&vcpu->queue.deferred, event);
				break;
			}
		} while (!pv_ptr_replace(&vcpu->queue.deferred, head, event));
		trace(vcpu->vm, PV_TRACE_DEFER, vcpu->index, event->id, 0, 0);
	}
	note_due(vcpu, event);
}
