/* SPDX-License-Identifier: GPL-2.0-only */
#include "schedule.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "fiber.h"
#include "pv_sync.h"
#include "race.h"

struct schedule schedule;

static struct explore_switch switches[SCHEDULE_STEPS];
static struct explore_step steps[SCHEDULE_STEPS];
static void (*fiber_body)(unsigned fiber);
static void (*check_body)(void);

static const char *const point_names[POINT_KINDS] = {
	[POINT_LOAD] = "load", [POINT_STORE] = "store", [POINT_UPDATE] = "update",
	[POINT_LOCK] = "lock", [POINT_TRYLOCK] = "trylock", [POINT_UNLOCK] = "unlock",
	[POINT_WAIT] = "wait", [POINT_WAKE] = "wake", [POINT_GUEST] = "guest",
	[POINT_IDLE] = "idle", [POINT_TAG] = "point",
};

const char *explore_point_name(uint32_t kind)
{
	return kind < POINT_KINDS ? point_names[kind] : "?";
}

const struct explore_switch *explore_switches(uint32_t *n)
{
	*n = schedule.switches;
	return switches;
}

const struct explore_step *explore_steps(uint32_t *n)
{
	*n = schedule.logging ? schedule.step : 0;
	return steps;
}

static void checker_body(unsigned fiber)
{
	(void)fiber;
	check_body();
	schedule_leave();
}

/* Where every fiber begins. One that returns is over, and somebody else goes on. */
static void fiber_entry(void)
{
	unsigned self = (unsigned)(schedule.current - schedule.fiber);

	if (self == SCHEDULE_CHECKER)
		checker_body(self);
	fiber_body(self);
	schedule.alive &= ~(1u << self);
	schedule.conditional &= ~(1u << self);
	schedule_point(POINT_IDLE, NULL, "the end");
	__builtin_unreachable();
}

static bool may_go_on(const struct fiber *fiber)
{
	switch (fiber->kind) {
	case POINT_LOCK:
		return !((const struct pv_lock *)fiber->object)->state.v;
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

		if (fiber->kind == POINT_IDLE || guest_may_stay((unsigned)__builtin_ctz(left)))
			continue;
		if (fiber->kind == POINT_LOCK && ((const struct pv_lock *)fiber->object)->rank > PV_RANK_LEAF)
			schedule_violation(EXPLORE_MEMORY, "%s waits at %s for a lock in memory that was freed",
					   fiber->thread.name, fiber->where);
		schedule_violation(EXPLORE_PROGRESS, "deadlock: %s waits for ever at %s (%s)",
				   fiber->thread.name, fiber->where, point_names[fiber->kind]);
	}
	start_check();
	__builtin_unreachable();
}

static void note_switch(const struct fiber *from, unsigned to, bool preempts)
{
	switches[schedule.switches++] = (struct explore_switch){
		.step = schedule.step, .from = (uint8_t)(from - schedule.fiber), .to = (uint8_t)to,
		.op = from->op, .preempts = preempts, .where = from->where };
	schedule.preemptions += preempts;
}

static void note_step(const struct fiber *self)
{
	uint64_t what = (uint64_t)(self - schedule.fiber) << 16 | (uint64_t)self->kind << 8 | self->op;

	schedule.trace_hash = (schedule.trace_hash ^ what) * 0x100000001b3 + (schedule.trace_hash >> 29);
	if (schedule.logging)
		steps[schedule.step] = (struct explore_step){
			.fiber = (uint8_t)(self - schedule.fiber), .op = self->op, .kind = self->kind,
			.where = self->where };
	if (++schedule.step == SCHEDULE_STEPS)
		schedule_violation(EXPLORE_PROGRESS, "no end after %u steps; %s is at %s",
				   (unsigned)SCHEDULE_STEPS, self->thread.name, self->where);
}

static void take_step(struct fiber *self)
{
	self->steps++;
	note_step(self);
}

/* The fiber stands at its point; whoever the strategy picks goes on, and takes the step. */
static void decide(struct fiber *self)
{
	unsigned me = (unsigned)(self - schedule.fiber), next;
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
		note_switch(self, next, enabled >> me & 1);
		schedule.current = &schedule.fiber[next];
		fiber_switch(&self->context, schedule.current->context);
	}
	take_step(self);
}

static void stand_at(struct fiber *self, enum point_kind kind, const void *object, const char *where)
{
	uint32_t bit = 1u << (self - schedule.fiber);

	self->kind = (uint8_t)kind;
	self->object = object;
	self->where = where;
	if (kind == POINT_LOCK || kind == POINT_WAIT || kind == POINT_IDLE)
		schedule.conditional |= bit & schedule.alive;
	else
		schedule.conditional &= ~bit;
}

