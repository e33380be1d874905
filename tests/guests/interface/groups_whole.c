/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A group is exact, and whole at every moment: while it moves from vCPU to vCPU and another one looks on,
 * while it takes turns with another group, and when members are closed. Options: work.
 */
#include "guest.h"
#include "leg.h"

enum {
	MEMBERS = 3,
	FIRST_ID = 1000,
	RIVAL_ID = 2000,
};

static struct kvm_pmu_group group, rival;

/* Instructions, branches, instructions: the first and the last count the same. */
static int64_t open_group(struct kvm_pmu_group *ret, int32_t id)
{
	static const uint64_t configs[MEMBERS] = { PV_HW_INSTRUCTIONS, PV_HW_BRANCH_INSTRUCTIONS, PV_HW_INSTRUCTIONS };
	int64_t error = 0;

	for (int32_t i = 0; i < MEMBERS; i++) {
		struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, configs[i], false, false);

		error |= kvm_pmu_group_add(ret, id + i, &attr);
	}
	return error;
}

/* The members that count the same have counted the same, and the times can be. */
static bool whole(const struct kvm_pmu_group_values *seen)
{
	return seen->members == MEMBERS && seen->member[2].value == seen->member[0].value &&
	       seen->time_running <= seen->time_enabled;
}

static uint64_t stop_looking, looks, broken;

/* From another vCPU, with READ and without, in turn. */
static void look_on(void *arg)
{
	struct kvm_pmu_group_values seen;

	(void)arg;
	while (!atomic_load(&stop_looking)) {
		if (looks % 2 == 0)
			broken += kvm_pmu_group_read(&group, &seen) != 0;
		else
			kvm_pmu_group_values(&group, &seen);
		broken += !whole(&seen);
		atomic_fetch_add(&looks, 1u);
	}
}

/* Scenario 1 of the mail, of a group: one leg on each vCPU, and round again. */
static void test_legs(unsigned workers, unsigned legs, uint64_t iterations)
{
	uint64_t instructions = 0, branches = 0;
	struct kvm_pmu_group_values values;
	int64_t errors = 0;

	for (unsigned i = 0; i < legs; i++) {
		struct leg leg = { .id = FIRST_ID, .iterations = iterations + i };

		smp_call(i % workers, leg_run, &leg);
		smp_wait(i % workers);
		errors += leg.error != 0;
		instructions += leg.iterations * LEG_LOOP + LEG_SETUP;
		branches += leg.iterations;
	}
	kvm_pmu_group_values(&group, &values);
	report(!errors && values.member[0].value == instructions, "%u legs on %u vCPUs: %lu instructions, expected %lu",
	       legs, workers, values.member[0].value, instructions);
	report(values.member[1].value == branches, "%lu branches, expected %lu", values.member[1].value, branches);
	report(whole(&values), "whole");
	report(kvm_pmu_group_shared(&group, 2)->time_enabled == values.time_enabled &&
		       kvm_pmu_group_shared(&group, 1)->time_running == values.time_running,
	       "equal times");
}

/* Two groups that do not fit together take turns, each of them whole. */
static void test_turns(uint64_t iterations)
{
	struct leg leg = { .id = RIVAL_ID, .iterations = iterations };
	struct kvm_pmu_group_values before, one, other;
	int64_t errors = open_group(&rival, RIVAL_ID);

	kvm_pmu_group_values(&group, &before);
	errors |= kvm_pmu_group_enable(&group);
	leg_run(&leg);
	errors |= kvm_pmu_group_disable(&group);
	kvm_pmu_group_values(&group, &one);
	kvm_pmu_group_values(&rival, &other);
	report(!errors && !leg.error && whole(&one) && whole(&other), "two groups that take turns are whole");
	report(one.time_running > before.time_running && other.time_running > 0, "each had its turn");
	report(one.time_running - before.time_running < one.time_enabled - before.time_enabled &&
		       other.time_running < other.time_enabled,
	       "and neither all the time");
	report(kvm_pmu_group_close(&rival) == 0, "close the other");
}

static void test_close(void)
{
	struct kvm_pv_perf_event2 *last = kvm_pmu_group_shared(&group, 2);
	struct kvm_pmu_group_values values;
	uint64_t count = last->count;
	int32_t id = group.member[2].id;

	kvm_pmu_group_enable(&group);
	report(perf_op(KVM_PV_PERF_OP_CLOSE, group.member[1].id) == 0 && kvm_pmu_group_read(&group, &values) == 0 &&
		       values.members == 2 && values.member[1].id == last->id,
	       "a sibling is closed while the group runs");
	report(perf_op(KVM_PV_PERF_OP_CLOSE, group.member[0].id) == 0 && last->count > count,
	       "the leader, too: its sibling is given what it counted");
	count = last->count;
	report(perf_op(KVM_PV_PERF_OP_READ, id) == 0 && last->count == count, "and has stopped");
	report(perf_op(KVM_PV_PERF_OP_ENABLE, id) == 0 && perf_op(KVM_PV_PERF_OP_DISABLE, id) == 0 && last->count > count,
	       "it is an event of its own");
	report(perf_op(KVM_PV_PERF_OP_CLOSE, id) == 0, "close");
}

int guest_main(void)
{
	struct kvm_pmu_capabilities capabilities = { 0 };
	unsigned n = cpu_count(), looker = n > 2 ? n - 1 : 0;
	uint64_t iterations;

	option_only("work", NULL);
	iterations = option_number("work", 100000);
	kvm_pmu_discover(&capabilities);
	report(open_group(&group, FIRST_ID) == 0, "open a group of %u", MEMBERS);
	if (looker) {
		smp_call(looker, look_on, NULL);
		while (!atomic_load(&looks))
			cpu_relax();
	}
	test_legs(looker ? looker : n, 30, iterations);
	if (looker) {
		atomic_store(&stop_looking, 1u);
		smp_wait(looker);
		report(!broken, "%lu looks from vCPU %u: %lu saw a group in parts", looks, looker, broken);
	}
	if (capabilities.counters < 2 * MEMBERS)
		test_turns(iterations * 1000);
	else
		report_skip("groups that take turns: needs fewer than %u counters", 2 * MEMBERS);
	test_close();
	return report_summary();
}
