/* SPDX-License-Identifier: GPL-2.0-only */
/* What has to hold when every vCPU is idle in guest mode. The names O1 to O14 are explore.h's. */
#include <stddef.h>

#include "explore/fibers/arena.h"
#include "explore/fibers/schedule.h"
#include "explore/play/world.h"
#include "core/overflow/nmi.h"

/* Everybody who is in guest mode leaves it and enters it once more, so that nothing is left to be synced. */
static void pass_all(void)
{
	for (unsigned i = 0; i < world.machine.vcpus; i++)
		if (!world.guest[i].over && world.vm->vcpus[i].mode == VCPU_GUEST)
			guest_pass(i);
}

/* The event that the table has under this id for this vCPU, without a reference. */
static struct host_event *in_table(uint32_t vcpu, int32_t id)
{
	const struct pv_design *design = world.vm->design;
	struct host_event *event = design->get(world.vm, &world.vm->vcpus[vcpu], id);

	if (event)
		design->put(event);
	return event;
}

static bool is_open(const struct host_event *event)
{
	for (uint32_t i = 0; i < world.machine.vcpus; i++)
		if (in_table(i, event->id) == event)
			return true;
	return false;
}

/* Those that have joined the event, or did so before it left its group, use its lock for life. */
static uint32_t locked_by(const struct host_event *event)
{
	uint32_t n = 0;

	for (const struct host_event *other = world.vm->events.newest; other; other = other->older)
		n += other != event && other->locked_by == event;
	return n;
}

/* The table, the PMU, the queue and the list of the deferred hold one each, and so does who uses its lock. */
static void check_references(const struct host_event *event)
{
	bool open = is_open(event);
	uint32_t holders = open + (event->vcpu != NULL) + event->queued + event->deferred.v + locked_by(event);

	if (event->closed && event->vcpu)
		schedule_violation(EXPLORE_STRANDED, "event %d is closed, and still counts on vCPU %u",
				   event->id, event->vcpu->index);
	if (!holders)
		schedule_violation(EXPLORE_REFERENCES, "event %d is not open, and still in memory; references: %u",
				   event->id, event->references.v);
	if (world.vm->design->hold == event_get && event->references.v != holders)
		schedule_violation(EXPLORE_REFERENCES, "references of event %d: %u; holders: %u", event->id,
				   event->references.v, holders);
}

/* In a table of the VM's an id is there once; a unique id, which events of version 2 have, everywhere. */
static void check_unique(const struct host_event *event)
{
	for (const struct host_event *other = event->older; other; other = other->older) {
		if (other->id == event->id && !other->closed && !event->closed && world.vm->table)
			schedule_violation(EXPLORE_UNIQUE, "id %d is open twice", event->id);
		if (event->unique_id && other->unique_id == event->unique_id)
			schedule_violation(EXPLORE_UNIQUE, "events %d and %d both have the unique id %llu", event->id,
					   other->id, (unsigned long long)event->unique_id);
	}
}

static void check_limit(uint64_t open)
{
	struct table_figures figures;

	world.vm->design->figures(world.vm, &figures);
	if (figures.open_peak > world.machine.max_events)
		schedule_violation(EXPLORE_LIMIT, "events open at a time: %llu, of %u",
				   (unsigned long long)figures.open_peak, world.machine.max_events);
	if (figures.open != open)
		schedule_violation(EXPLORE_LIMIT, "events that count against the limit: %llu; open: %llu",
				   (unsigned long long)figures.open, (unsigned long long)open);
}

static void check_events(void)
{
	uint64_t open = 0;

	for (const struct host_event *event = world.vm->events.newest; event; event = event->older) {
		check_unique(event);
		check_references(event);
		open += is_open(event);
	}
	check_limit(open);
}

/* A freed event that lies in quarantine is all poison behind what says who freed it. */
static void check_quarantine(void)
{
	for (unsigned i = 0; i < EVENT_QUARANTINE; i++) {
		const struct host_event *event = world.vm->events.quarantine[i];

		if (event && !arena_is_poison((const uint8_t *)event + offsetof(struct host_event, bucket_next),
					      sizeof(*event) - offsetof(struct host_event, bucket_next)))
			schedule_violation(EXPLORE_MEMORY, "event %d was written to after it was freed", event->id);
	}
}

