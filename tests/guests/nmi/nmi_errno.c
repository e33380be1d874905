/* SPDX-License-Identifier: GPL-2.0-only */
/* What OPEN says to periods and frequencies, and what never overflows. */
#include "sampling.h"

#define FLAG(name) (1ull << KVM_PV_PERF_##name)

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config, period, flags;
	int64_t expected;
} rows[] = {
	{ "period 1", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 1, 0, 0 },
	{ "period 2^63 - 1", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, ~0ull >> 1, 0, 0 },
	{ "period 2^63", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 1ull << PV_PERIOD_BITS, 0, -PV_EINVAL },
	{ "period 2^64 - 1", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, ~0ull, 0, -PV_EINVAL },
	{ "a frequency", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 1000, FLAG(FREQ), 0 },
	{ "frequency 0", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, FLAG(FREQ), -PV_EINVAL },
	{ "frequency 2^63", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 1ull << PV_PERIOD_BITS, FLAG(FREQ), -PV_EINVAL },
	{ "cpu-clock", PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 1000000, 0, 0 },
	{ "task-clock", PV_TYPE_SOFTWARE, PV_SW_TASK_CLOCK, 1000000, 0, 0 },
	{ "cpu-clock:u", PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 1000000, FLAG(EXCLUDE_KERNEL), -PV_EOPNOTSUPP },
	{ "cpu-clock:k", PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 1000000, FLAG(EXCLUDE_USER), -PV_EOPNOTSUPP },
	{ "task-clock:u", PV_TYPE_SOFTWARE, PV_SW_TASK_CLOCK, 1000000, FLAG(EXCLUDE_KERNEL), -PV_EOPNOTSUPP },
	{ "task-clock:k", PV_TYPE_SOFTWARE, PV_SW_TASK_CLOCK, 1000000, FLAG(EXCLUDE_USER), -PV_EOPNOTSUPP },
	{ "dummy", PV_TYPE_SOFTWARE, PV_SW_DUMMY, 1, 0, 0 },
	{ "inherit with a period", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 1000, FLAG(INHERIT), -PV_EOPNOTSUPP },
	{ "an unknown config with a period", PV_TYPE_HARDWARE, PV_HW_MAX, 1000, 0, -PV_EINVAL },
};

static void test_open(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(rows[i].type, rows[i].config, false, false, rows[i].period);
		struct kvm_pmu_event event;
		int64_t ret;

		attr.flags |= rows[i].flags;
		ret = kvm_pmu_open(&event, &attr);
		report(ret == rows[i].expected, "open %s: %ld, expected %ld", rows[i].name, ret, rows[i].expected);
		if (!ret)
			report(kvm_pmu_close(&event) == 0, "close %s", rows[i].name);
	}
}

static void test_dummy(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(PV_TYPE_SOFTWARE, PV_SW_DUMMY, false, false, 1);
	struct kvm_pmu_event event;
	int64_t error = kvm_pmu_open(&event, &attr);

	error |= window_run(&event, 1000000);
	report(!error && !kvm_pmu_count(&event) && !event_overflows(&event) && !nmis_here(),
	       "dummy with period 1: count %lu, %lu overflows, %lu NMIs", kvm_pmu_count(&event), event_overflows(&event),
	       nmis_here());
	kvm_pmu_close(&event);
}

/* The table of one vCPU is full: one more is refused, and there is room again afterwards. */
static void test_slots(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(PV_TYPE_SOFTWARE, PV_SW_DUMMY, false, false, 1);
	struct kvm_pmu_event *events = memory_need(sizeof(*events) * (KVM_PMU_SLOTS + 1), 16);
	int64_t error = 0;

	for (unsigned i = 0; i < KVM_PMU_SLOTS; i++)
		error |= kvm_pmu_open(&events[i], &attr) | kvm_pmu_enable(&events[i]);
	error |= kvm_pmu_open(&events[KVM_PMU_SLOTS], &attr);
	report(!error, "%u sampling events on one vCPU", KVM_PMU_SLOTS);
	report(kvm_pmu_enable(&events[KVM_PMU_SLOTS]) == -PV_ENOSPC, "one more: ENOSPC");
	report(kvm_pmu_enable(&events[7]) == 0, "one of them again");
	report(kvm_pmu_disable(&events[7]) == 0 && kvm_pmu_enable(&events[KVM_PMU_SLOTS]) == 0, "room after DISABLE");
	for (unsigned i = 0; i <= KVM_PMU_SLOTS; i++)
		error |= kvm_pmu_close(&events[i]);
	report(!error, "close them all");
}

int guest_main(void)
{
	kvm_pmu_nmi_start();
	test_open();
	test_dummy();
	test_slots();
	return report_summary();
}
