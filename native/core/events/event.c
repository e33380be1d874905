/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/events/event.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/host/host.h"
#include "core/host/spacing.h"

/* A freed event is filled with the poison, so that who still uses it is found out. */
static const uint64_t magic_live = 0x746e657665565045;  /* "EPVevent" */
static const uint64_t magic_freed = 0x6465657266565045; /* "EPVfreed" */

void event_set_init(struct event_set *set)
{
	pv_spinlock_init(&set->lock, "the set of host events");
	set->newest = NULL;
	set->allocated = 0;
	memset(set->quarantine, 0, sizeof(set->quarantine));
}

uint64_t event_set_count(struct event_set *set)
{
	uint64_t count;

	pv_spin_lock(&set->lock);
	count = set->allocated;
	pv_spin_unlock(&set->lock);
	return count;
}

uint64_t event_set_shadow(struct event_set *set)
{
	uint64_t sum = 0;

	pv_spin_lock(&set->lock);
	for (const struct host_event *event = set->newest; event; event = event->older)
		sum += pv_u64_load(&event->shadow.overflows);
	pv_spin_unlock(&set->lock);
	return sum;
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

/* The poison stays clear of what says who freed it. */
static void poison(struct host_event *event)
{
	const struct pv_thread *self = pv_self();
	struct pv_vm *vm = event->vm;
	int32_t id = event->id;

	memset(event, EVENT_POISON, sizeof(*event));
	event->magic = magic_freed;
	event->vm = vm;
	event->id = id;
	event->locked_by = event; /* for who is about to lock it */
	snprintf(event->freed_by, sizeof(event->freed_by), "%s", self->name);
	event->freed_in = self->doing;
}

/* Takes it into quarantine; the one that has been there longest goes for good. */
static void set_quarantine(struct event_set *set, struct pv_vm *vm, struct host_event *event)
{
	struct host_event **place, *oldest;

	pv_spin_lock(&set->lock);
	place = &set->quarantine[set->freed++ % EVENT_QUARANTINE];
	oldest = *place;
	*place = event;
	pv_spin_unlock(&set->lock);
	vm->hooks.release(vm->hooks.context, oldest);
}

void event_set_destroy(struct pv_vm *vm)
{
	struct host_event *event = vm->events.newest, *older;

	for (; event; event = older) {
		older = event->older;
		vm->hooks.release(vm->hooks.context, event);
	}
	for (int i = 0; i < EVENT_QUARANTINE; i++)
		vm->hooks.release(vm->hooks.context, vm->events.quarantine[i]);
	event_set_init(&vm->events);
}

static const char *operation(const char *doing)
{
	return doing ? doing : "no operation";
}

void event_check_live(const struct host_event *event, const char *doing)
{
	const struct pv_thread *self = pv_self();

	if (event->magic == magic_live)
		return;
	if (event->magic == magic_freed)
		pv_panic("%s in %s %s event %d after %s in %s freed it", self->name,
			 operation(self->doing), doing, event->id, event->freed_by,
			 operation(event->freed_in));
	pv_panic("%s in %s %s what is no host event (magic %#llx)", self->name,
		 operation(self->doing), doing, (unsigned long long)event->magic);
}

struct host_event *event_create(struct pv_vm *vm, int32_t id, gpa_t guest_addr,
				const struct event_source *source)
{
	struct host_event *event = fault_alloc(vm, sizeof(*event));

	if (!event)
		return NULL;
	event->magic = magic_live;
	pv_u32_store(&event->references, 1);
	event->id = id;
	event->vm = vm;
	event->guest_addr = guest_addr;
	event->source = *source;
	event->locked_by = event->leader = event->last = event;
	event->members = 1;
	event->counters = source->kind == SOURCE_COUNTER;
	event->breakpoints = source->kind == SOURCE_BREAKPOINT;
	period_init(&event->overflow, source,
		      vm->config.poisson ? spacing_seed(vm->config.seed, (uint32_t)id) : 0);
	pv_mutex_init(&event->lock, PV_RANK_EVENT, "an event's lock");
	set_add(&vm->events, event);
	return event;
}

void event_get(struct host_event *event)
{
	event_check_live(event, "takes");
	if (pv_u32_add(&event->references, 1) == 1)
		pv_panic("%s takes event %d, which nobody references", pv_self()->name, event->id);
}

void event_put(struct host_event *event)
{
	uint32_t left;

	event_check_live(event, "drops");
	left = pv_u32_sub(&event->references, 1);
	if (left == UINT32_MAX)
		pv_panic("%s drops event %d once too often", pv_self()->name, event->id);
	if (left)
		return;
	if (event->vcpu || event->queued)
		pv_panic("%s frees event %d, which is %s a vCPU", pv_self()->name, event->id,
			 event->queued ? "queued on" : "attached to");
	event_free(event);
}

void event_free(struct host_event *event)
{
	struct pv_vm *vm = event->vm;

	pv_u64_add(&vm->ledger.dropped, pv_u64_exchange(&event->shadow.overflows, 0));
	pv_mutex_destroy(&event->lock);
	set_remove(&vm->events, event);
	if (event->locked_by != event)
		vm->design->put(event->locked_by);
	poison(event);
	set_quarantine(&vm->events, vm, event);
}
