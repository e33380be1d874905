/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * More enabled events than hardware counters: at every moment exactly as many count
 * as there are counters, and each gets its turn. The sum of the counts is therefore
 * (counters x what was executed).
 */
#include "guest.h"

enum { PER_COUNTER = 3, EVENTS_MOST = 256, SETUP_PER_EVENT = 400 };

static struct kvm_pmu_event events[EVENTS_MOST];

static void work(uint64_t iterations)
{
	__asm__ volatile("1: dec %0\n\t"
			 "jnz 1b"
			 : "+r"(iterations));
}

static bool open_all(unsigned n)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	int64_t errors = 0;

	for (unsigned i = 0; i < n; i++)
		errors |= kvm_pmu_open(&events[i], &attr);
	for (unsigned i = 0; i < n; i++)
		errors |= kvm_pmu_enable(&events[i]);
	return !errors;
}

static bool close_all(unsigned n, uint64_t *sum, unsigned *idle)
{
	int64_t errors = 0;

	for (unsigned i = 0; i < n; i++)
		errors |= kvm_pmu_disable(&events[i]);
	for (unsigned i = 0; i < n; i++) {
		*sum += kvm_pmu_count(&events[i]);
		*idle += kvm_pmu_count(&events[i]) == 0;
		errors |= kvm_pmu_close(&events[i]);
	}
	return !errors;
}

static void test_events(const char *what, unsigned n, unsigned counters, uint64_t iterations)
{
	unsigned running = n < counters ? n : counters, idle = 0;
	uint64_t sum = 0, least = running * iterations * 2;
	uint64_t most = least + (uint64_t)running * n * SETUP_PER_EVENT;
	bool opened = open_all(n), closed;

	work(iterations);
	closed = close_all(n, &sum, &idle);
	report(opened && closed, "%s: %u events", what, n);
	report(sum >= least && sum <= most, "%s: the sum of the counts is %lu, from %lu to %lu", what, sum, least, most);
	report(!idle, "%s: %u events never had a turn", what, idle);
}

int guest_main(void)
{
	struct kvm_pmu_capabilities capabilities;
	uint64_t iterations;

	option_only("work", NULL);
	iterations = option_number("work", 200000000);
	if (!kvm_pmu_discover(&capabilities) || capabilities.counters * PER_COUNTER > EVENTS_MOST ||
	    capabilities.counters * PER_COUNTER > capabilities.max_events) {
		report_skip("no such number of events");
		return report_summary();
	}
	test_events("as many as counters", capabilities.counters, capabilities.counters, iterations / 10);
	test_events("three for a counter", capabilities.counters * PER_COUNTER, capabilities.counters, iterations);
	test_events("one more than counters", capabilities.counters + 1, capabilities.counters, iterations);
	return report_summary();
}
