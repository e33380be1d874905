/* SPDX-License-Identifier: GPL-2.0-only */
#include "event.h"

#include <stddef.h>
#include <string.h>

#include "host.h"

/* A freed event is filled with the poison, so that who still uses it is found out. */
static const uint64_t magic_live = 0x746e657665565045; /* "EPVevent" */
enum { POISON = 0x6b };

void event_set_init(struct event_set *set)
{
	pv_spinlock_init(&set->lock, "the set of host events");
	set->newest = NULL;
	set->allocated = 0;
}

uint64_t event_set_count(struct event_set *set)
{
	uint64_t count;

	pv_spin_lock(&set->lock);
	count = set->allocated;
	pv_spin_unlock(&set->lock);
	return count;
}

static void set_add(struct event_set *set, struct host_event *event)
{
	pv_spin_lock(&set->lock);
	event->older = set->newest;
	if (set->newest)
		set->newest->newer = event;
	set->newest = event;
	set->allocated++;
	pv_spin_unlock(&set->lock);
}

static void set_remove(struct event_set *set, struct host_event *event)
{
	pv_spin_lock(&set->lock);
	if (event->newer)
		event->newer->older = event->older;
	else
		set->newest = event->older;
	if (event->older)
		event->older->newer = event->newer;
	set->allocated--;
	pv_spin_unlock(&set->lock);
}

static void poison_and_free(struct pv_vm *vm, struct host_event *event)
{
	memset(event, POISON, sizeof(*event));
	vm->hooks.release(vm->hooks.context, event);
}

void event_set_destroy(struct pv_vm *vm)
{
	struct host_event *event = vm->events.newest, *older;

	for (; event; event = older) {
		older = event->older;
		poison_and_free(vm, event);
	}
	event_set_init(&vm->events);
}

static void check_live(const struct host_event *event, const char *doing)
{
	if (event->magic != magic_live)
		pv_panic("%s %s a host event that was freed (magic %#llx)", pv_self()->name, doing,
			 (unsigned long long)event->magic);
}

struct host_event *event_create(struct pv_vm *vm, int32_t id, gpa_t guest_addr,
				const struct event_source *source)
{
	struct host_event *event = vm->hooks.alloc(vm->hooks.context, sizeof(*event));

	if (!event)
		return NULL;
	event->magic = magic_live;
	pv_u32_store(&event->references, 1);
	event->id = id;
	event->vm = vm;
	event->guest_addr = guest_addr;
	event->source = *source;
	pv_mutex_init(&event->lock, PV_RANK_EVENT, "an event's lock");
	set_add(&vm->events, event);
	return event;
}

void event_get(struct host_event *event)
{
	check_live(event, "takes");
	if (pv_u32_add(&event->references, 1) == 1)
		pv_panic("%s takes event %d, which nobody references", pv_self()->name, event->id);
}

void event_put(struct host_event *event)
{
	uint32_t left;

	check_live(event, "drops");
	left = pv_u32_sub(&event->references, 1);
	if (left == UINT32_MAX)
		pv_panic("%s drops event %d once too often", pv_self()->name, event->id);
	if (left)
		return;
	if (event->vcpu)
		pv_panic("%s frees event %d, which is attached to vCPU %u", pv_self()->name,
			 event->id, event->vcpu->index);
	pv_mutex_destroy(&event->lock);
	set_remove(&event->vm->events, event);
	poison_and_free(event->vm, event);
}
