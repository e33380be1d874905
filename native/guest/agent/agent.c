/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens and enables the events of `stat` on this vCPU, and disables and closes them: see agent.h. */
#include "agent.h"

_Noreturn void agent_start(uint32_t vcpu, const struct pv_agent_config *config);
_Noreturn void agent_finish(uint32_t vcpu, const struct pv_agent_config *config);

static int64_t hypercall(uint64_t number, uint64_t b, uint64_t c, uint64_t d)
{
	__asm__ volatile("vmcall" : "+a"(number) : "b"(b), "c"(c), "d"(d) : "memory");
	return (int64_t)number;
}

static int32_t perf_op(uint64_t op, int32_t id)
{
	return (int32_t)hypercall(KVM_PERF_OP, op, (uint32_t)id, 0);
}

/* The host does not come back from this. */
static _Noreturn void done(uint64_t what)
{
	for (;;)
		hypercall(PV_HC_AGENT_DONE, what, 0, 0);
}

static struct pv_agent_slot *slots_of(uint32_t vcpu, const struct pv_agent_config *config)
{
	return (struct pv_agent_slot *)config->slots + (uint64_t)vcpu * config->events;
}

static void slot_open(struct pv_agent_slot *slot, const struct kvm_pv_perf_attr *attr, int32_t id)
{
	gpa_t param = (gpa_t)&slot->param;

	slot->param.attr_addr = (gpa_t)attr;
	slot->param.guest_event_addr = (gpa_t)&slot->event;
	slot->param.id = id;
	slot->opened = (int32_t)hypercall(KVM_PERF_OP, KVM_PV_PERF_OP_OPEN, (uint32_t)param, param >> 32);
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
						     perf_op(KVM_PV_PERF_OP_ENABLE, slots[i].param.id);
	done(PV_AGENT_STARTED);
}

/* An event that could not be opened gives that error here too, and is not touched. */
_Noreturn void agent_finish(uint32_t vcpu, const struct pv_agent_config *config)
{
	struct pv_agent_slot *slots = slots_of(vcpu, config);

	for (uint32_t i = 0; i < config->events; i++)
		slots[i].disabled = slots[i].opened ? slots[i].opened :
						      perf_op(KVM_PV_PERF_OP_DISABLE, slots[i].param.id);
	for (uint32_t i = 0; i < config->events; i++)
		slots[i].closed = slots[i].opened ? slots[i].opened :
						    perf_op(KVM_PV_PERF_OP_CLOSE, slots[i].param.id);
	done(PV_AGENT_FINISHED);
}
