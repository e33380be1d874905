/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Work at both privilege levels, told apart by exclude_user and exclude_kernel.
 * The loops' instructions are known; what else is executed is measured first, with
 * loops of one iteration.
 */
#include "guest.h"

GUEST_DESCRIPTION("CPL 3 and back, counted with :u and :k apart; rounds=200 user=200000 kernel=50000");

enum { USER, KERNEL, BOTH, EVENTS };

struct measurement {
	uint64_t rounds, work[2]; /* at USER and KERNEL: iterations of two instructions */
	uint64_t count[EVENTS];
	int64_t error;
};

static struct measurement first[GUEST_MAX_VCPUS], second[GUEST_MAX_VCPUS];
static uint64_t rounds, iterations[2];
static const char *const names[EVENTS] = {
	[USER] = "instructions:u", [KERNEL] = "instructions:k", [BOTH] = "instructions",
};

static inline void work(uint64_t n)
{
	__asm__ volatile("1: dec %0\n\t"
			 "jnz 1b"
			 : "+r"(n));
}

static uint64_t kernel_work(void *arg)
{
	const struct measurement *m = arg;

	work(m->work[KERNEL]);
	return 0;
}

static uint64_t user_work(void *arg)
{
	const struct measurement *m = arg;

	work(m->work[USER]);
	return user_call_kernel(kernel_work, arg);
}

static void measure(struct measurement *m)
{
	struct kvm_pmu_event events[EVENTS];
	struct kvm_pv_perf_attr attrs[EVENTS];

	for (unsigned i = 0; i < EVENTS && !m->error; i++) {
		attrs[i] = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, i == KERNEL, i == USER);
		m->error = kvm_pmu_open(&events[i], &attrs[i]);
	}
	for (unsigned i = 0; i < EVENTS && !m->error; i++)
		m->error = kvm_pmu_enable(&events[i]);
	if (m->error)
		return;
	for (uint64_t i = 0; i < m->rounds; i++)
		user_run(user_work, m);
	for (unsigned i = 0; i < EVENTS; i++) {
		kvm_pmu_disable(&events[i]);
		m->count[i] = kvm_pmu_count(&events[i]);
		kvm_pmu_close(&events[i]);
	}
}

static void measure_twice(void *arg)
{
	unsigned vcpu = cpu_index();

	(void)arg;
	first[vcpu] = (struct measurement){ .rounds = rounds, .work = { 1, 1 } };
	second[vcpu] = (struct measurement){ .rounds = rounds, .work = { iterations[USER], iterations[KERNEL] } };
	measure(&first[vcpu]);
	measure(&second[vcpu]);
}

static int check(unsigned vcpu)
{
	uint64_t more[EVENTS];
	int wrong = 0;

	if (first[vcpu].error || second[vcpu].error) {
		console_printf("user: vCPU %u: cannot open or enable an event\n", vcpu);
		return 1;
	}
	more[USER] = rounds * (iterations[USER] - 1) * 2;
	more[KERNEL] = rounds * (iterations[KERNEL] - 1) * 2;
	more[BOTH] = more[USER] + more[KERNEL];
	for (unsigned i = 0; i < EVENTS; i++) {
		uint64_t count = second[vcpu].count[i], expected = first[vcpu].count[i] + more[i];

		console_printf("user: vCPU %u: %s %lu, expected %lu%s\n", vcpu, names[i], count, expected,
			       count == expected ? "" : ", WRONG");
		wrong |= count != expected;
	}
	return wrong;
}

int guest_main(void)
{
	int wrong = 0;

	option_only("rounds", "user", "kernel", NULL);
	rounds = option_number("rounds", 200);
	iterations[USER] = option_number("user", 200000);
	iterations[KERNEL] = option_number("kernel", 50000);
	if (!iterations[USER] || !iterations[KERNEL]) {
		console_printf("user: user and kernel must not be 0\n");
		return STATUS_USAGE;
	}
	smp_run_all(measure_twice, NULL);
	for (unsigned i = 0; i < cpu_count(); i++)
		wrong |= check(i);
	return wrong;
}
