/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Design "per-vcpu": what the reviewer asked for. An event belongs to the vCPU that opened
 * it; no other one finds it, so that nobody can close on one vCPU what is enabled on another,
 * and a task's events cannot follow it. The limit is the VM's all the same.
 */
#include <errno.h>
#include <stddef.h>

#include "core/designs/design_per_vm.h"
#include "core/designs/find.h"
#include "core/exits/perf_op.h"
#include "core/host/host.h"
#include "core/overflow/delivery.h"

static void per_vcpu_destroy(struct pv_vm *vm)
{
	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		table_destroy(vm, vm->vcpus[i].table);
		vm->vcpus[i].table = NULL;
	}
}

static int per_vcpu_create(struct pv_vm *vm)
{
	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		vm->vcpus[i].table = table_create(vm, vm->config.hash_buckets);
		if (!vm->vcpus[i].table)
			return -ENOMEM;
	}
	return 0;
}

static int per_vcpu_insert(struct pv_vm *vm, struct pv_vcpu *vcpu, struct host_event *event)
{
	return table_insert(vcpu->table, &vm->open_events, event);
}

/* The host itself asks all of them, in order. */
static struct host_event *per_vcpu_get(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id)
{
	struct host_event *event = NULL;

	if (vcpu)
		return table_get(vcpu->table, vm->design, id);
	for (uint32_t i = 0; i < vm->config.vcpus && !event; i++)
		event = table_get(vm->vcpus[i].table, vm->design, id);
	return event;
}

static struct host_event *per_vcpu_remove(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id)
{
	return table_remove(vcpu->table, &vm->open_events, id);
}

const struct pv_design design_per_vcpu = {
	.name = "per-vcpu",
	.abi_version = KVM_PV_PERF_ABI_VERSION,
	.create = per_vcpu_create,
	.destroy = per_vcpu_destroy,
	.figures = per_vm_figures,
	.open = event_open,
	.open2 = event_open2,
	.insert = per_vcpu_insert,
	.get = per_vcpu_get,
	.remove = per_vcpu_remove,
	.release = event_put,
	.hold = event_get,
	.put = event_put,
	.place = per_vm_place,
	.queue = queue_add,
	.deliver = deliver_overflows,
	.finish = deliver_overflows,
};
