/* SPDX-License-Identifier: GPL-2.0-only */
/* panic.h on fibers: a panic ends the schedule, and is its verdict. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "explore/fibers/schedule.h"

static struct pv_thread outside = { .name = "api" };

struct pv_thread *pv_self(void)
{
	return schedule.current ? &schedule.current->thread : &outside;
}

void pv_thread_adopt(struct pv_thread *thread)
{
	(void)thread;
}

bool pv_guarded(void (*fn)(void *arg), void *arg)
{
	fn(arg);
	return true;
}

void pv_check_unwind(void)
{
}

_Noreturn void pv_panic(const char *format, ...)
{
	char text[EXPLORE_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!schedule.current) {
		fprintf(stderr, "host panic outside of a schedule: %s\n", text);
		abort();
	}
	schedule_violation(panic_oracle(text), "%s", text);
}
