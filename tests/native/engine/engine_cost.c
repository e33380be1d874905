/* SPDX-License-Identifier: GPL-2.0-only */
/* What an NMI costs, in time of the guest's: printed, and compared with nothing. */
#include "engine_test.h"

#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

enum { ALL_LEVELS = 3, ROUNDS = 900, PERIOD = 2000 };

static double ticks_per_ns(void)
{
	struct timespec a, b;
	uint64_t start = __rdtsc(), ns;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		ns = (uint64_t)(b.tv_sec - a.tv_sec) * 1000000000u + (uint64_t)b.tv_nsec - (uint64_t)a.tv_nsec;
	} while (ns < 20000000);
	return (double)(__rdtsc() - start) / (double)ns;
}

/* Ticks in guest mode of the fastest tenth of so many periods, each with this injected. */
static double guest_ticks(struct vcpu *vcpu, uint64_t label, uint32_t inject)
{
	static uint64_t took[ROUNDS];
	double sum = 0;

	vcpu_begin(vcpu, label);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t before = vcpu_sum(vcpu, PV_COUNT_GUEST_TSC, ALL_LEVELS);
		unsigned at = i;

		alarm_arm(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS,
			  vcpu_sum(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + PERIOD);
		CHECK_EQ(vcpu_resume(vcpu, i ? inject : 0), PV_EXIT_OVERFLOW);
		before = vcpu_sum(vcpu, PV_COUNT_GUEST_TSC, ALL_LEVELS) - before;
		for (; at && took[at - 1] > before; at--)
			took[at] = took[at - 1];
		took[at] = before;
	}
	for (unsigned i = 0; i < ROUNDS / 10; i++)
		sum += (double)took[i];
	return sum / (ROUNDS / 10);
}

static void cost_of(const char *name, uint64_t label)
{
	struct vcpu vcpu;
	double none, guest, agent, rate = ticks_per_ns();

	vcpu_start(&vcpu, false, false, AGENT_LABEL(agent_trivial));
	none = guest_ticks(&vcpu, label, 0);
	guest = guest_ticks(&vcpu, label, PV_INJECT_NMI);
	agent = guest_ticks(&vcpu, label, PV_INJECT_AGENT_NMI);
	printf("%s: %.0f ns for %d instructions; an NMI %.0f ns more, the agent's %.0f ns more\n", name, none / rate,
	       PERIOD, (guest - none) / rate, (agent - none) / rate);
	vcpu_stop(&vcpu);
}

static void cost_of_nmis(void)
{
	cost_of("loop", GUEST_LABEL(guest_long));
	cost_of("100 pages", GUEST_LABEL(guest_walk));
}

const struct named_test cost_tests[] = {
	{ "cost_of_nmis", cost_of_nmis, true },
	{ 0 },
};
