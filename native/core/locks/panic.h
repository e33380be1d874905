/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host panic: an invariant of the core is broken. It ends the VM, never the
 * host process: the thread that found it, and every thread that then waits for a
 * lock, unwinds to its pv_guarded() call.
 */
#ifndef PV_PANIC_H
#define PV_PANIC_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

struct pv_lock;
struct trace_ring;

/* A host thread as the core sees it. Fields are the thread's own. */
struct pv_thread {
	char name[16];
	/* Told of a panic before the thread unwinds. Without one, a panic aborts the process. */
	void (*panic)(void *context, const char *text);
	void *context;
	/* Non-zero once the VM has panicked: locks may never be released any more. */
	const uint32_t *panicked;
	jmp_buf *unwind;
	bool panicking;
	unsigned nmi; /* depth of NMI context */
	const char *doing; /* the operation that it is in, for a panic */
	struct trace_ring *trace; /* where it writes what it does, or NULL */
	unsigned held;
	struct pv_lock *locks[4]; /* PV_LOCK_DEPTH, in the order in which they were taken */
};

/* The calling thread; one without pv_thread_adopt() has a default of its own, named "api". */
struct pv_thread *pv_self(void);
/* Makes `thread` the calling thread's; NULL returns to the default. */
void pv_thread_adopt(struct pv_thread *thread);

/* Calls fn(arg); false if the thread unwound out of it. */
bool pv_guarded(void (*fn)(void *arg), void *arg);
/* Unwinds if the VM has panicked; returns otherwise. */
void pv_check_unwind(void);
_Noreturn void pv_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
