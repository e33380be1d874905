/* SPDX-License-Identifier: GPL-2.0-only */
/* A hash table of events by id, and the count of open events that all tables of the guest share. */
#ifndef PV_TABLE_H
#define PV_TABLE_H

#include "core/host/policy.h"
#include "core/locks/pv_sync.h"

/* Of one VM: those of the guest, or of the agent. The limit is exact, whoever asks at the same time. */
struct open_events {
	uint32_t limit;
	pv_u32 open, peak;
	pv_u64 opened;
};

/* One more, unless the limit is reached: then false. */
bool open_events_reserve(struct open_events *events);
/* One more, whatever the limit says. */
void open_events_count(struct open_events *events);
void open_events_release(struct open_events *events);
void open_events_figures(const struct open_events *events, struct table_figures *ret);

struct event_table {
	struct pv_spinlock lock;
	uint32_t buckets;
	uint64_t secret; /* so that a guest cannot choose ids that share a bucket */
	/* lock held: */
	struct host_event *bucket[];
};

/* The bucket of an id. */
uint32_t table_index(const struct event_table *table, int32_t id);
/* NULL: no memory. */
struct event_table *table_create(struct pv_vm *vm, uint32_t buckets);
void table_destroy(struct pv_vm *vm, struct event_table *table);
/* 0, -PV_EEXIST or -PV_ENOSPC. */
int table_insert(struct event_table *table, struct open_events *events, struct host_event *event);
/* The event, with one more reference of the design's kind, or NULL. */
struct host_event *table_get(struct event_table *table, const struct pv_design *design, int32_t id);
/* The event, which is in the table no more, or NULL. */
struct host_event *table_remove(struct event_table *table, struct open_events *events, int32_t id);

#endif
