/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing after DISABLE, nothing after CLOSE: wherever they come from, and whatever overflows at the time. */
#include "sampling.h"

enum { PERIOD = 1000, ITERATIONS = 100000 };

static int64_t event_open(struct kvm_pmu_event *event, kvm_pmu_overflow overflow)
{
	struct kvm_pv_perf_attr attr =
		kvm_pmu_attr_sampling(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false, PERIOD);
	int64_t error = kvm_pmu_open(event, &attr);

	event->overflow = overflow;
	return error;
}

/* What a closed event's 16 bytes hold, so that a later write shows. */
static void mark_set(struct kvm_pmu_event *event, uint64_t mark)
{
	volatile uint64_t *words = (volatile uint64_t *)&event->shared;

	words[0] = mark;
	words[1] = ~mark;
}

static bool mark_stands(const struct kvm_pmu_event *event, uint64_t mark)
{
	const volatile uint64_t *words = (const volatile uint64_t *)&event->shared;

	return words[0] == mark && words[1] == ~mark;
}

static void test_disable(void)
{
	uint64_t nmis, overflows, count;
	struct kvm_pmu_event event;
	int64_t error = event_open(&event, NULL);

	error |= window_run(&event, ITERATIONS);
	nmis = nmis_here();
	overflows = event_overflows(&event);
	count = kvm_pmu_count(&event);
	loop_run(10 * ITERATIONS);
	report(!error && overflows == WINDOW_INSTRUCTIONS(ITERATIONS) / PERIOD, "%lu overflows before DISABLE", overflows);
	report(nmis_here() == nmis && event_overflows(&event) == overflows && kvm_pmu_count(&event) == count,
	       "after DISABLE: %lu NMIs, %lu overflows, %lu counted", nmis_here() - nmis,
	       event_overflows(&event) - overflows, kvm_pmu_count(&event) - count);
	report(kvm_pmu_close(&event) == 0, "close");
}

/* Of a running event, with some overflows, and not yet the next one. */
static void test_close_running(void)
{
	uint64_t nmis, mark = 0x5aa5123456789abc;
	struct kvm_pmu_event event;
	int64_t error = event_open(&event, NULL);

	error |= kvm_pmu_enable(&event);
	loop_run(ITERATIONS);
	error |= kvm_pmu_close(&event);
	nmis = nmis_here();
	mark_set(&event, mark);
	loop_run(10 * ITERATIONS);
	report(!error && event.taken >= 2 * ITERATIONS / PERIOD, "%lu overflows before CLOSE, error %ld", event.taken,
	       error);
	report(nmis_here() == nmis && mark_stands(&event, mark), "after CLOSE: %lu NMIs, event %swritten to",
	       nmis_here() - nmis, mark_stands(&event, mark) ? "not " : "");
}

/* From the handler itself, at its `at`-th call. */
struct stop {
	uint64_t calls, at;
	int64_t (*op)(struct kvm_pmu_event *event);
	int64_t error;
};

static void stop_overflow(struct kvm_pmu_event *event, uint32_t n, struct exception_frame *frame)
{
	struct stop *stop = event->data;

	(void)n;
	(void)frame;
	if (++stop->calls == stop->at)
		stop->error = stop->op(event);
}

static void test_close_inside(uint64_t at)
{
	struct stop stop = { .at = at, .op = kvm_pmu_close, .error = 1 };
	struct kvm_pmu_event event;
	int64_t error = event_open(&event, stop_overflow);
	int32_t id = event.id;
	uint64_t nmis = nmis_here();

	event.data = &stop;
	error |= kvm_pmu_enable(&event);
	loop_run(10 * ITERATIONS);
	report(!error && !stop.error && stop.calls == at && event.taken == at && nmis_here() - nmis == at,
	       "CLOSE inside handler %lu: error %ld, %lu calls, %lu NMIs", at, stop.error, stop.calls,
	       nmis_here() - nmis);
	report(event.id == 0 && perf_op(KVM_PV_PERF_OP_READ, id) == -PV_ENOENT, "it is closed");
}

/* The rest of the period is kept for when it is enabled again. */
static void test_disable_inside(void)
{
	struct stop stop = { .at = 3, .op = kvm_pmu_disable, .error = 1 };
	uint64_t nmis = nmis_here(), count;
	struct kvm_pmu_event event;
	int64_t error = event_open(&event, stop_overflow);

	event.data = &stop;
	error |= kvm_pmu_enable(&event);
	loop_run(10 * ITERATIONS);
	count = kvm_pmu_count(&event);
	report(!error && !stop.error && stop.calls == 3 && nmis_here() - nmis == 3 && count / PERIOD == 3,
	       "DISABLE inside handler 3: %lu calls, %lu NMIs, count %lu", stop.calls, nmis_here() - nmis, count);
	error = window_run(&event, ITERATIONS);
	count += WINDOW_INSTRUCTIONS(ITERATIONS);
	report(!error && kvm_pmu_count(&event) == count && event.taken == count / PERIOD,
	       "enabled again: count %lu of %lu, %lu overflows of %lu", kvm_pmu_count(&event), count, event.taken,
	       count / PERIOD);
	report(kvm_pmu_close(&event) == 0, "close");
}

/* vCPU 1 overflows all the time, vCPU 0 closes at some moment. */
static struct kvm_pmu_event remote;
static uint64_t stop_remote;

struct remote_result {
	int64_t error;
	uint64_t late_nmis;
};

static void remote_run(void *arg)
{
	struct remote_result *result = arg;
	uint64_t nmis;

	result->error = kvm_pmu_enable(&remote);
	while (!atomic_load(&stop_remote))
		loop_run(50);
	nmis = nmis_here();
	loop_run(10 * PERIOD);
	result->late_nmis = nmis_here() - nmis;
}

static void test_close_from_elsewhere(uint64_t rounds)
{
	uint64_t failed = 0, late = 0, touched = 0, overflows = 0;

	if (cpu_count() < 2) {
		report_skip("CLOSE from another vCPU: needs two");
		return;
	}
	for (uint64_t i = 0; i < rounds; i++) {
		struct remote_result result = { 0 };
		uint64_t taken, mark = 0x1234500000000000 | i;

		atomic_store(&stop_remote, 0u);
		failed += event_open(&remote, NULL) != 0;
		smp_call(1, remote_run, &result);
		while (atomic_load(&remote.taken) <= i % 5)
			loop_run(i * 7 % 100 + 1);
		failed += kvm_pmu_close(&remote) != 0;
		taken = atomic_load(&remote.taken);
		mark_set(&remote, mark);
		loop_run(PERIOD);
		atomic_store(&stop_remote, 1u);
		smp_wait(1);
		failed += result.error != 0;
		late += result.late_nmis;
		touched += !mark_stands(&remote, mark) || atomic_load(&remote.taken) != taken;
		overflows += taken;
	}
	report(!failed && !late && !touched,
	       "closed from another vCPU %lu times after %lu overflows: %lu failed, %lu NMIs late, %lu written to", rounds,
	       overflows, failed, late, touched);
}

int guest_main(void)
{
	option_only("rounds", NULL);
	kvm_pmu_nmi_start();
	test_disable();
	test_close_running();
	for (uint64_t at = 1; at <= 4; at++)
		test_close_inside(at);
	test_disable_inside();
	test_close_from_elsewhere(option_number("rounds", 100));
	return report_summary();
}
