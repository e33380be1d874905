/* SPDX-License-Identifier: GPL-2.0-only */
/* Event groups and read formats: exact, together at every moment, on whatever vCPU. Options: work. */
#include "guest.h"

enum {
	FORMAT = KVM_PV_PERF_FORMAT_TOTAL_TIME_ENABLED | KVM_PV_PERF_FORMAT_TOTAL_TIME_RUNNING | KVM_PV_PERF_FORMAT_ID,
	MEMBERS = 3,
	LOOP_AND_SETUP = 1 + 3, /* around the loop of counted() */
};

static struct kvm_pmu_event2 group[MEMBERS], rival[MEMBERS];

static struct kvm_pv_perf_attr attr_of(uint64_t config, uint64_t format)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, config, false, false);

	attr.read_format = format;
	return attr;
}

/* Instructions, branches, instructions: the first and the last count the same. */
static int64_t open_group(struct kvm_pmu_event2 *members)
{
	struct kvm_pv_perf_attr leader = attr_of(PV_HW_INSTRUCTIONS, FORMAT | KVM_PV_PERF_FORMAT_GROUP);
	struct kvm_pv_perf_attr branches = attr_of(PV_HW_BRANCH_INSTRUCTIONS, FORMAT);
	struct kvm_pv_perf_attr instructions = attr_of(PV_HW_INSTRUCTIONS, FORMAT);
	int64_t ret = kvm_pmu_open2(&members[0], &leader, NULL);

	ret |= kvm_pmu_open2(&members[1], &branches, &members[0]);
	return ret | kvm_pmu_open2(&members[2], &instructions, &members[0]);
}

struct leg {
	int32_t id;
	uint64_t iterations; /* of two instructions, one of them a branch */
	int64_t error;
};

/* Enables, works, disables, in one piece. */
static void counted(void *arg)
{
	struct leg *leg = arg;
	uint64_t n = leg->iterations;
	int64_t enabled, disabled;

	__asm__ volatile("mov $3, %%eax\n\t"
			 "mov $3, %%ebx\n\t"
			 "mov %k[id], %%ecx\n\t"
			 "vmcall\n\t"
			 "mov %%rax, %[enabled]\n"
			 "1: dec %[n]\n\t"
			 "jnz 1b\n\t"
			 "mov $3, %%eax\n\t"
			 "mov $4, %%ebx\n\t"
			 "mov %k[id], %%ecx\n\t"
			 "vmcall"
			 : [enabled] "=&r"(enabled), [n] "+&r"(n), "=&a"(disabled)
			 : [id] "r"((uint64_t)(uint32_t)leg->id)
			 : "rbx", "rcx", "rdx", "memory", "cc");
	leg->error = enabled ? enabled : disabled;
}

/* Is what the host stored whole: the first and the last member alike, and times that can be? */
static bool whole(const struct kvm_pmu_record *seen)
{
	return seen->nr == MEMBERS && seen->member[0].value == seen->count &&
	       seen->member[2].value == seen->count && seen->time_running <= seen->time_enabled;
}

static uint64_t stop_looking, looks, broken;

/* From another vCPU, with READ and without, in turn. */
static void look_on(void *arg)
{
	struct kvm_pmu_record seen;

	(void)arg;
	while (!atomic_load(&stop_looking)) {
		if (looks % 2 && kvm_pmu_read2(&group[0]))
			broken++;
		kvm_pmu_snapshot(&group[0], &seen);
		broken += seen.sequence && !whole(&seen);
		atomic_fetch_add(&looks, 1u);
	}
}

/* Scenario 1, of a group: one leg on each vCPU, and round again. */
static void test_legs(unsigned workers, unsigned legs, uint64_t iterations)
{
	uint64_t instructions = 0, branches = 0;
	int64_t errors = 0;

	for (unsigned i = 0; i < legs; i++) {
		struct leg leg = { .id = group[0].id, .iterations = iterations + i };

		smp_call(i % workers, counted, &leg);
		smp_wait(i % workers);
		errors += leg.error != 0;
		instructions += leg.iterations * 2 + LOOP_AND_SETUP;
		branches += leg.iterations;
	}
	report(!errors && group[0].shared.count == instructions, "%u legs on %u vCPUs: %lu instructions, expected %lu",
	       legs, workers, group[0].shared.count, instructions);
	report(group[1].shared.count == branches, "%lu branches, expected %lu", group[1].shared.count, branches);
	report(whole(&group[0].shared), "the leader's record is whole");
	report(group[0].shared.time_enabled == group[1].shared.time_enabled &&
		       group[0].shared.time_running == group[2].shared.time_running,
	       "equal times");
	report(group[0].shared.member[1].id == group[1].shared.id && group[1].shared.id != group[2].shared.id,
	       "ids %lu, %lu, %lu", group[0].shared.id, group[1].shared.id, group[2].shared.id);
}

