/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Design "per-vm": one hash table for the VM, so that an event follows a guest task
 * from vCPU to vCPU (the mail's scenario 1), and a reference for whoever works on an
 * event, so that a close meanwhile cannot free it (scenario 2). The spinlock is held
 * to find and reference, to insert, and to remove; never across an operation.
 */
#include "core/designs/design_per_vm.h"

#include <errno.h>

#include "core/designs/find.h"
#include "core/exits/perf_op.h"
#include "core/host/host.h"
#include "core/overflow/delivery.h"

int per_vm_create(struct pv_vm *vm)
{
	vm->table = table_create(vm, vm->config.hash_buckets);
	return vm->table ? 0 : -ENOMEM;
}

void per_vm_destroy(struct pv_vm *vm)
{
	table_destroy(vm, vm->table);
}

void per_vm_figures(struct pv_vm *vm, struct table_figures *ret)
{
	open_events_figures(&vm->open_events, ret);
}

int per_vm_insert(struct pv_vm *vm, struct pv_vcpu *vcpu, struct host_event *event)
{
	(void)vcpu;
	return table_insert(vm->table, &vm->open_events, event);
}

struct host_event *per_vm_get(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id)
{
	(void)vcpu;
	return table_get(vm->table, vm->design, id);
}

struct host_event *per_vm_remove(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id)
{
	(void)vcpu;
	return table_remove(vm->table, &vm->open_events, id);
}

struct pv_vcpu *per_vm_place(struct pv_vcpu *vcpu, struct host_event *event)
{
	(void)event;
	return vcpu;
}

const struct pv_design design_per_vm = {
	.name = "per-vm",
	.abi_version = KVM_PV_PERF_ABI_VERSION,
	.create = per_vm_create,
	.destroy = per_vm_destroy,
	.figures = per_vm_figures,
	.open = event_open,
	.open2 = event_open2,
	.insert = per_vm_insert,
	.get = per_vm_get,
	.remove = per_vm_remove,
	.release = event_put,
	.hold = event_get,
	.put = event_put,
	.place = per_vm_place,
	.queue = queue_add,
	.deliver = deliver_overflows,
	.finish = deliver_overflows,
};
