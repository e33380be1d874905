/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose an event is: the guest's, as the design keeps them, or the agent's, in a table of the VM's. */
#include "core/events/owner.h"

#include <errno.h>

#include "abi/agent.h"
#include "core/host/host.h"

int agent_events_create(struct pv_vm *vm)
{
	struct agent_events *agent = &vm->agent_events;
	const uint32_t most = vm->config.vcpus * PV_AGENT_MAX_EVENTS;

	if (!vm->config.agent_start.rip)
		return 0;
	agent->open.limit = vm->config.max_events;
	agent->table = table_create(vm, most);
	return agent->table ? closed_times_create(vm, &agent->closed, most) : -ENOMEM;
}

void agent_events_destroy(struct pv_vm *vm)
{
	table_destroy(vm, vm->agent_events.table);
	closed_times_destroy(vm, &vm->agent_events.closed);
}

int owner_insert(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pv_vm *vm = vcpu->vm;

	if (event->agent)
		return table_insert(vm->agent_events.table, &vm->agent_events.open, event);
	return vm->design->insert(vm, vcpu, event);
}

struct host_event *owner_get(struct pv_vcpu *vcpu, int32_t id)
{
	struct pv_vm *vm = vcpu->vm;

	if (vcpu_in_agent(vcpu))
		return table_get(vm->agent_events.table, vm->design, id);
	return vm->design->get(vm, vcpu, id);
}

struct host_event *owner_remove(struct pv_vcpu *vcpu, int32_t id)
{
	struct pv_vm *vm = vcpu->vm;

	if (vcpu_in_agent(vcpu))
		return table_remove(vm->agent_events.table, &vm->agent_events.open, id);
	return vm->design->remove(vm, vcpu, id);
}

const struct guest_mem *owner_mem(const struct pv_vm *vm, bool agent)
{
	return agent ? &vm->agent_mem : &vm->mem;
}

struct closed_times *owner_closed(struct pv_vm *vm, bool agent)
{
	return agent ? &vm->agent_events.closed : &vm->closed;
}
