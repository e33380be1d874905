/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/locks/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local struct pv_thread api_thread = { .name = "api" };
static _Thread_local struct pv_thread *current;

struct pv_thread *pv_self(void)
{
	return current ? current : &api_thread;
}

void pv_thread_adopt(struct pv_thread *thread)
{
	current = thread;
}

static void unwound_to(jmp_buf *outer)
{
	struct pv_thread *self = pv_self();

	self->unwind = outer;
	self->held = 0;
	self->nmi = 0;
	self->panicking = false;
}

bool pv_guarded(void (*fn)(void *arg), void *arg)
{
	jmp_buf *volatile outer = pv_self()->unwind;
	jmp_buf here;

	if (setjmp(here)) {
		unwound_to(outer);
		return false;
	}
	pv_self()->unwind = &here;
	fn(arg);
	pv_self()->unwind = outer;
	return true;
}

void pv_check_unwind(void)
{
	struct pv_thread *self = pv_self();

	if (self->panicked && self->unwind && __atomic_load_n(self->panicked, __ATOMIC_ACQUIRE))
		longjmp(*self->unwind, 1);
}

/* A panic inside a panic, or one that nobody can be told of, aborts: nothing can be trusted then. */
_Noreturn void pv_panic(const char *format, ...)
{
	struct pv_thread *self = pv_self();
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (self->panicking || !self->panic || !self->unwind) {
		fprintf(stderr, "host panic: %s\n", text);
		abort();
	}
	self->panicking = true;
	self->panic(self->context, text);
	longjmp(*self->unwind, 1);
}
