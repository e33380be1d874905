/* SPDX-License-Identifier: GPL-2.0-only */
/* HLT and KICK_CPU: a kick is never lost. If one were, the VM would end with all vCPUs parked. */
#include "guest.h"

static uint64_t rounds;
static uint64_t turn; /* whose it is, counted up: vCPU turn % n */
static uint64_t halts[GUEST_MAX_VCPUS];

/* The turn goes round all vCPUs; whoever has not got it halts. */
static void pass_on(void *arg)
{
	unsigned self = cpu_index(), n = cpu_count();

	(void)arg;
	for (uint64_t i = 0; i < rounds; i++) {
		while (atomic_load(&turn) % n != self) {
			halts[self]++;
			halt();
		}
		atomic_fetch_add(&turn, 1u);
		kick((self + 1) % n);
	}
}

static void test_turns(void)
{
	uint64_t all = 0;

	smp_run_all(pass_on, NULL);
	for (unsigned i = 0; i < cpu_count(); i++)
		all += halts[i];
	report(turn == rounds * cpu_count(), "%lu turns round %u vCPUs, %lu halts", turn, cpu_count(), all);
}

/* Kicks that come first: each is good for one halt, two at once also. */
static void test_kick_first(void)
{
	for (uint64_t i = 0; i < rounds; i++) {
		kick(0);
		halt();
	}
	report(true, "%lu times kick, then hlt", rounds);
	kick(0);
	kick(0);
	halt();
	report(true, "two kicks, one hlt");
}

/* The kick comes in the midst of the work that ends in the halt. */
static uint64_t kicked, asleep;

static void sleep_once(void *arg)
{
	(void)arg;
	atomic_store(&asleep, 1u);
	while (!atomic_load(&kicked))
		halt();
}

static void test_kick_in_between(void)
{
	if (cpu_count() < 2) {
		report_skip("kick of another vCPU: needs two");
		return;
	}
	for (uint64_t i = 0; i < rounds / 10; i++) {
		atomic_store(&asleep, 0u);
		atomic_store(&kicked, 0u);
		smp_call(1, sleep_once, NULL);
		while (!atomic_load(&asleep))
			cpu_relax();
		atomic_store(&kicked, 1u);
		kick(1);
		smp_wait(1);
	}
	report(true, "%lu kicks right before hlt", rounds / 10);
}

int guest_main(void)
{
	option_only("rounds", NULL);
	rounds = option_number("rounds", 10000);
	test_kick_first();
	test_kick_in_between();
	test_turns();
	return report_summary();
}
