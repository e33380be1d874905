/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/fibers/schedule.h"

#include <stdio.h>
#include <stdlib.h>

#include "explore/fibers/fiber.h"
#include "core/locks/pv_sync.h"
#include "explore/fibers/race.h"
#include "explore/fibers/record.h"
#include "explore/fibers/store_buffer.h"
#include "explore/fibers/touched.h"

static struct schedule_players players;

static void checker_body(unsigned fiber)
{
	(void)fiber;
	players.check();
	schedule_leave();
}

/* Where every fiber begins. One that returns is over, and somebody else goes on. */
static void fiber_entry(void)
{
	unsigned self = schedule.current->number;

	if (self == SCHEDULE_CHECKER)
		checker_body(self);
	players.body(self);
	schedule.alive &= ~(1u << self);
	schedule.conditional &= ~(1u << self);
	schedule_point(POINT_IDLE, NULL, "the end");
	__builtin_unreachable();
}

static bool may_go_on(const struct fiber *fiber)
{
	switch (fiber->kind) {
	case POINT_LOCK: /* or the store that frees it is on its way */
		return !((const struct pv_lock *)fiber->object)->state.v ||
		       (schedule.buffered && store_buffer_holds(fiber->object));
	case POINT_WAIT:
		return ((const struct pv_event_count *)fiber->object)->sequence.v != fiber->ticket;
	default: /* POINT_IDLE */
		return *(const uint32_t *)fiber->object != 0;
	}
}

static uint32_t enabled_fibers(void)
{
	uint32_t enabled = schedule.alive & ~schedule.conditional;

	for (uint32_t left = schedule.conditional; left; left &= left - 1)
		if (may_go_on(&schedule.fiber[__builtin_ctz(left)]))
			enabled |= left & -left;
	return enabled;
}

static void start_check(void);

/* Nobody can go on. That is the end if everybody is where a vCPU may stay, else a deadlock. */
static _Noreturn void nobody_can(void)
{
	for (uint32_t left = schedule.alive; left; left &= left - 1) {
		const struct fiber *fiber = &schedule.fiber[__builtin_ctz(left)];

		if (fiber->kind == POINT_IDLE || players.may_stay((unsigned)__builtin_ctz(left)))
			continue;
		if (fiber->kind == POINT_LOCK && ((const struct pv_lock *)fiber->object)->rank > PV_RANK_LEAF)
			schedule_violation(EXPLORE_MEMORY, "%s waits at %s for a lock in memory that was freed",
					   fiber->thread.name, fiber->where);
		schedule_violation(EXPLORE_PROGRESS, "deadlock: %s waits for ever at %s (%s)",
				   fiber->thread.name, fiber->where, explore_point_name(fiber->kind));
	}
	start_check();
	__builtin_unreachable();
}

/* A lock must be seen to be free; anything else can do with what it sees. */
static bool may_pass(const struct fiber *self)
{
	return self->kind != POINT_LOCK || !((const struct pv_lock *)self->object)->state.v;
}

/* Others' stores that matter to this step wait in their buffers: are they made before it? */
static void settle(struct fiber *self)
{
	unsigned me = self->number, next = SCHEDULE_STORES;
	uint32_t matter;

	while (next != me && (matter = store_buffer_matters(self))) {
		schedule.enabled = matter << SCHEDULE_STORES | (uint32_t)may_pass(self) << me;
		next = (unsigned)__builtin_ctz(schedule.enabled);
		if (schedule.enabled & (schedule.enabled - 1)) {
			schedule.decisions++;
			next = schedule.strategy->settle();
		}
		record_switch(self, next, next == me);
		if (next != me)
			store_buffer_let_go(next - SCHEDULE_STORES);
	}
}

static void take_step(struct fiber *self)
{
	unsigned me = self->number;

	if (schedule.buffered) {
		settle(self);
		if (store_buffer_drained_by(self->kind))
			store_buffer_drain(me);
	}
	self->steps++;
	if (schedule.seen)
		schedule.seen(self);
	record_step(me, self);
}

/* Does nobody else care when this step is taken? */
static bool is_private(const struct fiber *self)
{
	bool drains = schedule.buffered >> self->number & 1 && store_buffer_drained_by(self->kind);

	return touched_by_one(self) && !drains;
}

/* The fiber stands at its point; whoever the strategy picks goes on, and takes the step. */
static void decide(struct fiber *self)
{
	unsigned me = self->number, next;
	uint32_t enabled = enabled_fibers();

	if (!enabled)
		nobody_can();
	schedule.enabled = enabled;
	if (enabled & (enabled - 1)) {
		schedule.decisions++;
		next = schedule.strategy->next();
	} else {
		next = (unsigned)__builtin_ctz(enabled);
	}
	if (next != me) {
		record_switch(self, next, enabled >> me & 1);
		schedule.current = &schedule.fiber[next];
		fiber_switch(&self->context, schedule.current->context);
	}
	take_step(self);
}

