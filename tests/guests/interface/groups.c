/* SPDX-License-Identifier: GPL-2.0-only */
/* Groups: counted together, read at one moment, moved as one; times and ids; whom they shut out. */
#include "guest.h"

enum { LOOPS = 100000, FIRST_ID = 1000, LEADER = FIRST_ID, SIBLING, ALONE };

static struct kvm_pv_perf_attr hardware(uint64_t config)
{
	return kvm_pmu_attr(PV_TYPE_HARDWARE, config, false, false);
}

/* Twice this many instructions, and as many branches. */
static void loop_run(uint64_t n)
{
	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
}

static int64_t open_pair(struct kvm_pmu_group *group)
{
	struct kvm_pv_perf_attr instructions = hardware(PV_HW_INSTRUCTIONS), branches = hardware(PV_HW_BRANCH_INSTRUCTIONS);
	int64_t error = kvm_pmu_group_add(group, LEADER, &instructions);

	return error ? error : kvm_pmu_group_add(group, SIBLING, &branches);
}

static void test_values(void)
{
	struct kvm_pmu_group group = { .members = 0 };
	struct kvm_pmu_group_values first = { 0 }, second = { 0 };
	int64_t error = open_pair(&group);

	error |= kvm_pmu_group_enable(&group);
	error |= kvm_pmu_group_read(&group, &first);
	loop_run(LOOPS);
	error |= kvm_pmu_group_read(&group, &second);
	loop_run(LOOPS);
	error |= kvm_pmu_group_disable(&group);
	report(!error && second.members == 2, "error %ld, %lu members", error, second.members);
	report(second.member[0].value - first.member[0].value > 2 * LOOPS, "instructions %lu",
	       second.member[0].value - first.member[0].value);
	report(second.member[0].value - first.member[0].value < 2 * LOOPS + 500, "and few of others");
	report(second.member[1].value - first.member[1].value >= LOOPS, "branches %lu",
	       second.member[1].value - first.member[1].value);
	report(second.time_enabled > first.time_enabled && second.time_enabled == second.time_running,
	       "time enabled %lu ns, running %lu ns", second.time_enabled, second.time_running);
	report(second.member[0].id && second.member[0].id != second.member[1].id, "ids %lu and %lu", second.member[0].id,
	       second.member[1].id);
	kvm_pmu_group_values(&group, &first);
	report(first.member[0].value == kvm_pmu_group_shared(&group, 0)->count &&
		       first.member[1].value == kvm_pmu_group_shared(&group, 1)->count &&
		       first.member[0].value > second.member[0].value + 2 * LOOPS,
	       "DISABLE leaves the final counts of both: %lu, %lu", first.member[0].value, first.member[1].value);
	report(kvm_pmu_group_close(&group) == 0, "closed");
}

static void test_refusals(void)
{
	struct kvm_pmu_group group = { .members = 0 };
	struct kvm_pv_perf_attr attr = hardware(PV_HW_INSTRUCTIONS);
	int64_t error = open_pair(&group);

	report(!error && perf_op(KVM_PV_PERF_OP_ENABLE, SIBLING) == -PV_EINVAL, "a sibling is not enabled alone");
	report(kvm_pmu_group_enable(&group) == 0 && perf_op(KVM_PV_PERF_OP_DISABLE, SIBLING) == -PV_EINVAL,
	       "nor disabled");
	report(kvm_pmu_group_add(&group, ALONE, &attr) == -PV_EINVAL, "nobody joins a group that runs");
	report(kvm_pmu_group_disable(&group) == 0 && kvm_pmu_group_add(&group, SIBLING, &attr) == -PV_EEXIST,
	       "an id in use is one in use");
	report(kvm_pmu_group_close(&group) == 0, "closed");
}

static void leg(void *arg)
{
	struct kvm_pmu_group *group = arg;

	kvm_pmu_group_enable(group);
	loop_run(LOOPS);
	kvm_pmu_group_disable(group);
}

/* Scenario 1 of the mail, for a group: it follows a task from vCPU to vCPU. */
static void test_moves(void)
{
	struct kvm_pmu_group group = { .members = 0 };
	struct kvm_pmu_group_values values;
	int64_t error = open_pair(&group);
	unsigned legs = 0;

	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++, legs++) {
		smp_call(vcpu, leg, &group);
		smp_wait(vcpu);
	}
	kvm_pmu_group_values(&group, &values);
	report(!error && values.member[0].value >= 2ul * LOOPS * legs && values.member[0].value < 2ul * LOOPS * legs + 100 * legs,
	       "%lu instructions in %u legs", values.member[0].value, legs);
	report(values.member[1].value >= (uint64_t)LOOPS * legs && values.member[1].value < (uint64_t)LOOPS * legs + 50 * legs,
	       "%lu branches", values.member[1].value);
	kvm_pmu_group_close(&group);
}

int guest_main(void)
{
	test_values();
	test_refusals();
	test_moves();
	return report_summary();
}
