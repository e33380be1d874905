/* SPDX-License-Identifier: GPL-2.0-only */
#include "stress/violation.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "stress/players.h"
#include "explore/fibers/schedule.h"
#include "explore/play/world.h"

/* guest.c and oracle.c look at it; there are no steps here. */
struct schedule schedule;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct explore_verdict *expected;
static uint32_t found;

void violation_expect(struct explore_verdict *verdict)
{
	expected = verdict;
}

bool violation_found(void)
{
	return __atomic_load_n(&found, __ATOMIC_ACQUIRE);
}

void violation_forget(void)
{
	__atomic_store_n(&found, 0, __ATOMIC_RELEASE);
}

void violation_note(enum explore_oracle oracle, const char *text)
{
	pthread_mutex_lock(&lock);
	if (!found) {
		expected->oracle = oracle;
		snprintf(expected->text, sizeof(expected->text), "%s", text);
	}
	__atomic_store_n(&found, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
}

/* schedule.h's, as the oracles call it. */
_Noreturn void schedule_violation(enum explore_oracle oracle, const char *format, ...)
{
	char text[EXPLORE_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	violation_note(oracle, text);
	longjmp(*pv_self()->unwind, 1);
}

/* Whoever waits for a lock unwinds, and whoever waits for anything else finds the VM over. */
static void told_of_panic(void *context, const char *text)
{
	static const struct pv_vm_end panicked = { .reason = PV_END_HOST_PANIC, .vcpu = -1 };

	(void)context;
	violation_note(panic_oracle(text), text);
	pv_self()->held = 0;
	pv_self()->nmi = 0;
	vm_force_end(world.vm, &panicked);
}

void player_adopt(struct pv_thread *self, const char *name)
{
	*self = (struct pv_thread){ .panic = told_of_panic, .panicked = &found };
	snprintf(self->name, sizeof(self->name), "%s", name);
	pv_thread_adopt(self);
}
