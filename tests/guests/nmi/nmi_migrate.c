/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A period that an event began on one vCPU goes on on the next: nothing is lost on
 * the way, and nothing counts twice (rr issue 3607 is such a case on real hardware).
 */
#include "sampling.h"

enum { LEG = 500, PERIOD = 3 * (2 * LEG + 4) };
_Static_assert(PERIOD == 3 * WINDOW_INSTRUCTIONS(LEG), "three legs are a period");

static struct kvm_pmu_event event;

static void event_open(uint64_t period)
{
	struct kvm_pv_perf_attr attr =
		kvm_pmu_attr_sampling(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false, period);
	int64_t error = kvm_pmu_open(&event, &attr);

	report(!error, "open with period %lu: %ld", period, error);
}

static void leg_run(void *arg)
{
	*(int64_t *)arg |= window_run(&event, LEG);
}

/* A third of the period on each vCPU in turn: every third leg ends with an overflow. */
static void test_thirds(uint64_t legs)
{
	uint64_t wrong = 0, count = 0;
	int64_t error = 0;

	event_open(PERIOD);
	for (uint64_t i = 0; i < legs; i++) {
		unsigned vcpu = (unsigned)(i % cpu_count());

		smp_call(vcpu, leg_run, &error);
		smp_wait(vcpu);
		count += WINDOW_INSTRUCTIONS(LEG);
		wrong += event.taken != count / PERIOD || event.shared.overflows;
	}
	report(!error && !wrong && kvm_pmu_count(&event) == count,
	       "%lu legs of a third of the period: error %ld, %lu of %lu, %lu overflows of %lu, wrong after %lu", legs,
	       error, kvm_pmu_count(&event), count, event.taken, count / PERIOD, wrong);
	kvm_pmu_close(&event);
}

/* Taken away while it runs, by ENABLE elsewhere, as often as can be. */
static uint64_t steals;

static void steal_on(void *arg)
{
	(void)arg;
	kvm_pmu_enable(&event);
	loop_run(300 + steals % 7 * 100);
}

static void test_stolen(uint64_t rounds)
{
	uint64_t count;

	event_open(997);
	for (steals = 0; steals < rounds; steals++) {
		unsigned vcpu = (unsigned)(steals % cpu_count());

		smp_call(vcpu, steal_on, NULL);
		smp_wait(vcpu);
	}
	report(kvm_pmu_disable(&event) == 0, "disable at the end");
	count = kvm_pmu_count(&event);
	report(event_overflows(&event) == count / 997, "taken from vCPU to vCPU %lu times: count %lu, %lu overflows of %lu",
	       rounds, count, event_overflows(&event), count / 997);
	kvm_pmu_close(&event);
}

/* A task takes its event along. */
static void task_work(void *arg)
{
	uint64_t rounds = *(uint64_t *)arg;

	task_event_attach(&event);
	for (uint64_t i = 0; i < rounds; i++) {
		loop_run(200);
		task_migrate((unsigned)(i % cpu_count()));
	}
	task_event_detach(&event);
}

static void test_task(uint64_t rounds)
{
	struct task *task = memory_need(sizeof(*task), 64);
	uint64_t count;

	event_open(1009);
	task_start(task, 0, task_work, &rounds);
	task_join(task);
	count = kvm_pmu_count(&event);
	report(event_overflows(&event) == count / 1009, "a task that migrates %lu times: count %lu, %lu overflows of %lu",
	       rounds, count, event_overflows(&event), count / 1009);
	kvm_pmu_close(&event);
}

int guest_main(void)
{
	uint64_t rounds;

	option_only("rounds", NULL);
	rounds = option_number("rounds", 600);
	kvm_pmu_nmi_start();
	test_thirds(rounds);
	test_stolen(rounds);
	test_task(rounds);
	return report_summary();
}
