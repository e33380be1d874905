/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens and enables the events of `stat` and `record` on this vCPU, and disables and closes them: see agent.h. */
#include "agent.h"

#include "atomic.h"
#include "pmu/hypercall.h"
#include "slots.h"

_Noreturn void agent_start(uint32_t vcpu, const struct pv_agent_config *config);
_Noreturn void agent_finish(uint32_t vcpu, const struct pv_agent_config *config);

/* The host does not come back from this. */
static _Noreturn void done(uint64_t what)
{
	for (;;)
		hypercall(PV_HC_AGENT_DONE, what, 0, 0);
}

static int64_t open_alone(struct pv_agent_slot *slot, const struct kvm_pv_perf_attr *attr)
{
	struct kvm_pv_perf_event_param param = {
		.attr_addr = (gpa_t)attr,
		.guest_event_addr = (gpa_t)&slot->event,
		.id = slot->id,
	};

	return perf_open((gpa_t)&param);
}

static int64_t open_sibling(struct pv_agent_slot *slot, const struct kvm_pv_perf_attr *attr, int32_t leader)
{
	struct kvm_pv_perf_event_param2 param = {
		.attr_addr = (gpa_t)attr,
		.guest_event_addr = (gpa_t)&slot->event,
		.guest_event_bytes = sizeof(slot->event),
		.id = slot->id,
		.group = leader,
	};

	return perf_open2((gpa_t)&param);
}

/* A leader needs no OPEN2, which not every design has. Where it failed its siblings are not tried. */
static int32_t slot_open(struct pv_agent_slot *slot, const struct kvm_pv_perf_attr *attr,
			 const struct pv_agent_slot *leader)
{
	slot->counted = 0;
	slot->taken = 0;
	slot->left = 0;
	slot->samples = 0;
	if (slot == leader)
		return (int32_t)open_alone(slot, attr);
	return leader->opened ? leader->opened : (int32_t)open_sibling(slot, attr, leader->id);
}

/* The first error of opening a member of that leader's group. */
static int32_t group_error(const struct pv_agent_slot *slots, const struct pv_agent_config *config, uint32_t leader)
{
	for (uint32_t i = leader; i < config->events && (i == leader || config->leader[i] == leader); i++)
		if (slots[i].opened)
			return slots[i].opened;
	return 0;
}

/* A sibling comes and goes with its leader, which is in front of it. */
static int32_t slot_enable(const struct pv_agent_slot *slots, const struct pv_agent_config *config, uint32_t i)
{
	uint32_t leader = config->leader[i];
	int32_t error;

	if (leader != i)
		return slots[leader].enabled;
	error = group_error(slots, config, i);
	return error ? error : (int32_t)perf_op(KVM_PV_PERF_OP_ENABLE, slots[i].id);
}

static int32_t slot_disable(const struct pv_agent_slot *slots, const struct pv_agent_config *config, uint32_t i)
{
	uint32_t leader = config->leader[i];

	if (slots[i].opened)
		return slots[i].opened;
	return leader == i ? (int32_t)perf_op(KVM_PV_PERF_OP_DISABLE, slots[i].id) : slots[leader].disabled;
}

/* What overflowed and found no NMI any more. The event is disabled: nothing is added behind us. */
static void slot_take_left(struct pv_agent_slot *slot)
{
	uint32_t n = (uint32_t)atomic_exchange(&slot->event.overflows, 0);

	slot->taken += n;
	slot->left += n;
}

/* All are opened before the first is enabled. */
_Noreturn void agent_start(uint32_t vcpu, const struct pv_agent_config *config)
{
	struct pv_agent_slot *slots = slots_of(vcpu, config);
	int32_t first = PV_AGENT_FIRST_ID + (int32_t)vcpu * PV_AGENT_MAX_EVENTS;

	for (uint32_t i = 0; i < config->events; i++) {
		slots[i].id = first + (int32_t)i;
		slots[i].opened = slot_open(&slots[i], &config->attr[i], &slots[config->leader[i]]);
	}
	for (uint32_t i = 0; i < config->events; i++)
		slots[i].enabled = slot_enable(slots, config, i);
	done(PV_AGENT_STARTED);
}

/* An event that could not be opened gives that error here too, and is not touched. */
_Noreturn void agent_finish(uint32_t vcpu, const struct pv_agent_config *config)
{
	struct pv_agent_slot *slots = slots_of(vcpu, config);

	for (uint32_t i = 0; i < config->events; i++)
		slots[i].disabled = slot_disable(slots, config, i);
	for (uint32_t i = 0; i < config->events; i++)
		if (!slots[i].disabled)
			slot_take_left(&slots[i]);
	for (uint32_t i = config->events; i-- > 0;) /* siblings first: a design may have the leader's lock go with it */
		slots[i].closed = slots[i].opened ? slots[i].opened :
						    (int32_t)perf_op(KVM_PV_PERF_OP_CLOSE, slots[i].id);
	done(PV_AGENT_FINISHED);
}
