/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/play/account.h"

#include <stddef.h>
#include <string.h>

#include "explore/play/guest_record.h"
#include "explore/fibers/schedule.h"
#include "explore/play/world.h"
#include "core/events/group.h"

static struct account accounts[WORLD_RESULTS];
static uint64_t left_at[EXPLORE_VCPUS]; /* when each vCPU left guest mode */
static struct pv_design watched;        /* the VM's design, but for what delivers */
static const struct pv_design *own;

struct account *account_at(gpa_t word)
{
	uint64_t slot = (word - WORLD_EVENTS) / WORLD_SLOT;

	return slot < WORLD_RESULTS && !world.history ? &accounts[slot] : NULL;
}

uint64_t account_count(const struct account *account)
{
	return __atomic_load_n(&account->count, __ATOMIC_ACQUIRE);
}

/* Instructions are all that guests can count themselves. */
static bool counts_instructions(const struct host_event *event)
{
	return event->source.kind == SOURCE_COUNTER && event->source.counter == PV_COUNT_INSTRUCTIONS;
}

/* Those that the core has raised for it. */
static uint64_t overflows(const struct host_event *event, const struct account *account)
{
	return account->delivered + account->lost + event->shadow.overflows.v;
}

typedef void (*account_fn)(struct pv_vcpu *vcpu, struct host_event *event, struct account *account);

static void for_members(struct pv_vcpu *vcpu, struct host_event *leader, account_fn fn)
{
	for_each_member(event, leader) {
		struct account *account = account_at(event->guest_addr);

		event_check_live(event, "counts");
		if (account)
			fn(vcpu, event, account);
	}
}

static inline void for_list(struct pv_vcpu *vcpu, struct host_event *leader, account_fn fn)
{
	for (; leader; leader = leader->behind) {
		event_check_live(leader, "counts");
		for_members(vcpu, leader, fn);
	}
}

/* Calls fn for every event that is attached to the vCPU. At most exits there is none. */
static inline void for_attached(struct pv_vcpu *vcpu, account_fn fn)
{
	for_list(vcpu, vcpu->pmu.rotating.first, fn);
	for_list(vcpu, vcpu->pmu.fixed.first, fn);
}

/* Overflows come a period apart, wherever the event was meanwhile. */
static void check_periods(const struct host_event *event, const struct account *account, uint64_t count)
{
	uint64_t period = event->overflow.period, had = overflows(event, account);

	if (period && had != count / period)
		schedule_violation(EXPLORE_PERIODS, "event %d, of period %llu, has counted %llu; overflows: %llu",
				   event->id, (unsigned long long)period, (unsigned long long)count,
				   (unsigned long long)had);
}

static void check_count(const struct host_event *event, uint64_t count)
{
	const struct account *account = account_at(event->guest_addr);

	if (account && counts_instructions(event) && count != account_count(account))
		schedule_violation(EXPLORE_CONSERVATION, "event %d was given as %llu, and %llu were retired", event->id,
				   (unsigned long long)count, (unsigned long long)account_count(account));
}

/* From when on what was not seen on may have been so. */
static uint64_t on_since(const struct host_event *event, const struct account *account, uint64_t now)
{
	if (event->enabled_since != account->attached_at)
		return account->enabling_at;
	return account->enabled.on ? 0 : now; /* since its vCPU left guest mode, or not at all */
}

static void check_times(const struct host_event *event, struct account *account, const struct guest_record *record)
{
	uint64_t now = clock_now(world.vm), since = on_since(event, account, now);
	const struct stretch *enabled = &account->enabled, *running = &account->running;

	guest_record_check_time(event->id, "enabled", record->time_enabled, account->time_enabled,
				stretch_least(enabled, now), stretch_most(enabled, now, since));
	guest_record_check_time(event->id, "running", record->time_running, account->time_running,
				stretch_least(running, now), stretch_most(running, now, since));
	account->time_enabled = record->time_enabled;
	account->time_running = record->time_running;
}

/* A version 2 event's record has just been written, all of it at this moment. */
static void check_record(struct host_event *event, struct account *account)
{
	struct guest_record record;
	uint64_t at = 0;

	if (!event->guest_bytes || !guest_record_read(&record, event->guest_addr, event->read_format, false))
		return;
	guest_record_check(&record, event->id);
	if (event->read_format & KVM_PV_PERF_FORMAT_GROUP)
		for_each_member(member, event)
			if (at < record.nr)
				check_count(member, record.value[at++]);
	if (world.fibers) /* elsewhere nobody can tell when others do something */
		check_times(event, account, &record);
}

static void note_delivered(struct host_event *event, struct account *account, uint64_t before, uint64_t delivered)
{
	uint64_t left = event->shadow.overflows.v;

	account->delivered += delivered;
	if (counts_instructions(event) && before > left + delivered)
		account->lost += before - left - delivered;
}

/* At a sync. The event's vCPU owes its guest an NMI from now on. */
static int watched_deliver(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value,
			   uint64_t *delivered)
{
	struct account *account = account_at(event->guest_addr);
	uint64_t before = event->shadow.overflows.v;
	int ret = own->deliver(mem, event, value, delivered);

	if (!account)
		return ret;
	note_delivered(event, account, before, *delivered);
	account->owed = account->owed || *delivered;
	if (!ret && mem->size) {
		check_count(event, guest_word(event->guest_addr).count);
		check_record(event, account);
	}
	return ret;
}

