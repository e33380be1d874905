/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scenario 1 of the interface: perf events that belong to a task which moves from
 * vCPU to vCPU. The loop's instructions are known; what else lies between enable
 * and disable is measured first, by the same task with a loop of one iteration.
 */
#include "guest.h"

GUEST_DESCRIPTION("a task goes round the vCPUs, its events follow, its counts are exact; rounds=200 work=250000");

enum { INSTRUCTIONS = 0, BRANCHES = 1, EVENTS = 2 };

struct journey {
	uint64_t rounds, work;
	unsigned next[GUEST_MAX_VCPUS]; /* where to go from each vCPU */
	uint64_t count[EVENTS];
	int64_t error;
};

static struct task task;
static struct kvm_pmu_event events[EVENTS];
static const struct kvm_pv_perf_attr attrs[EVENTS] = {
	[INSTRUCTIONS] = { .type = PV_TYPE_HARDWARE, .config = PV_HW_INSTRUCTIONS },
	[BRANCHES] = { .type = PV_TYPE_HARDWARE, .config = PV_HW_BRANCH_INSTRUCTIONS },
};
static const uint64_t per_iteration[EVENTS] = { [INSTRUCTIONS] = 2, [BRANCHES] = 1 };

static inline void work(uint64_t iterations)
{
	__asm__ volatile("1: dec %0\n\t"
			 "jnz 1b"
			 : "+r"(iterations));
}

/* The task. Between enable and disable it executes the same instructions wherever it goes. */
static void travel(void *arg)
{
	struct journey *journey = arg;

	for (unsigned i = 0; i < EVENTS && !journey->error; i++)
		journey->error = kvm_pmu_open(&events[i], &attrs[i]);
	for (unsigned i = 0; i < EVENTS && !journey->error; i++)
		journey->error = task_event_attach(&events[i]);
	if (journey->error)
		return;
	for (uint64_t i = 0; i < journey->rounds; i++) {
		work(journey->work);
		task_migrate(journey->next[cpu_index()]);
	}
	for (unsigned i = EVENTS; i-- > 0;) {
		task_event_detach(&events[i]);
		journey->count[i] = kvm_pmu_count(&events[i]);
		kvm_pmu_close(&events[i]);
	}
}

static void run(struct journey *journey, uint64_t rounds, uint64_t iterations, unsigned step)
{
	*journey = (struct journey){ .rounds = rounds, .work = iterations };
	for (unsigned i = 0; i < cpu_count(); i++)
		journey->next[i] = (i + step) % cpu_count();
	task_start(&task, 0, travel, journey);
	task_join(&task);
	if (journey->error) {
		console_printf("pingpong: cannot open or enable an event: error %ld\n", journey->error);
		guest_exit(1);
	}
}

int guest_main(void)
{
	static const char *const names[EVENTS] = { [INSTRUCTIONS] = "instructions", [BRANCHES] = "branches" };
	static struct journey home, away;
	uint64_t rounds, iterations;
	int wrong = 0;

	option_only("rounds", "work", NULL);
	rounds = option_number("rounds", 200);
	iterations = option_number("work", 250000);
	if (!iterations) {
		console_printf("pingpong: work must not be 0\n");
		return STATUS_USAGE;
	}
	run(&home, rounds, 1, 0);
	run(&away, rounds, iterations, 1);
	for (unsigned i = 0; i < EVENTS; i++) {
		uint64_t expected = home.count[i] + rounds * (iterations - 1) * per_iteration[i];

		console_printf("pingpong: %u vCPU%s, %lu moves: %s %lu, expected %lu%s\n", cpu_count(), plural(cpu_count()),
			       rounds, names[i], away.count[i], expected, away.count[i] == expected ? "" : ", WRONG");
		wrong |= away.count[i] != expected;
	}
	return wrong;
}
