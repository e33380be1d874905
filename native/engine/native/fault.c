/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions that a guest's instruction raises on this processor come as signals of this process's. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "engine/native/stub.h"

enum { VECTORS = 32, VECTOR_PF = 14, ARENAS = 256, STUB_LEAST_BYTES = 16 };

static const int signals[] = { SIGSEGV, SIGFPE, SIGILL };
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static struct sigaction before[SIGNALS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int caught;
static struct stub_arena *arenas[ARENAS];

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

static struct stub_arena *arena_at(uintptr_t rip)
{
	for (unsigned i = 0; i < ARENAS; i++) {
		struct stub_arena *arena = __atomic_load_n(&arenas[i], __ATOMIC_ACQUIRE);

		if (arena && rip - (uintptr_t)arena->code < STUB_ARENA_BYTES)
			return arena;
	}
	return NULL;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uintptr_t rip = (uintptr_t)regs[REG_RIP];
	struct stub_arena *arena = arena_at(rip);
	const struct stub_place *place = arena ? last_begun(arena->place, arena->stubs, sizeof(*place), rip) : NULL;

	if (!place || rip >= place->fault || regs[REG_TRAPNO] == VECTOR_PF || regs[REG_TRAPNO] < 0 || regs[REG_TRAPNO] >= VECTORS) {
		hand_on(number, info, context);
		return;
	}
	arena->exception = (struct stub_exception){ (unsigned)regs[REG_TRAPNO], 0 };
	regs[REG_RIP] = (greg_t)place->fault;
}

static void catch_all(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	for (unsigned i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], &action, &before[i]))
			caught = -errno;
}

static bool announce(struct stub_arena *arena)
{
	for (unsigned i = 0; i < ARENAS; i++) {
		struct stub_arena *none = NULL;

		if (__atomic_compare_exchange_n(&arenas[i], &none, arena, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

int stub_arena_create(struct stub_arena *arena)
{
	void *code = mmap(NULL, STUB_ARENA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED)
		return -errno;
	arena->code = code;
	arena->place = calloc(STUB_ARENA_BYTES / STUB_LEAST_BYTES, sizeof(*arena->place));
	if (!arena->place || !announce(arena))
		return -ENOMEM;
	pthread_once(&once, catch_all);
	return caught;
}

void stub_arena_destroy(struct stub_arena *arena)
{
	for (unsigned i = 0; i < ARENAS; i++) {
		struct stub_arena *mine = arena;

		__atomic_compare_exchange_n(&arenas[i], &mine, NULL, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	}
	free(arena->place);
	if (arena->code)
		munmap(arena->code, STUB_ARENA_BYTES);
}
