/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens and enables the events of `stat` and `record` on this vCPU, and disables and closes them: see agent.h. */
#include "agent.h"

#include "atomic.h"
#include "hypercall.h"
#include "slots.h"

_Noreturn void agent_start(uint32_t vcpu, const struct pv_agent_config *config);
_Noreturn void agent_finish(uint32_t vcpu, const struct pv_agent_config *config);

/* The host does not come back from this. */
static _Noreturn void done(uint64_t what)
{
	for (;;)
		hypercall(PV_HC_AGENT_DONE, what, 0, 0);
}

static void slot_open(struct pv_agent_slot *slot, const struct kvm_pv_perf_attr *attr, int32_t id)
{
	slot->param.attr_addr = (gpa_t)attr;
	slot->param.guest_event_addr = (gpa_t)&slot->event;
	slot->param.id = id;
	slot->counted = 0;
	slot->taken = 0;
	slot->left = 0;
	slot->samples = 0;
	slot->opened = (int32_t)perf_open((gpa_t)&slot->param);
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

	for (uint32_t i = 0; i < config->events; i++)
		slot_open(&slots[i], &config->attr[i], first + (int32_t)i);
	for (uint32_t i = 0; i < config->events; i++)
		slots[i].enabled = slots[i].opened ? slots[i].opened :
						     (int32_t)perf_op(KVM_PV_PERF_OP_ENABLE, slots[i].param.id);
	done(PV_AGENT_STARTED);
}

/* An event that could not be opened gives that error here too, and is not touched. */
_Noreturn void agent_finish(uint32_t vcpu, const struct pv_agent_config *config)
{
	struct pv_agent_slot *slots = slots_of(vcpu, config);

	for (uint32_t i = 0; i < config->events; i++)
		slots[i].disabled = slots[i].opened ? slots[i].opened :
						      (int32_t)perf_op(KVM_PV_PERF_OP_DISABLE, slots[i].param.id);
	for (uint32_t i = 0; i < config->events; i++)
		if (!slots[i].disabled)
			slot_take_left(&slots[i]);
	for (uint32_t i = 0; i < config->events; i++)
		slots[i].closed = slots[i].opened ? slots[i].opened :
						    (int32_t)perf_op(KVM_PV_PERF_OP_CLOSE, slots[i].param.id);
	done(PV_AGENT_FINISHED);
}
