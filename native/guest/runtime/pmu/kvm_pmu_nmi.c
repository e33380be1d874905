/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

struct kvm_pmu_slot {
	struct kvm_pmu_event *event; /* NULL: free */
	struct table *table;         /* whose it is */
};

static struct kvm_pmu_slot few[GUEST_MAX_VCPUS][KVM_PMU_SLOTS];

static struct table {
	struct kvm_pmu_slot *slots; /* NULL: none yet */
	unsigned room;
	unsigned used; /* no slot from here on was ever taken */
	uint64_t walks; /* begun and ended: odd while the handler goes through the slots */
	struct kvm_pmu_nmi_counts counts;
} __attribute__((aligned(64))) tables[GUEST_MAX_VCPUS];

static void have_room(struct kvm_pmu_slot *slots, unsigned room)
{
	struct table *here = &tables[cpu_index()];

	for (unsigned i = 0; i < room; i++)
		slots[i].table = here;
	here->room = room;
	here->slots = slots;
}

void kvm_pmu_nmi_room(unsigned room)
{
	have_room(memory_need(room * sizeof(struct kvm_pmu_slot), 64), room);
}

struct kvm_pmu_slot *kvm_pmu_slot_here(struct kvm_pmu_event *event)
{
	struct table *here = &tables[cpu_index()];

	if (!here->slots)
		have_room(few[cpu_index()], KVM_PMU_SLOTS);
	if (event->slot && event->slot->table == here)
		return event->slot;
	for (unsigned i = 0; i < here->room; i++) {
		struct kvm_pmu_event *none = NULL;

		if (!atomic_compare_exchange(&here->slots[i].event, &none, event))
			continue;
		if (i >= here->used)
			atomic_store(&here->used, i + 1);
		return &here->slots[i];
	}
	return NULL;
}

/* The slot is emptied before `walks` is looked at, and a walk begins before it looks at the slot:
 * so a walk that is still at the event is seen here. On its own vCPU, it is below us on the stack. */
void kvm_pmu_slot_empty(struct kvm_pmu_slot *slot)
{
	struct table *table;
	uint64_t walk;

	if (!slot)
		return;
	table = slot->table;
	atomic_store(&slot->event, NULL);
	if (table == &tables[cpu_index()])
		return;
	walk = atomic_load(&table->walks);
	while (walk % 2 && atomic_load(&table->walks) == walk)
		cpu_relax();
}

void kvm_pmu_slot_leave(struct kvm_pmu_event *event)
{
	struct kvm_pmu_slot *slot = event->slot;

	event->slot = NULL;
	kvm_pmu_slot_empty(slot);
}

/* How many there were. The event may be gone when its function returns. */
static uint32_t event_take(struct kvm_pmu_event *event, struct exception_frame *frame)
{
	uint32_t n = (uint32_t)atomic_exchange(&event->shared.overflows, 0);

	if (!n)
		return 0;
	atomic_fetch_add(&event->taken, n);
	if (event->overflow)
		event->overflow(event, n, frame);
	return n;
}

void kvm_pmu_nmi(struct exception_frame *frame)
{
	struct table *here = &tables[cpu_index()];
	struct kvm_pmu_nmi_counts counts = here->counts;
	uint64_t before = counts.overflows;

	atomic_store(&here->walks, here->walks + 1);
	for (unsigned i = 0; i < here->used; i++) {
		struct kvm_pmu_event *event = atomic_load(&here->slots[i].event);
		uint32_t n = event ? event_take(event, frame) : 0;

		counts.overflows += n;
		counts.most = n > counts.most ? n : counts.most;
	}
	counts.nmis++;
	counts.empty += counts.overflows == before;
	here->counts = counts;
	atomic_store(&here->walks, here->walks + 1);
}

void kvm_pmu_nmi_start(void)
{
	exception_set(VECTOR_NMI, kvm_pmu_nmi);
}

struct kvm_pmu_nmi_counts kvm_pmu_nmi_counts(unsigned vcpu)
{
	return tables[vcpu].counts;
}
