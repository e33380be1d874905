/* SPDX-License-Identifier: GPL-2.0-only */
/* N events with period P give exactly floor(N / P) overflows, and an NMI for each that is a block apart. */
#include "sampling.h"

#define INSTRUCTIONS PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS
#define BRANCHES PV_TYPE_RAW, PV_RAW_BRANCH_INSTRUCTIONS
#define CYCLES PV_TYPE_HARDWARE, PV_HW_CPU_CYCLES
#define MILLION WINDOW_ITERATIONS(1000000)

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config, iterations, period, count;
} rows[] = {
	{ "instructions", INSTRUCTIONS, MILLION, 100000, 1000000 },
	{ "instructions, two short of the tenth", INSTRUCTIONS, MILLION - 1, 100000, 999998 },
	{ "instructions, period N", INSTRUCTIONS, MILLION, 1000000, 1000000 },
	{ "instructions, period N + 1", INSTRUCTIONS, MILLION, 1000001, 1000000 },
	{ "instructions, period 2^32", INSTRUCTIONS, MILLION, 1ull << 32, 1000000 },
	{ "instructions, period 2^63 - 1", INSTRUCTIONS, MILLION, (1ull << 63) - 1, 1000000 },
	{ "instructions, period 1", INSTRUCTIONS, WINDOW_ITERATIONS(2000), 1, 2000 },
	{ "instructions, period 2", INSTRUCTIONS, WINDOW_ITERATIONS(2000), 2, 2000 },
	{ "instructions, period 7", INSTRUCTIONS, WINDOW_ITERATIONS(10000), 7, 10000 },
	{ "instructions, period 97", INSTRUCTIONS, WINDOW_ITERATIONS(100000), 97, 100000 },
	{ "instructions, period 10007", INSTRUCTIONS, MILLION, 10007, 1000000 },
	{ "instructions, period 999983", INSTRUCTIONS, MILLION, 999983, 1000000 },
	{ "branches", BRANCHES, 500000, 50000, 500000 },
	{ "branches, period 49999", BRANCHES, 500000, 49999, 500000 },
	{ "branches, period 3", BRANCHES, 1000, 3, 1000 },
	{ "branches, period N + 1", BRANCHES, 500000, 500001, 500000 },
	{ "cycles", CYCLES, MILLION, 100000, 1000000 },
	{ "cycles, period 12347", CYCLES, MILLION, 12347, 1000000 },
};

struct sampled {
	int64_t error;
	uint64_t count, overflows, left, nmis;
};
static struct sampled results[GUEST_MAX_VCPUS][ARRAY_SIZE(rows)];

static struct sampled sample_row(unsigned row)
{
	struct kvm_pv_perf_attr attr =
		kvm_pmu_attr_sampling(rows[row].type, rows[row].config, false, false, rows[row].period);
	uint64_t nmis = nmis_here();
	struct kvm_pmu_event event;
	struct sampled ret = { .error = kvm_pmu_open(&event, &attr) };

	if (ret.error)
		return ret;
	ret.error = window_run(&event, rows[row].iterations);
	ret.nmis = nmis_here() - nmis;
	ret.overflows = event.taken;
	ret.left = (uint32_t)event.shared.overflows;
	ret.count = kvm_pmu_count(&event);
	kvm_pmu_close(&event);
	return ret;
}

static void sample_rows(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		results[cpu_index()][i] = sample_row(i);
}

/* The NMI of the last overflow comes as DISABLE returns: so nothing is left in the word. */
static void check_row(unsigned vcpu, unsigned row)
{
	const struct sampled *s = &results[vcpu][row];
	uint64_t expected = rows[row].count / rows[row].period;
	bool apart = rows[row].period > WINDOW_MAX_BLOCK;

	report(!s->error && s->count == rows[row].count && s->overflows == expected && !s->left &&
		       (apart ? s->nmis == expected : s->nmis <= expected),
	       "vCPU %u: %s: error %ld, %lu of %lu, %lu overflows of %lu, %lu left, %lu NMIs", vcpu, rows[row].name,
	       s->error, s->count, rows[row].count, s->overflows, expected, s->left, s->nmis);
}

