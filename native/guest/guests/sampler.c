/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

GUEST_DESCRIPTION("samples itself through the driver, on every vCPU; event=instructions period=100000 iterations=50000000");

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config;
} names[] = {
	{ "instructions", PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS },
	{ "cycles", PV_TYPE_HARDWARE, PV_HW_CPU_CYCLES },
	{ "branches", PV_TYPE_HARDWARE, PV_HW_BRANCH_INSTRUCTIONS },
	{ "cpu-clock", PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK },
};

static uint64_t iterations;
static struct kvm_pv_perf_attr attr;
static struct sampled {
	struct kvm_pmu_event event;
	int64_t error;
} sampled[GUEST_MAX_VCPUS];

static void sample(void *arg)
{
	struct sampled *own = &sampled[cpu_index()];
	uint64_t n = iterations;

	(void)arg;
	own->error = kvm_pmu_open(&own->event, &attr);
	if (own->error)
		return;
	own->error = kvm_pmu_enable(&own->event);
	if (n)
		__asm__ volatile("1: dec %0\n\t"
				 "jnz 1b"
				 : "+r"(n)
				 :
				 : "cc");
	kvm_pmu_disable(&own->event);
	kvm_pmu_close(&own->event);
}

static bool attr_from_options(void)
{
	const char *name = option_text("event", "instructions");

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i].name)) {
			attr = kvm_pmu_attr_sampling(names[i].type, names[i].config, false, false,
						     option_number("period", 100000));
			return true;
		}
	console_printf("sampler: event is one of instructions, cycles, branches, cpu-clock, not %s\n", name);
	return false;
}

int guest_main(void)
{
	uint64_t count = 0, overflows = 0, nmis = 0, most = 0;

	option_only("event", "period", "iterations", NULL);
	iterations = option_number("iterations", 50000000);
	if (!attr_from_options())
		return STATUS_USAGE;
	kvm_pmu_nmi_start();
	smp_run_all(sample, NULL);
	for (unsigned i = 0; i < cpu_count(); i++) {
		struct kvm_pmu_nmi_counts counts = kvm_pmu_nmi_counts(i);

		if (sampled[i].error) {
			console_printf("sampler: vCPU %u: error %ld\n", i, sampled[i].error);
			return 1;
		}
		count += kvm_pmu_count(&sampled[i].event);
		overflows += sampled[i].event.taken + (uint32_t)sampled[i].event.shared.overflows;
		nmis += counts.nmis;
		most = counts.most > most ? counts.most : most;
	}
	console_printf("sampler: %u vCPU%s: count %lu, %lu overflows, %lu NMIs, at most %lu overflow%s at once\n",
		       cpu_count(), plural(cpu_count()), count, overflows, nmis, most, plural(most));
	return 0;
}
