/* SPDX-License-Identifier: GPL-2.0-only */
/* Once CLOSE has returned, the host never writes to the 16 bytes again, whoever else is at it. */
#include "guest.h"

enum { WATCH = 2000 };

static struct kvm_pmu_event event, other;
static uint64_t stop, meddled;

/* All the while: reads, disables and enables it, open or not. */
static void meddle(void *arg)
{
	static const uint64_t ops[] = { KVM_PV_PERF_OP_READ, KVM_PV_PERF_OP_ENABLE, KVM_PV_PERF_OP_DISABLE };

	(void)arg;
	for (uint64_t i = 0; !atomic_load(&stop); i++) {
		perf_op(ops[i % ARRAY_SIZE(ops)], atomic_load(&event.id));
		perf_op(KVM_PV_PERF_OP_READ, other.id);
		atomic_fetch_add(&meddled, 1u);
	}
}

/* Closes it in whatever state it is, leaves a mark in its bytes, and watches the mark. */
static bool close_and_watch(uint64_t mark)
{
	volatile uint64_t *words = (volatile uint64_t *)&event.shared;
	int32_t id = event.id;

	if (perf_op(KVM_PV_PERF_OP_CLOSE, id))
		return false;
	words[0] = mark;
	words[1] = ~mark;
	for (unsigned i = 0; i < WATCH; i++)
		if (words[0] != mark || words[1] != ~mark)
			return false;
	return perf_op(KVM_PV_PERF_OP_READ, id) == -PV_ENOENT && words[0] == mark && words[1] == ~mark;
}

static void test_close(const char *what, uint64_t rounds, bool enable)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	uint64_t changed = 0, failed = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		failed += kvm_pmu_open(&event, &attr) != 0;
		if (enable)
			failed += kvm_pmu_enable(&event) != 0;
		changed += !close_and_watch(0x5aa5000000000000 | i);
	}
	report(!changed && !failed, "%s: %lu closed, %lu changed afterwards, %lu not opened", what, rounds, changed,
	       failed);
}

int guest_main(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_CPU_CYCLES, false, false);
	uint64_t rounds;

	option_only("rounds", NULL);
	rounds = option_number("rounds", 300);
	report(kvm_pmu_open(&other, &attr) == 0 && kvm_pmu_enable(&other) == 0, "another event runs");
	test_close("stopped", rounds, false);
	test_close("running", rounds, true);
	for (unsigned i = 1; i < cpu_count(); i++)
		smp_call(i, meddle, NULL);
	if (cpu_count() > 1) {
		while (!atomic_load(&meddled))
			cpu_relax();
		test_close("stopped, others meddle", rounds, false);
		test_close("running, others meddle", rounds, true);
	}
	atomic_store(&stop, 1u);
	for (unsigned i = 1; i < cpu_count(); i++)
		smp_wait(i);
	report(kvm_pmu_close(&other) == 0, "close the other");
	return report_summary();
}
