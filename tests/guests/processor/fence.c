/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Barriers between vCPUs, by the store-buffer litmus test: each of two stores to its own word and then reads the
 * other's. With a barrier in between it is impossible that both read what was there before; without, they do in some
 * rounds of a hundred, also where other processes have the cores.
 */
#include "guest.h"

enum { LINE = 64, DEFAULT_ROUNDS = 4000 };

enum barrier_kind { MFENCE, CPUID, IRET, LOCKED };

static struct side {
	uint64_t word __attribute__((aligned(LINE)));
	uint64_t at __attribute__((aligned(LINE))); /* rounds begun, and ended */
	uint64_t saw __attribute__((aligned(LINE)));
} sides[2];

static struct litmus {
	enum barrier_kind kind;
	uint64_t rounds, both_missed;
} litmus;

#define STORE_BARRIER_LOAD(barrier, saw, mine, others, value, ...)                                            \
	__asm__ volatile("mov %[v], %[m]\n\t" barrier "\n\tmov %[o], %[s]"                                    \
			 : [m] "=m"(mine), [s] "=&r"(saw) : [v] "r"(value), [o] "m"(others) : "memory", ##__VA_ARGS__)

static uint64_t store_and_load(uint64_t *mine, const uint64_t *others, uint64_t value)
{
	uint64_t saw = 0;

	switch (litmus.kind) {
	case MFENCE:
		STORE_BARRIER_LOAD("mfence", saw, *mine, *others, value);
		break;
	case CPUID:
		STORE_BARRIER_LOAD("xor %%eax, %%eax; cpuid", saw, *mine, *others, value, "rax", "rbx", "rcx", "rdx");
		break;
	case IRET:
		STORE_BARRIER_LOAD("mov %%rsp, %%rax; pushq $0x10; push %%rax; pushfq; pushq $8; "
				   "lea 1f(%%rip), %%rax; push %%rax; iretq; 1:", saw, *mine, *others, value, "rax");
		break;
	case LOCKED:
		STORE_BARRIER_LOAD("lock orq $0, (%%rsp)", saw, *mine, *others, value);
		break;
	}
	return saw;
}

/* Both come here before either goes on. */
static void meet(unsigned me, uint64_t n)
{
	atomic_store(&sides[me].at, n);
	while (atomic_load(&sides[1 - me].at) < n)
		cpu_relax(); /* who waits for long lets another vCPU have the core */
}

static void play(void *arg)
{
	unsigned me = cpu_index();

	(void)arg;
	if (me > 1)
		return;
	for (uint64_t i = 1; i <= litmus.rounds; i++) {
		meet(me, 3 * i);
		sides[me].saw = store_and_load(&sides[me].word, &sides[1 - me].word, i);
		meet(me, 3 * i + 1);
		if (me == 0)
			litmus.both_missed += sides[0].saw != i && sides[1].saw != i;
		meet(me, 3 * i + 2);
	}
}

static void test(enum barrier_kind kind, const char *name, uint64_t rounds)
{
	memset(sides, 0, sizeof(sides));
	litmus = (struct litmus){ .kind = kind, .rounds = rounds };
	smp_run_all(play, NULL);
	report(!litmus.both_missed, "%s: both loads came before the other's store in %lu of %lu rounds", name,
	       litmus.both_missed, rounds);
}

int guest_main(void)
{
	uint64_t rounds = option_number("rounds", DEFAULT_ROUNDS);

	test(MFENCE, "mfence", rounds);
	test(CPUID, "cpuid", rounds / 4);
	test(IRET, "iret", rounds);
	test(LOCKED, "lock", rounds);
	return report_summary();
}
