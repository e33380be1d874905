/* SPDX-License-Identifier: GPL-2.0-only */
/* The one schedule, and the two ways out of it. */
#include <stdarg.h>
#include <stdio.h>

#include "explore/fibers/fiber.h"
#include "explore/fibers/schedule.h"

struct schedule schedule;
uint32_t canary_active;

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