static void stand_at(struct fiber *self, enum point_kind kind, const void *object, const char *where)
{
	uint32_t bit = 1u << self->number;

	self->kind = (uint8_t)kind;
	self->object = object;
	self->where = where;
	if (kind == POINT_LOCK || kind == POINT_WAIT || kind == POINT_IDLE)
		schedule.conditional |= bit & schedule.alive;
	else
		schedule.conditional &= ~bit;
}

void schedule_point(enum point_kind kind, const void *object, const char *where)
{
	struct fiber *self = schedule.current;

	if (!schedule.controlled)
		return;
	stand_at(self, kind, object, where);
	if (schedule.reduced && is_private(self))
		take_step(self);
	else
		decide(self);
}

void schedule_wait(const void *object, uint32_t ticket, const char *where)
{
	if (!schedule.controlled)
		return;
	schedule.current->ticket = ticket;
	schedule_point(POINT_WAIT, object, where);
}

void schedule_guest(const uint32_t *doorbell, uint8_t op, bool idle)
{
	schedule.current->op = op;
	schedule_point(idle ? POINT_IDLE : POINT_GUEST, doorbell, "guest mode");
}

static void fiber_prepare(unsigned i)
{
	struct fiber *fiber = &schedule.fiber[i];

	fiber->context = fiber_context(fiber->stack, fiber_entry);
	fiber->thread.held = fiber->thread.nmi = 0;
	fiber->thread.doing = NULL;
	fiber->steps = 0;
	fiber->kind = POINT_GUEST;
	fiber->op = 0;
	fiber->object = NULL;
	fiber->where = "the start";
}

static void start_check(void)
{
	void *nowhere;

	for (unsigned i = 0; i < schedule.fibers; i++)
		store_buffer_drain(i);
	fiber_prepare(SCHEDULE_CHECKER);
	schedule.controlled = schedule.tso = false;
	schedule.current = &schedule.fiber[SCHEDULE_CHECKER];
	fiber_switch(&nowhere, schedule.current->context);
}

/* The first fiber is chosen as at any other point: fiber 0 stands at the start. */
static void first_fiber(void)
{
	unsigned next = 0;

	schedule.enabled = schedule.alive;
	if (schedule.alive & (schedule.alive - 1)) {
		schedule.decisions++;
		next = schedule.strategy->next();
	}
	if (next)
		record_switch(&schedule.fiber[0], next, false);
	schedule.current = &schedule.fiber[next];
	fiber_switch(&schedule.main, schedule.current->context);
}

void schedule_run(uint32_t n, bool tso, const struct schedule_players *who)
{
	struct explore_verdict *verdict = schedule.verdict;

	players = *who;
	schedule.fibers = n;
	schedule.alive = (1u << n) - 1;
	schedule.conditional = 0;
	schedule.step = schedule.decisions = schedule.preemptions = schedule.switches = 0;
	schedule.trace_hash = 0xcbf29ce484222325;
	for (unsigned i = 0; i < n; i++)
		fiber_prepare(i);
	store_buffer_reset();
	schedule.controlled = true;
	schedule.tso = tso;
	schedule.current = &schedule.fiber[0];
	race_begin();
	first_fiber();
	store_buffer_reset(); /* of those whom a violation cut off */
	schedule.controlled = schedule.tso = false;
	schedule.current = NULL;
	verdict->steps = schedule.step;
	verdict->switches = schedule.switches;
	verdict->preemptions = schedule.preemptions;
	verdict->trace_hash = schedule.trace_hash;
	schedule.totals->schedules++;
	schedule.totals->steps += schedule.step;
	if (schedule.step > schedule.totals->longest)
		schedule.totals->longest = schedule.step;
}

int schedule_create(uint32_t vcpus)
{
	for (unsigned i = 0; i <= SCHEDULE_CHECKER; i++) {
		struct fiber *fiber = &schedule.fiber[i];

		if (!fiber->stack)
			fiber->stack = fiber_stack_create();
		if (!fiber->stack)
			return -1;
		fiber->number = (uint8_t)i;
		snprintf(fiber->thread.name, sizeof(fiber->thread.name),
			 i == SCHEDULE_CHECKER ? "the check" : i == vcpus ? "the timer" : "vCPU %u", i);
	}
	return 0;
}
