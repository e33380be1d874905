/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/events/closed_times.h"

#include <errno.h>

#include "core/host/host.h"

int closed_times_create(struct pv_vm *vm, struct closed_times *closed, uint32_t capacity)
{
	pv_spinlock_init(&closed->lock, "the times of closed events");
	closed->capacity = capacity;
	closed->entries = vm->hooks.alloc(vm->hooks.context, capacity * sizeof(*closed->entries));
	return closed->entries ? 0 : -ENOMEM;
}

void closed_times_destroy(struct pv_vm *vm, struct closed_times *closed)
{
	vm->hooks.release(vm->hooks.context, closed->entries);
	closed->entries = NULL;
}

void closed_times_note(struct closed_times *closed, int32_t id, const struct pv_event_times *times)
{
	pv_spin_lock(&closed->lock);
	closed->entries[closed->noted++ % closed->capacity] =
		(struct closed_entry){ .id = id, .times = *times };
	pv_spin_unlock(&closed->lock);
}

static const struct closed_entry *newest(const struct closed_times *closed, int32_t id)
{
	uint64_t n = closed->noted < closed->capacity ? closed->noted : closed->capacity;

	for (uint64_t i = 1; i <= n; i++) {
		const struct closed_entry *entry =
			&closed->entries[(closed->noted - i) % closed->capacity];

		if (entry->id == id)
			return entry;
	}
	return NULL;
}

int closed_times_find(struct closed_times *closed, int32_t id, struct pv_event_times *ret)
{
	const struct closed_entry *entry;
	int result = -ENOENT;

	pv_spin_lock(&closed->lock);
	entry = newest(closed, id);
	if (entry) {
		*ret = entry->times;
		result = 0;
	}
	pv_spin_unlock(&closed->lock);
	return result;
}
