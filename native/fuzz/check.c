/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz/check.h"

#include <stddef.h>

#include "core/overflow/delivery.h"
#include "fuzz/machine.h"
#include "fuzz/memory.h"
#include "fuzz/player.h"
#include "core/overflow/nmi.h"

typedef unsigned long long ull;

static bool chained(const struct event_table *table, const struct host_event *event)
{
	const struct host_event *at = table->bucket[table_index(table, event->id)];

	for (; at && at != event; at = at->bucket_next)
		event_check_live(at, "is looked for in the table");
	return at;
}

/* Under its id, in the table that it was inserted into. */
static bool is_open(const struct host_event *event)
{
	const struct event_table *agents = machine.vm->agent_events.table;
	bool found = (machine.vm->table && chained(machine.vm->table, event)) || (agents && chained(agents, event));

	for (uint32_t i = 0; i < machine.vcpus && !found; i++)
		found = machine.vm->vcpus[i].table && chained(machine.vm->vcpus[i].table, event);
	return found;
}

/* O2: the table, the PMU, the queue, the list of the deferred and each sibling's lock hold one each. */
static void check_references(const struct host_event *event)
{
	uint32_t holders = is_open(event) + (event->vcpu != NULL) + event->queued + event->deferred.v;

	for (const struct host_event *other = machine.vm->events.newest; other; other = other->older)
		holders += other != event && other->locked_by == event;
	if (!holders)
		fuzz_violation("O2 references: event %d is not open, and still in memory", event->id);
	if (machine.vm->design->hold == event_get && event->references.v != holders)
		fuzz_violation("O2 references: event %d has: %u; holders: %u", event->id, event->references.v,
			       holders);
}

/* O6: only a trylock that was lost for good, throttling or a word that is full leaves overflows that are in no list. */
static void check_stranded(const struct host_event *event)
{
	const struct overflow_ledger *ledger = &machine.vm->ledger;
	bool lost = machine.vm->nmi == &nmi_trylock && ledger->misses.v;
	bool excused = lost || ledger->throttled.v || model_excuses();

	if (!excused && event->vcpu && event->shadow.overflows.v && !event->queued && !event->deferred.v)
		fuzz_violation("O6 stranded: event %d has overflows that nothing will deliver: %llu", event->id,
			       (ull)event->shadow.overflows.v);
}

static void check_limit(void)
{
	struct table_figures figures;

	machine.vm->design->figures(machine.vm, &figures);
	if (figures.open != model_open(false) || figures.open_peak > machine.vm->config.max_events)
		fuzz_violation("O3 limit: events that count against the limit of %u: %llu, at most %llu; open: %u",
			       machine.vm->config.max_events, (ull)figures.open, (ull)figures.open_peak, model_open(false));
}

/* O5 */
static void check_ledger(void)
{
	const struct overflow_ledger *ledger = &machine.vm->ledger;
	uint64_t shadow = event_set_shadow(&machine.vm->events);
	uint64_t raised = ledger->raised.v, delivered = ledger->delivered.v, dropped = ledger->dropped.v;

	if (raised != delivered + shadow + dropped)
		fuzz_violation("O5 conservation: overflows raised: %llu; delivered: %llu, in shadows: %llu, dropped: %llu",
			       (ull)raised, (ull)delivered, (ull)shadow, (ull)dropped);
	if (machine.vm->design->deliver == deliver_overflows && delivered != memory_added())
		fuzz_violation("O5 conservation: overflows delivered: %llu; the guest got: %llu", (ull)delivered,
			       (ull)memory_added());
}

/* O1: a freed event is all poison behind what says who freed it. */
static void check_quarantine(void)
{
	for (unsigned i = 0; i < EVENT_QUARANTINE; i++) {
		const struct host_event *event = machine.vm->events.quarantine[i];
		size_t at = offsetof(struct host_event, bucket_next);

		for (; event && at < sizeof(*event); at++)
			if (((const uint8_t *)event)[at] != EVENT_POISON)
				fuzz_violation("O1 memory: event %d was written to after it was freed", event->id);
	}
}

void check_at_rest(void)
{
	if (machine.locks)
		fuzz_violation("O7 locks: %u are held, and nobody is in the host", machine.locks);
	model_settle();
	if (vm_phase(machine.vm) != PHASE_RUNNING)
		return;
	player_leave_alone(true);
	for (const struct host_event *event = machine.vm->events.newest; event; event = event->older) {
		check_references(event);
		check_stranded(event);
	}
	check_quarantine();
	check_limit();
	check_ledger();
	player_leave_alone(false);
}

static void check_vcpu(const struct pv_vcpu *vcpu)
{
	const struct pmu *pmu = &vcpu->pmu;

	if (pmu->attached || pmu->used || pmu->sampling || pmu->rotating.first || pmu->fixed.first)
		fuzz_violation("O6 stranded: of vCPU %u: counters attached: %u, used: %u, events that sample: %u", vcpu->index,
			       pmu->attached, pmu->used, pmu->sampling);
	for (int i = 0; i < PV_BREAKPOINTS; i++)
		if (pmu->slot[i])
			fuzz_violation("O6 stranded: vCPU %u still has a breakpoint in slot %d", vcpu->index, i);
	if (vcpu->clocks.armed || vcpu->clocks.next.v != UINT64_MAX || vcpu->clocks.refused)
		fuzz_violation("O6 stranded: clocks still armed on vCPU %u: %u", vcpu->index, vcpu->clocks.armed);
	if (vcpu->queue.first || vcpu->queue.length || vcpu->queue.deferred.v)
		fuzz_violation("O6 stranded: vCPU %u still has events queued", vcpu->index);
	if (vcpu->run->armed || vcpu->run->wanted)
		fuzz_violation("O6 stranded: vCPU %u is still armed", vcpu->index);
}

void check_nothing_left(void)
{
	const struct pv_timer *timer = &machine.vm->timer;
	uint64_t events = event_set_count(&machine.vm->events);

	if (events)
		fuzz_violation("O2 references: everything is closed; events in memory: %llu", (ull)events);
	if (timer->rotating.v || timer->sampling.v || timer->throttled.v)
		fuzz_violation("O6 stranded: everything is closed; of the timer: to rotate: %u, that sample: %u, throttled: %u",
			       timer->rotating.v, timer->sampling.v, timer->throttled.v);
	for (uint32_t i = 0; i < machine.vcpus; i++)
		check_vcpu(machine.vcpu[i].vcpu);
}

void check_ended(void)
{
	struct pv_vm_statistics statistics;

	check_quarantine();
	vm_statistics(machine.vm, &statistics);
	if (statistics.overflows_lost)
		fuzz_violation("O5 conservation: overflows are lost: %lld", (long long)statistics.overflows_lost);
}
