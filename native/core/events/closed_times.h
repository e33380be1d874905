/* SPDX-License-Identifier: GPL-2.0-only */
/* The times of the events that the guest, or the agent, closed last: a ring, so that a guest cannot make it grow. */
#ifndef PV_CLOSED_TIMES_H
#define PV_CLOSED_TIMES_H

#include "core/locks/pv_sync.h"
#include "core/vm/vm.h"

struct closed_entry {
	int32_t id;
	struct pv_event_times times;
};

struct closed_times {
	struct pv_spinlock lock;
	uint32_t capacity;
	/* lock held: */
	uint64_t noted; /* entries ever; the next goes to noted % capacity */
	struct closed_entry *entries;
};

int closed_times_create(struct pv_vm *vm, struct closed_times *closed, uint32_t capacity);
void closed_times_destroy(struct pv_vm *vm, struct closed_times *closed);
void closed_times_note(struct closed_times *closed, int32_t id, const struct pv_event_times *times);
/* 0 and the newest times under this id, or -ENOENT. */
int closed_times_find(struct closed_times *closed, int32_t id, struct pv_event_times *ret);

#endif
