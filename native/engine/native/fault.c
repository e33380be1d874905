/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions that a guest's instruction raises on this processor come as signals of this process's. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include "engine/native/stub.h"

enum { VECTORS = 32 };

static const int signals[] = { SIGSEGV, SIGFPE, SIGILL };
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static struct sigaction before[SIGNALS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int caught;

static _Thread_local struct {
	const struct stub *volatile stub; /* that is being run */
	struct stub_exception exception;
} running;

/* Whatever was there before, or what the system does. */
static void hand_on(int number, siginfo_t *info, void *context)
{
	unsigned i = 0;

	while (signals[i] != number)
		i++;
	if (before[i].sa_flags & SA_SIGINFO) {
		before[i].sa_sigaction(number, info, context);
	} else if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) {
		before[i].sa_handler(number);
	} else { /* it comes again */
		sigaction(number, &before[i], NULL);
	}
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const struct stub *stub = running.stub;
	uintptr_t rip = (uintptr_t)regs[REG_RIP];

	if (!stub || rip < (uintptr_t)stub->run || rip >= (uintptr_t)stub->fault ||
	    regs[REG_TRAPNO] == 14 || regs[REG_TRAPNO] < 0 || regs[REG_TRAPNO] >= VECTORS) {
		hand_on(number, info, context);
		return;
	}
	running.exception.vector = (unsigned)regs[REG_TRAPNO];
	running.exception.error = 0;
	regs[REG_RIP] = (greg_t)stub->fault;
}

static void catch_all(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	for (unsigned i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], &action, &before[i]))
			caught = -errno;
}

int stub_catch(void)
{
	pthread_once(&once, catch_all);
	return caught;
}

uint64_t stub_run(const struct stub *stub, struct inside_state *state, void *memory, struct stub_pass *pass,
		  struct stub_exception *exception)
{
	uint64_t ret;

	running.stub = stub;
	ret = stub->run(state, memory, pass);
	running.stub = NULL;
	if (ret)
		*exception = running.exception;
	return ret;
}
