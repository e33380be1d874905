/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's events and the agent's have nothing to do with each other: neither finds the other's, the same id may be
 * open in both, and each may have as many open as the VM's limit says.
 */
#ifndef PV_OWNER_H
#define PV_OWNER_H

#include "core/events/closed_times.h"
#include "core/events/table.h"

struct agent_counts;

struct agent_events {
	struct event_table *table; /* NULL: there is no agent */
	struct open_events open;
	struct closed_times closed;
	struct agent_counts *counts; /* by vCPU */
};

int agent_events_create(struct pv_vm *vm);
void agent_events_destroy(struct pv_vm *vm);

/* As the design's insert(), get() and remove(), of the events of who runs on this vCPU. */
int owner_insert(struct pv_vcpu *vcpu, struct host_event *event);
struct host_event *owner_get(struct pv_vcpu *vcpu, int32_t id);
struct host_event *owner_remove(struct pv_vcpu *vcpu, int32_t id);
/* The memory that may be read and written for them. */
const struct guest_mem *owner_mem(const struct pv_vm *vm, bool agent);
/* The times of those that are closed. */
struct closed_times *owner_closed(struct pv_vm *vm, bool agent);

#endif