/* raised = delivered + what lies in the shadows + dropped. */
static void check_ledger(void)
{
	const struct overflow_ledger *ledger = &world.vm->ledger;
	uint64_t shadow = event_set_shadow(&world.vm->events);
	uint64_t raised = ledger->raised.v, delivered = ledger->delivered.v, dropped = ledger->dropped.v;

	if (raised != delivered + shadow + dropped)
		schedule_violation(EXPLORE_CONSERVATION,
				   "overflows raised: %llu; delivered: %llu, in shadows: %llu, dropped: %llu",
				   (unsigned long long)raised, (unsigned long long)delivered,
				   (unsigned long long)shadow, (unsigned long long)dropped);
}

/* What was delivered is the guest's. */
static void check_guests_ledger(void)
{
	uint64_t guest = 0, delivered = world.vm->ledger.delivered.v;

	for (uint32_t i = 0; i < world.machine.vcpus; i++)
		guest += guest_overflows(i);
	if (delivered != guest)
		schedule_violation(EXPLORE_CONSERVATION, "overflows delivered: %llu; the guest has: %llu",
				   (unsigned long long)delivered, (unsigned long long)guest);
}

/* An overflow that is in no list waits for its event's next one. Only a lost trylock leaves it so, and who closes an
 * event drops those that it still has. */
static void check_stranded(void)
{
	const struct overflow_ledger *ledger = &world.vm->ledger;

	if ((world.vm->nmi == &nmi_trylock && ledger->misses.v) || ledger->throttled.v)
		return;
	for (const struct host_event *event = world.vm->events.newest; event; event = event->older)
		if (event->shadow.overflows.v && !event->queued && !event->closed)
			schedule_violation(EXPLORE_STRANDED, "event %d has overflows that nothing will deliver: %llu",
					   event->id, (unsigned long long)event->shadow.overflows.v);
}

static void check_host_breakpoints(void)
{
	if (world.vm->ledger.host_breakpoints.v)
		schedule_violation(EXPLORE_MEMORY, "the guest has set a breakpoint on an address of the host's");
}

/* Once CLOSE has returned the event's words are the guest's alone. */
static void check_closed_words(void)
{
	for (unsigned id = 0; id < EXPLORE_IDS; id++) {
		const struct closed_word *closed = &world.closed[id];
		const struct kvm_pv_perf_event *now = (const void *)(world.ram + world.word[id]);

		if (closed->closed &&
		    (now->count != closed->left.count || now->overflows > closed->left.overflows))
			schedule_violation(EXPLORE_MEMORY, "the host wrote to event %u after CLOSE had returned", id);
	}
}

static uint64_t retired_by_all(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < world.machine.vcpus; i++)
		sum += world.vm->vcpus[i].run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL];
	return sum;
}

/* Counts of one event never go backwards, and never exceed what was retired. */
static void check_counts(void)
{
	uint64_t most = retired_by_all();

	for (uint32_t i = 0; i < world.result_count; i++) {
		const struct explore_result *later = &world.results[i];

		if (later->count > most)
			schedule_violation(EXPLORE_CONSERVATION, "event %u counted %llu, and %llu were retired",
					   world_op_of(later)->id, (unsigned long long)later->count,
					   (unsigned long long)most);
		for (uint32_t j = 0; later->count && j < i; j++) {
			const struct explore_result *earlier = &world.results[j];

			if (earlier->count > later->count && earlier->returned < later->invoked &&
			    world_op_of(earlier)->id == world_op_of(later)->id && world_op_of(later)->kind >= EXPLORE_DISABLE)
				schedule_violation(EXPLORE_CONSERVATION,
						   "the count of event %u went from %llu back to %llu",
						   world_op_of(later)->id, (unsigned long long)earlier->count,
						   (unsigned long long)later->count);
		}
	}
}

/* Where one vCPU alone enables and disables an event, it knows the count. */
static void check_windows(void)
{
	for (uint32_t i = 0; i < world.result_count; i++) {
		const struct explore_result *result = &world.results[i];

		if (result->expected != UINT64_MAX && result->count != result->expected)
			schedule_violation(EXPLORE_CONSERVATION, "event %u counted %llu, and its vCPU retired %llu",
					   world_op_of(result)->id, (unsigned long long)result->count,
					   (unsigned long long)result->expected);
	}
}

/* `words`: each event's words say all of it, since no OPEN was done twice. */
static void check_all(bool words)
{
	arena_check();
	pass_all();
	check_quarantine();
	check_events();
	if (words)
		check_closed_words();
	check_host_breakpoints();
	check_ledger();
	if (words)
		check_guests_ledger();
	check_stranded();
	if (words) {
		check_counts();
		check_windows();
	}
}

void oracle_check(void)
{
	check_all(true);
	linearize_check();
	arena_check();
}

uint32_t oracle_check_history(void)
{
	uint32_t widest = linearize_check();

	check_all(false);
	arena_check();
	return widest;
}
