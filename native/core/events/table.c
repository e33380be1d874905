/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/events/table.h"

#include <stddef.h>

#include "core/host/host.h"

static void note_opened(struct open_events *events, uint32_t open)
{
	uint32_t peak;

	do {
		peak = pv_u32_load(&events->peak);
	} while (peak < open && !pv_u32_replace(&events->peak, peak, open));
	pv_u64_add(&events->opened, 1);
}

bool open_events_reserve(struct open_events *events)
{
	uint32_t open;

	do {
		open = pv_u32_load(&events->open);
		if (open >= events->limit + PV_CANARY(limit_off_by_one))
			return false;
		if (PV_CANARY(limit_read_then_counted)) {
			pv_u32_add(&events->open, 1);
			break;
		}
	} while (!pv_u32_replace(&events->open, open, open + 1));
	note_opened(events, open + 1);
	return true;
}

void open_events_count(struct open_events *events)
{
	note_opened(events, pv_u32_add(&events->open, 1));
}

void open_events_release(struct open_events *events)
{
	pv_u32_sub(&events->open, 1);
}

void open_events_figures(const struct open_events *events, struct table_figures *ret)
{
	*ret = (struct table_figures){
		.open = pv_u32_load(&events->open),
		.open_peak = pv_u32_load(&events->peak),
		.opened = pv_u64_load(&events->opened),
	};
}

struct event_table *table_create(struct pv_vm *vm, uint32_t buckets)
{
	size_t size = sizeof(struct event_table) + buckets * sizeof(struct host_event *);
	struct event_table *table = vm->hooks.alloc(vm->hooks.context, size);

	if (!table)
		return NULL;
	pv_spinlock_init(&table->lock, "the event table's lock");
	table->buckets = buckets;
	table->secret = vm->secret;
	return table;
}

void table_destroy(struct pv_vm *vm, struct event_table *table)
{
	vm->hooks.release(vm->hooks.context, table);
}

/* A bijection of 64 bits, whose every bit depends on every bit of id and secret. */
uint32_t table_index(const struct event_table *table, int32_t id)
{
	uint64_t x = table->secret ^ (uint32_t)id;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	x = (x ^ x >> 31) + table->secret;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	return (uint32_t)((x >> 32) * table->buckets >> 32);
}

/* The link that points to the event with this id, or the NULL at the end of its bucket. */
static struct host_event **find_link(struct event_table *table, int32_t id)
{
	struct host_event **link = &table->bucket[table_index(table, id)];

	while (*link && (*link)->id != id)
		link = &(*link)->bucket_next;
	return link;
}

int table_insert(struct event_table *table, struct open_events *events, struct host_event *event)
{
	struct host_event **link;
	int ret = 0;

	pv_spin_lock(&table->lock);
	link = find_link(table, event->id);
	if (*link)
		ret = -PV_EEXIST;
	else if (!open_events_reserve(events))
		ret = -PV_ENOSPC;
	else {
		if (PV_CANARY(lock_let_go_before_insertion))
			pv_spin_let_go(&table->lock);
		event->bucket_next = *link;
		*link = event;
	}
	pv_spin_unlock(&table->lock);
	return ret;
}

struct host_event *table_get(struct event_table *table, const struct pv_design *design, int32_t id)
{
	struct host_event *event;

	pv_spin_lock(&table->lock);
	event = *find_link(table, id);
	if (PV_CANARY(lock_let_go_before_reference))
		pv_spin_let_go(&table->lock);
	if (event && !PV_CANARY(found_without_reference))
		design->hold(event);
	pv_spin_unlock(&table->lock);
	return event;
}

struct host_event *table_remove(struct event_table *table, struct open_events *events, int32_t id)
{
	struct host_event **link, *event;

	pv_spin_lock(&table->lock);
	link = find_link(table, id);
	event = *link;
	if (event) {
		*link = event->bucket_next;
		if (!PV_CANARY(slot_not_returned))
			open_events_release(events);
	}
	pv_spin_unlock(&table->lock);
	return event;
}