/* When it is disabled: who does that looks for itself. */
static int watched_finish(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value,
			  uint64_t *delivered)
{
	struct account *account = account_at(event->guest_addr);
	uint64_t before = event->shadow.overflows.v, count, now = clock_now(world.vm), since;
	int ret = own->finish(mem, event, value, delivered);

	if (!account)
		return ret;
	since = on_since(event, account, now);
	stretch_stop(&account->enabled, now, since);
	stretch_stop(&account->running, now, since);
	account->attached_at = event->enabled_since;
	note_delivered(event, account, before, *delivered);
	account->owed = false;
	count = guest_word(event->guest_addr).count;
	check_count(event, count);
	check_periods(event, account, count);
	check_record(event, account);
	return ret;
}

/* At an ENABLE. What was enabled before, and did not come to guest mode since, is on now. */
static struct pv_vcpu *watched_place(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct account *account = world.fibers ? account_at(event->guest_addr) : NULL;
	struct pv_vcpu *place = own->place(vcpu, event);
	uint64_t now = clock_now(world.vm);

	if (!account || !group_leads(event) || event->vcpu == place)
		return place;
	for_each_member(member, event) {
		struct account *of = account_at(member->guest_addr);

		if (member->vcpu && member->enabled_since != of->attached_at) {
			stretch_enter(&of->enabled, now, of->enabling_at, true, false);
			stretch_enter(&of->running, now, of->enabling_at, true, false);
			of->enabled.doubtful = of->running.doubtful = true;
			of->attached_at = member->enabled_since;
		}
		of->enabling_at = now;
	}
	return place;
}

void account_watch(struct pv_vm *vm)
{
	own = vm->design;
	watched = *own;
	watched.deliver = watched_deliver;
	watched.finish = watched_finish;
	watched.place = watched_place;
	vm->design = &watched;
}

void account_begin(void)
{
	for (uint32_t i = 0; i < world.machine.vcpus; i++)
		memset(&accounts[i * EXPLORE_OPS], 0, world.program.length[i] * sizeof(*accounts));
	memset(left_at, 0, sizeof(left_at));
}

static void leave_one(struct pv_vcpu *vcpu, struct host_event *event, struct account *account)
{
	(void)event;
	stretch_leave(&account->enabled, left_at[vcpu->index]);
	stretch_leave(&account->running, left_at[vcpu->index]);
}

void account_leave(struct pv_vcpu *vcpu)
{
	left_at[vcpu->index] = clock_now(vcpu->vm);
	for_attached(vcpu, leave_one);
}

static void enter_one(struct pv_vcpu *vcpu, struct host_event *event, struct account *account)
{
	uint64_t now = clock_now(vcpu->vm), since = on_since(event, account, now);
	bool same = event->enabled_since == account->attached_at;

	stretch_enter(&account->enabled, now, since, true, same);
	same = same && event->running && event->running_since == account->running_at;
	stretch_enter(&account->running, now, since, event->running, same);
	account->attached_at = event->enabled_since;
	account->running_at = event->running_since;
	if (counts_instructions(event) && !event->overflow.throttled)
		check_periods(event, account, account_count(account));
}

static void collect_owed(struct pv_vcpu *vcpu, struct host_event *event, struct account *account)
{
	(void)event;
	world.guest[vcpu->index].owed |= account->owed;
	account->owed = false;
}

/* An NMI is for an event that is enabled here and has come to new overflows, and for such an event there is one. */
static void check_nmi(struct pv_vcpu *vcpu)
{
	struct guest *guest = &world.guest[vcpu->index];
	bool told = vcpu->run->inject & PV_INJECT_NMI;

	guest->owed = false;
	for_attached(vcpu, collect_owed);
	if (told && !guest->owed)
		schedule_violation(EXPLORE_NMIS, "vCPU %u gets an NMI, and no event that is enabled there has come to overflows",
				   vcpu->index);
	if (guest->owed && !told)
		schedule_violation(EXPLORE_NMIS, "vCPU %u gets no NMI for overflows that have come to its events", vcpu->index);
}

void account_enter(struct pv_vcpu *vcpu)
{
	if (world.history)
		return;
	check_nmi(vcpu);
	for_attached(vcpu, enter_one);
}

static void retire(struct account *account, uint64_t instructions)
{
	__atomic_store_n(&account->count, account_count(account) + instructions, __ATOMIC_RELEASE);
}

static uint64_t retiring[EXPLORE_VCPUS];

static void retire_one(struct pv_vcpu *vcpu, struct host_event *event, struct account *account)
{
	if (event->running && counts_instructions(event))
		retire(account, retiring[vcpu->index]);
}

/* What enabled an event is not in its window. */
static void retire_exit_one(struct pv_vcpu *vcpu, struct host_event *event, struct account *account)
{
	if (event->enabled_since + vcpu->pmu.hidden_ns <= left_at[vcpu->index])
		retire_one(vcpu, event, account);
}

void account_retire(struct pv_vcpu *vcpu, uint64_t instructions)
{
	retiring[vcpu->index] = instructions;
	for_attached(vcpu, retire_one);
}

void account_retire_exit(struct pv_vcpu *vcpu, uint64_t instructions)
{
	retiring[vcpu->index] = instructions;
	for_attached(vcpu, retire_exit_one);
}

/* It overflows within the block that crosses its period. */
static void check_no_overflow(struct pv_vcpu *vcpu, struct host_event *event, struct account *account)
{
	(void)vcpu;
	if (event->running && counts_instructions(event) && !event->overflow.throttled)
		check_periods(event, account, account_count(account));
}

void account_stays(struct pv_vcpu *vcpu)
{
	for_attached(vcpu, check_no_overflow);
}
