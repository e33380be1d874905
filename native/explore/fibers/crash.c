/* SPDX-License-Identifier: GPL-2.0-only */
/* A wild access is a violation, found where the fiber that makes it was last. */
#include <signal.h>

#include "explore/fibers/schedule.h"

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