static bool changes(enum point_kind kind)
{
	return kind != POINT_LOAD && kind != POINT_WAIT;
}

/* Who touched the words of the arena, in any schedule of this program: a bit a fiber. */
enum { CHANGED = 1 << 31, WORD = 4 };
static uint32_t touched[ARENA_BYTES / WORD];

void schedule_forget_touched(void)
{
	memset(touched, 0, sizeof(touched));
}

static bool is_shared(uint32_t mask)
{
	uint32_t by = mask & ~(uint32_t)CHANGED;

	return mask & CHANGED && by & (by - 1);
}

/* Does nobody else care when this step is taken? If that turns out wrong, the search begins anew. */
static bool is_private(const struct fiber *self)
{
	uint32_t offset = arena_offset(self->object), before, *mask = &touched[offset / WORD];

	if (!offset || self->kind == POINT_WAIT)
		return false;
	before = *mask;
	*mask |= 1u << (self - schedule.fiber);
	if (changes((enum point_kind)self->kind))
		*mask |= CHANGED;
	schedule.grown = schedule.grown || is_shared(*mask) != is_shared(before);
	return !is_shared(*mask);
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

bool schedule_conflict(const struct fiber *a, const struct fiber *b)
{
	return a->object && a->object == b->object &&
	       (changes((enum point_kind)a->kind) || changes((enum point_kind)b->kind));
}

_Noreturn void schedule_leave(void)
{
	void *nowhere;

	fiber_switch(&nowhere, schedule.main);
	__builtin_unreachable();
}

_Noreturn void schedule_violation(enum explore_oracle oracle, const char *format, ...)
{
	struct explore_verdict *verdict = schedule.verdict;
	va_list args;

	verdict->oracle = oracle;
	va_start(args, format);
	vsnprintf(verdict->text, sizeof(verdict->text), format, args);
	va_end(args);
	schedule_leave();
}

/* A fault on a fiber goes on here, on the same stack, as if it had called this. */
static _Noreturn void crashed(void)
{
	schedule_violation(EXPLORE_MEMORY, "%s makes a wild access after %s",
			   schedule.current->thread.name, schedule.current->where);
}

static struct sigaction before_segv, before_bus;

static void on_fault(int signum, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;

	(void)info;
	if (!schedule.current) { /* not a fiber's: as it would have been without us */
		sigaction(signum, signum == SIGSEGV ? &before_segv : &before_bus, NULL);
		return;
	}
	context->uc_mcontext.gregs[REG_RSP] =
		(context->uc_mcontext.gregs[REG_RSP] - 256) / 16 * 16 - 8;
	context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)crashed;
}

static uint8_t signal_stack[64 * 1024];

void schedule_catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };

	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, &before_segv);
	sigaction(SIGBUS, &action, &before_bus);
}

void schedule_release_faults(void)
{
	stack_t stack = { .ss_flags = SS_DISABLE };

	sigaction(SIGSEGV, &before_segv, NULL);
	sigaction(SIGBUS, &before_bus, NULL);
	sigaltstack(&stack, NULL);
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

	fiber_prepare(SCHEDULE_CHECKER);
	schedule.controlled = false;
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
		note_switch(&schedule.fiber[0], next, false);
	schedule.current = &schedule.fiber[next];
	fiber_switch(&schedule.main, schedule.current->context);
}

void schedule_run(uint32_t n, void (*body)(unsigned fiber), void (*check)(void))
{
	struct explore_verdict *verdict = schedule.verdict;

	fiber_body = body;
	check_body = check;
	schedule.fibers = n;
	schedule.alive = (1u << n) - 1;
	schedule.conditional = 0;
	schedule.step = schedule.decisions = schedule.preemptions = schedule.switches = 0;
	schedule.trace_hash = 0xcbf29ce484222325;
	for (unsigned i = 0; i < n; i++)
		fiber_prepare(i);
	schedule.controlled = true;
	schedule.current = &schedule.fiber[0];
	race_begin();
	first_fiber();
	schedule.controlled = false;
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
		snprintf(fiber->thread.name, sizeof(fiber->thread.name),
			 i == SCHEDULE_CHECKER ? "the check" : i == vcpus ? "the timer" : "vCPU %u", i);
	}
	return 0;
}

void schedule_destroy(void)
{
	for (unsigned i = 0; i <= SCHEDULE_CHECKER; i++) {
		fiber_stack_destroy(schedule.fiber[i].stack);
		schedule.fiber[i].stack = NULL;
	}
}
