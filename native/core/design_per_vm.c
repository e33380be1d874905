/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Design "per-vm": one hash table for the VM, so that an event follows a guest task
 * from vCPU to vCPU (the mail's scenario 1), and a reference for whoever works on an
 * event, so that a close meanwhile cannot free it (scenario 2). The spinlock is held
 * to find and reference, to insert, and to remove; never across an operation.
 */
#include <errno.h>
#include <stddef.h>

#include "host.h"

struct pv_table {
	struct pv_spinlock lock;
	uint32_t buckets;
	uint32_t limit;
	/* lock held: */
	struct table_figures figures;
	struct host_event *bucket[];
};

static int per_vm_create(struct pv_vm *vm)
{
	uint32_t buckets = vm->config.hash_buckets;
	size_t size = sizeof(struct pv_table) + buckets * sizeof(struct host_event *);
	struct pv_table *table = vm->hooks.alloc(vm->hooks.context, size);

	if (!table)
		return -ENOMEM;
	pv_spinlock_init(&table->lock, "the event table's lock");
	table->buckets = buckets;
	table->limit = vm->config.max_events;
	vm->table = table;
	return 0;
}

static void per_vm_destroy(struct pv_vm *vm)
{
	vm->hooks.release(vm->hooks.context, vm->table);
	vm->table = NULL;
}

/* The link that points to the event with this id, or the NULL at the end of its bucket. */
static struct host_event **find_link(struct pv_table *table, int32_t id)
{
	struct host_event **link = &table->bucket[(uint32_t)id % table->buckets];

	while (*link && (*link)->id != id)
		link = &(*link)->bucket_next;
	return link;
}

static int insert_locked(struct pv_table *table, struct host_event *event)
{
	struct host_event **link = find_link(table, event->id);

	if (*link)
		return -PV_EEXIST;
	if (table->figures.open >= table->limit + PV_CANARY(limit_off_by_one))
		return -PV_ENOSPC;
	if (PV_CANARY(lock_let_go_before_insertion))
		pv_spin_let_go(&table->lock);
	*link = event;
	table->figures.opened++;
	if (++table->figures.open > table->figures.open_peak)
		table->figures.open_peak = table->figures.open;
	return 0;
}

static int per_vm_insert(struct pv_vm *vm, struct pv_vcpu *vcpu, struct host_event *event)
{
	int ret;

	(void)vcpu;
	pv_spin_lock(&vm->table->lock);
	ret = insert_locked(vm->table, event);
	pv_spin_unlock(&vm->table->lock);
	return ret;
}

static struct host_event *per_vm_get(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id)
{
	struct host_event *event;

	(void)vcpu;
	pv_spin_lock(&vm->table->lock);
	event = *find_link(vm->table, id);
	if (PV_CANARY(lock_let_go_before_reference))
		pv_spin_let_go(&vm->table->lock);
	if (event && !PV_CANARY(found_without_reference))
		event_get(event);
	pv_spin_unlock(&vm->table->lock);
	return event;
}

static struct host_event *per_vm_remove(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id)
{
	struct host_event **link, *event;

	(void)vcpu;
	pv_spin_lock(&vm->table->lock);
	link = find_link(vm->table, id);
	event = *link;
	if (event) {
		*link = event->bucket_next;
		vm->table->figures.open -= !PV_CANARY(slot_not_returned);
	}
	pv_spin_unlock(&vm->table->lock);
	return event;
}

static void per_vm_figures(struct pv_vm *vm, struct table_figures *ret)
{
	pv_spin_lock(&vm->table->lock);
	*ret = vm->table->figures;
	pv_spin_unlock(&vm->table->lock);
}

const struct pv_design design_per_vm = {
	.name = "per-vm",
	.create = per_vm_create,
	.destroy = per_vm_destroy,
	.insert = per_vm_insert,
	.get = per_vm_get,
	.put = event_put,
	.remove = per_vm_remove,
	.figures = per_vm_figures,
};
