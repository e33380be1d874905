/* SPDX-License-Identifier: GPL-2.0-only */
/* What a handler that records samples sees: counts at most a block late, whose steps add up to the count. */
#include "sampling.h"

enum { PERIOD = 1009, ITERATIONS = 500000 };

struct seen {
	uint64_t calls, overflows, steps, last, late, latest;
};

static void on_overflow(struct kvm_pmu_event *event, uint32_t n, struct exception_frame *frame)
{
	uint64_t count = kvm_pmu_count(event), late;
	struct seen *seen = event->data;

	(void)frame;
	seen->calls++;
	seen->overflows += n;
	seen->steps += count - seen->last;
	seen->last = count;
	late = count - seen->overflows * PERIOD;
	seen->late += late >= WINDOW_MAX_BLOCK;
	seen->latest = late > seen->latest ? late : seen->latest;
}

static void sample(void *arg)
{
	struct kvm_pv_perf_attr attr =
		kvm_pmu_attr_sampling(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false, PERIOD);
	struct seen *seen = (struct seen *)arg + cpu_index();
	struct kvm_pmu_event event;

	kvm_pmu_open(&event, &attr);
	event.overflow = on_overflow;
	event.data = seen;
	window_run(&event, ITERATIONS);
	seen->steps += kvm_pmu_count(&event) - seen->last;
	kvm_pmu_close(&event);
}

int guest_main(void)
{
	static struct seen seen[GUEST_MAX_VCPUS];

	kvm_pmu_nmi_start();
	smp_run_all(sample, seen);
	for (unsigned i = 0; i < cpu_count(); i++) {
		const struct seen *s = &seen[i];

		report(s->steps == WINDOW_INSTRUCTIONS(ITERATIONS), "vCPU %u: the samples' steps add up to %lu of %lu", i,
		       s->steps, WINDOW_INSTRUCTIONS(ITERATIONS));
		report(s->overflows == WINDOW_INSTRUCTIONS(ITERATIONS) / PERIOD && s->calls == s->overflows,
		       "vCPU %u: %lu samples, %lu overflows of %lu", i, s->calls, s->overflows,
		       WINDOW_INSTRUCTIONS(ITERATIONS) / PERIOD);
		report(!s->late, "vCPU %u: %lu samples more than a block late, the latest %lu instructions", i, s->late,
		       s->latest);
	}
	return report_summary();
}
