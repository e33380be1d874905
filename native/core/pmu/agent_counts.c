/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/pmu/agent_counts.h"

#include <errno.h>
#include <string.h>

#include "core/events/reading.h"
#include "core/host/host.h"
#include "core/overflow/delivery.h"

int agent_counts_create(struct pv_vm *vm)
{
	struct agent_counts *counts;

	if (!vm->config.agent_start.rip)
		return 0;
	counts = vm->hooks.alloc(vm->hooks.context, (uint64_t)vm->config.vcpus * sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	vm->agent_events.counts = counts;
	for (uint32_t i = 0; i < vm->config.vcpus; i++)
		vm->vcpus[i].agent_counts = &counts[i];
	return 0;
}

void agent_counts_destroy(struct pv_vm *vm)
{
	vm->hooks.release(vm->hooks.context, vm->agent_events.counts);
	vm->agent_events.counts = NULL;
}

/* The event's number, whatever the id says; NULL: there is none for it. */
static struct host_event **place_of(const struct pv_vcpu *vcpu, const struct host_event *event)
{
	uint32_t number = (uint32_t)event->id - PV_AGENT_FIRST_ID - vcpu->index * PV_AGENT_MAX_EVENTS;

	if (!event->agent || !vcpu->agent_counts || number >= PV_AGENT_MAX_EVENTS)
		return NULL;
	return &vcpu->agent_counts->event[number];
}

void agent_counts_attach(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct host_event **place = place_of(vcpu, event);

	if (place)
		*place = event;
}

void agent_counts_detach(struct pv_vcpu *vcpu, const struct host_event *event)
{
	struct host_event **place = place_of(vcpu, event);

	if (place && *place == event)
		*place = NULL;
}

static struct pv_agent_count read_at(const struct pv_vcpu *vcpu, struct host_event *event, uint64_t now)
{
	struct pmu_value value = pmu_read_at(vcpu, event, now);

	return (struct pv_agent_count){
		.attached = 1, .value = deliver_value(event, &value), .times = pmu_times_at(event, now),
	};
}

static void read_all(struct pv_vcpu *vcpu)
{
	struct agent_counts *counts = vcpu->agent_counts;
	uint64_t now = pmu_now(vcpu), entered_at = pv_u64_load(&vcpu->vm->entered_at);

	counts->guest_ns = entered_at ? clock_host_ns() - entered_at : 0;
	for (int i = 0; i < PV_AGENT_MAX_EVENTS; i++) {
		struct host_event *event = counts->event[i];

		counts->count[i] = event ? read_at(vcpu, event, now) : (struct pv_agent_count){ .attached = 0 };
	}
	counts->wanted = false;
	counts->ready = true;
}

bool agent_counts_take(struct pv_vcpu *vcpu)
{
	if (!vcpu->agent_counts || !vcpu->agent_counts->wanted)
		return false;
	read_all(vcpu);
	return true;
}

/* A vCPU that is halted does not come out: it is in host mode already. */
int agent_counts_read(struct pv_vcpu *vcpu, struct pv_agent_count *ret, uint64_t *guest_ns)
{
	struct agent_counts *counts = vcpu->agent_counts;
	bool ring = false;
	int had;

	pv_mutex_lock(&vcpu->event_mutex);
	if (!counts->ready && vcpu->mode == VCPU_HOST)
		read_all(vcpu);
	had = counts->ready;
	if (had) {
		memcpy(ret, counts->count, sizeof(counts->count));
		*guest_ns = counts->guest_ns;
	} else {
		ring = !counts->wanted;
	}
	counts->wanted = !had;
	counts->ready = false;
	pv_mutex_unlock(&vcpu->event_mutex);
	if (ring)
		vcpu_ring(vcpu);
	return had;
}
