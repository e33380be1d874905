/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scenario 1 of the interface: an event opened on vCPU 0 is enabled on vCPU 0, then
 * 1, then 2, while vCPU 3 reads it all the time. With fewer vCPUs, those there are.
 */
#include "guest.h"
#include "leg.h"

static struct kvm_pmu_event event;
static uint64_t stop_reading, reads, backwards, read_errors, highest;

static uint64_t leg_instructions(const struct leg *leg)
{
	return LEG_SETUP + leg->iterations * LEG_LOOP;
}

/* Reads again and again; a count below one seen before is wrong. */
static void read_on(void *arg)
{
	uint64_t count;

	(void)arg;
	while (!atomic_load(&stop_reading)) {
		if (kvm_pmu_read(&event, &count))
			read_errors++;
		if (count < highest)
			backwards++;
		highest = count > highest ? count : highest;
		atomic_fetch_add(&reads, 1u);
	}
}

/* The event goes round `n` vCPUs; every leg is run by one, and the next begins when it is over. */
static void test_round(unsigned n, unsigned legs, uint64_t iterations)
{
	uint64_t expected = 0;
	int64_t errors = 0;

	for (unsigned i = 0; i < legs; i++) {
		struct leg leg = { .id = event.id, .iterations = iterations + i };

		smp_call(i % n, leg_run, &leg);
		smp_wait(i % n);
		errors += leg.error != 0;
		expected += leg_instructions(&leg);
	}
	report(!errors && kvm_pmu_count(&event) == expected, "%u legs on %u vCPUs: count %lu, expected %lu, %ld errors",
	       legs, n, kvm_pmu_count(&event), expected, errors);
}

/* An event that still runs elsewhere moves with ENABLE alone: nothing is lost, and
 * nothing of the vCPU that it left is counted from then on. */
static void keep_enabled(void *arg)
{
	*(int64_t *)arg = kvm_pmu_enable(&event);
}

static void test_stolen(unsigned n)
{
	uint64_t before, after, expected;
	struct leg leg = { .id = event.id, .iterations = 1000 };
	int64_t error = 0;

	if (n < 2) {
		report_skip("an event that is taken from a running vCPU: needs two");
		return;
	}
	smp_call(1, keep_enabled, &error);
	smp_wait(1);
	kvm_pmu_read(&event, &before);
	leg_run(&leg); /* takes it to this vCPU, counts, stops */
	after = kvm_pmu_count(&event);
	expected = leg_instructions(&leg);
	report(!error && !leg.error && after - before >= expected, "taken from vCPU 1: %lu more, at least %lu",
	       after - before, expected);
	smp_call(1, leg_run, &leg);
	smp_wait(1);
	report(kvm_pmu_count(&event) == after + expected, "and back: %lu more, exactly %lu",
	       kvm_pmu_count(&event) - after, expected);
}

int guest_main(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	unsigned n = cpu_count(), workers = n > 3 ? 3 : n, reader = n > 3 ? 3 : 0;

	option_only("legs", "work", NULL);
	report(kvm_pmu_open(&event, &attr) == 0, "open on vCPU 0");
	if (reader) {
		smp_call(reader, read_on, NULL);
		while (!atomic_load(&reads))
			cpu_relax();
	}
	test_round(workers, (unsigned)option_number("legs", 30), option_number("work", 200000));
	if (reader) {
		atomic_store(&stop_reading, 1u);
		smp_wait(reader);
		report(!backwards && !read_errors, "%lu reads from vCPU %u: %lu went backwards, %lu failed", reads,
		       reader, backwards, read_errors);
		report(highest <= kvm_pmu_count(&event), "no read saw more than the final count");
	} else {
		report_skip("reads from another vCPU: needs four");
	}
	test_stolen(n);
	report(kvm_pmu_close(&event) == 0, "close");
	return report_summary();
}