static void test_errors(uint32_t counters)
{
	struct kvm_pv_perf_attr attr = attr_of(PV_HW_INSTRUCTIONS, FORMAT);
	static struct kvm_pmu_event2 more[KVM_PMU_MEMBERS];
	uint32_t joined = 0;

	report(kvm_pmu_enable2(&group[1]) == -PV_EINVAL, "ENABLE of a sibling: EINVAL");
	report(kvm_pmu_disable2(&group[1]) == -PV_EINVAL, "DISABLE of a sibling: EINVAL");
	report(kvm_pmu_open2(&more[0], &attr, &group[1]) == -PV_EINVAL, "a sibling leads nothing: EINVAL");
	report(!kvm_pmu_enable2(&group[0]) && kvm_pmu_open2(&more[0], &attr, &group[0]) == -PV_EINVAL,
	       "joining while the group runs: EINVAL");
	kvm_pmu_disable2(&group[0]);
	while (joined < KVM_PMU_MEMBERS && kvm_pmu_open2(&more[joined], &attr, &group[0]) == 0)
		joined++;
	report(joined == counters - MEMBERS, "%u more join, up to %u counters", joined, counters);
	while (joined)
		kvm_pmu_close2(&more[--joined]);
	attr.read_format |= KVM_PV_PERF_FORMAT_GROUP;
	report(kvm_pmu_open2(&more[0], &attr, &group[0]) == -PV_EINVAL, "FORMAT_GROUP of a sibling: EINVAL");
}

/* Two groups that do not fit together take turns, each of them whole. */
static void test_turns(uint64_t iterations)
{
	struct leg leg = { .id = rival[0].id, .iterations = iterations };
	const struct kvm_pmu_record *one = &group[0].shared, *other = &rival[0].shared;
	uint64_t before = one->time_running, enabled = one->time_enabled;
	int64_t errors = kvm_pmu_enable2(&group[0]);

	counted(&leg);
	errors |= kvm_pmu_disable2(&group[0]);
	report(!errors && !leg.error && whole(one) && whole(other), "two groups that take turns are whole");
	report(one->time_running > before && other->time_running > 0, "each had its turn");
	report(one->time_running - before < one->time_enabled - enabled && other->time_running < other->time_enabled,
	       "and neither all the time");
}

static void test_close(void)
{
	uint64_t count;

	kvm_pmu_enable2(&group[0]);
	report(kvm_pmu_close2(&group[1]) == 0 && kvm_pmu_read2(&group[0]) == 0 && group[0].shared.nr == 2,
	       "a sibling is closed while the group runs");
	count = group[2].shared.count;
	report(kvm_pmu_close2(&group[0]) == 0 && group[2].shared.count > count, "the leader: its sibling gets what it counted");
	count = group[2].shared.count;
	report(kvm_pmu_read2(&group[2]) == 0 && group[2].shared.count == count, "and is stopped");
	report(kvm_pmu_enable2(&group[2]) == 0 && kvm_pmu_disable2(&group[2]) == 0 && group[2].shared.count > count,
	       "it is an event of its own");
	report(kvm_pmu_close2(&group[2]) == 0, "close");
}

int guest_main(void)
{
	struct kvm_pmu_capabilities capabilities = { 0 };
	unsigned n = cpu_count(), looker = n > 2 ? n - 1 : 0;
	uint64_t iterations;

	option_only("work", NULL);
	iterations = option_number("work", 100000);
	kvm_pmu_discover(&capabilities);
	report(capabilities.abi_version >= 2, "ABI version %u", capabilities.abi_version);
	report(open_group(group) == 0, "open a group of %u", MEMBERS);
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
	test_errors(capabilities.counters);
	if (capabilities.counters < 2 * MEMBERS && open_group(rival) == 0)
		test_turns(iterations * 1000);
	else
		report_skip("groups that take turns: needs fewer than %u counters", 2 * MEMBERS);
	test_close();
	return report_summary();
}