/* What is left of a period goes on in the next window. */
static void test_remainder(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(INSTRUCTIONS, false, false, 1000);
	uint64_t wrong = 0, count = 0;
	struct kvm_pmu_event event;

	kvm_pmu_open(&event, &attr);
	for (unsigned i = 0; i < 1000; i++) {
		count += WINDOW_INSTRUCTIONS(i + 1);
		wrong += window_run(&event, i + 1) || event.taken != count / 1000;
	}
	report(!wrong && kvm_pmu_count(&event) == count, "1000 windows: %lu of %lu, %lu overflows, %lu times wrong",
	       kvm_pmu_count(&event), count, event.taken, wrong);
	kvm_pmu_close(&event);
}

/* At CPL 0 a counter of CPL 3 never overflows. */
static void test_other_level(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr_sampling(INSTRUCTIONS, false, true, 1);
	uint64_t nmis = nmis_here();
	struct kvm_pmu_event event;
	int64_t error;

	kvm_pmu_open(&event, &attr);
	error = window_run(&event, 10000);
	report(!error && !event_overflows(&event) && nmis_here() == nmis, "at CPL 3 alone: %lu overflows, %lu NMIs",
	       event_overflows(&event), nmis_here() - nmis);
	kvm_pmu_close(&event);
}

/* ENABLE the first, ENABLE the second, the loop, DISABLE the second, DISABLE the first: the first counts
 * both hypercalls of the second, and three instructions before each. */
void window_of_two(int32_t first, int32_t second, uint64_t iterations);
__attribute__((naked)) void window_of_two(int32_t first, int32_t second, uint64_t iterations)
{
	(void)first;
	(void)second;
	(void)iterations;
	__asm__ volatile("push %rbx\n\t"
			 "mov %rdx, %r8\n\t"
			 "mov $3, %eax; mov $3, %ebx; mov %edi, %ecx; vmcall\n\t"
			 "mov $3, %eax; mov $3, %ebx; mov %esi, %ecx; vmcall\n"
			 "1: dec %r8\n\t"
			 "jnz 1b\n\t"
			 "mov $3, %eax; mov $4, %ebx; mov %esi, %ecx; vmcall\n\t"
			 "mov $3, %eax; mov $4, %ebx; mov %edi, %ecx; vmcall\n\t"
			 "pop %rbx\n\t"
			 "ret");
}

static void test_two(uint64_t first_period, uint64_t second_period)
{
	enum { ITERATIONS = 500000, INNER = 2 * ITERATIONS + 3, OUTER = INNER + 8 };
	struct kvm_pv_perf_attr attr[2] = {
		kvm_pmu_attr_sampling(INSTRUCTIONS, false, false, first_period),
		kvm_pmu_attr_sampling(INSTRUCTIONS, false, false, second_period),
	};
	uint64_t nmis = nmis_here(), expected[2] = { OUTER / first_period, INNER / second_period };
	struct kvm_pmu_event event[2];

	for (unsigned i = 0; i < 2; i++) {
		kvm_pmu_open(&event[i], &attr[i]);
		event[i].slot = kvm_pmu_slot_here(&event[i]);
	}
	window_of_two(event[0].id, event[1].id, ITERATIONS);
	nmis = nmis_here() - nmis;
	report(kvm_pmu_count(&event[0]) == OUTER && kvm_pmu_count(&event[1]) == INNER &&
		       event[0].taken == expected[0] && event[1].taken == expected[1] &&
		       nmis <= expected[0] + expected[1],
	       "periods %lu and %lu at once: %lu and %lu overflows of %lu and %lu, %lu NMIs", first_period,
	       second_period, event[0].taken, event[1].taken, expected[0], expected[1], nmis);
	for (unsigned i = 0; i < 2; i++) {
		kvm_pmu_slot_leave(&event[i]);
		kvm_pmu_close(&event[i]);
	}
}

int guest_main(void)
{
	kvm_pmu_nmi_start();
	smp_run_all(sample_rows, NULL);
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++)
		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
			check_row(vcpu, i);
	test_remainder();
	test_other_level();
	test_two(100000, 100000);
	test_two(10007, 99991);
	test_two(1ull << 40, 333);
	return report_summary();
}
