/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters, clocks, rotation and freezing, exact on an injected clock. */
#include <errno.h>

#include "abi/agent.h"
#include "core/events/reading.h"
#include "core/exits/exit.h"
#include "core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, EVENTS = 0x2000 };
enum { USER_ONLY = 1 << KVM_PV_PERF_EXCLUDE_KERNEL, KERNEL_ONLY = 1 << KVM_PV_PERF_EXCLUDE_USER };

static struct fake_vm fake;

static void create(uint32_t counters)
{
	fake_vm_init(&fake, 2);
	fake.config.counters = counters;
	fake.now_ns = 1000;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
}

static gpa_t at(uint32_t id)
{
	return EVENTS + id * 16;
}

static void open_as(uint32_t id, uint32_t type, uint64_t config, uint64_t flags)
{
	put_open(&fake, PARAM, (int32_t)id, type, config, flags, at(id));
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
}

static uint64_t read_count(uint32_t vcpu, uint32_t id)
{
	CHECK_EQ(direct_op(&fake, vcpu, READ, id), 0);
	return fake_count(&fake, at(id));
}

static struct pv_event_times times_of(int32_t id)
{
	struct pv_event_times ret = { 0, 0 };

	CHECK_EQ(vm_event_times(fake.vm, id, &ret), 0);
	return ret;
}

static void sources(void)
{
	static const struct {
		uint32_t type, config, flags;
		uint64_t count; /* of 1000 kernel and 400 user instructions */
	} rows[] = {
		{ PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, 1400 },
		{ PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, USER_ONLY, 400 },
		{ PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, KERNEL_ONLY, 1000 },
		{ PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, KERNEL_ONLY | USER_ONLY, 0 },
		{ PV_TYPE_HARDWARE, PV_HW_BRANCH_INSTRUCTIONS, 0, 350 },
		{ PV_TYPE_HARDWARE, PV_HW_CPU_CYCLES, 0, 2800 },
		{ PV_TYPE_HARDWARE, PV_HW_REF_CPU_CYCLES, USER_ONLY, 800 },
		{ PV_TYPE_HARDWARE, PV_HW_BUS_CYCLES, 0, 112 },
		{ PV_TYPE_RAW, PV_RAW_INSTRUCTIONS, 0, 1400 },
		{ PV_TYPE_RAW, PV_RAW_BRANCH_INSTRUCTIONS, KERNEL_ONLY, 250 },
		{ PV_TYPE_RAW, PV_RAW_CPU_CYCLES, 0, 2800 },
		{ PV_TYPE_RAW, PV_RAW_REF_CPU_CYCLES, 0, 2800 },
		{ PV_TYPE_SOFTWARE, PV_SW_DUMMY, 0, 0 },
	};

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		create(1);
		open_as(i, rows[i].type, rows[i].config, rows[i].flags);
		direct_run(&fake, 0, 0, 12345);
		CHECK_EQ(direct_op(&fake, 0, ENABLE, i), 0);
		direct_run(&fake, 0, 0, 1000);
		direct_run(&fake, 0, 1, 400);
		CHECK_EQ(direct_op(&fake, 0, DISABLE, i), 0);
		CHECK_EQ(fake_count(&fake, at(i)), rows[i].count);
		fake_vm_destroy(&fake);
	}
}

/* 24 cycles are no bus cycle, but twice 24 are one. */
static void bus_cycles_are_floored_once(void)
{
	create(1);
	open_as(1, PV_TYPE_HARDWARE, PV_HW_BUS_CYCLES, 0);
	for (uint64_t i = 1; i <= 3; i++) {
		CHECK_EQ(direct_op(&fake, 0, ENABLE, 1), 0);
		direct_run(&fake, 0, 0, 12);
		CHECK_EQ(direct_op(&fake, 0, DISABLE, 1), 0);
		CHECK_EQ(fake_count(&fake, at(1)), i * 24 / 25);
	}
	fake_vm_destroy(&fake);
}

static void clocks(void)
{
	create(1);
	open_as(0, PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 0);
	open_as(1, PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, USER_ONLY);
	open_as(2, PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, KERNEL_ONLY);
	open_as(3, PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, USER_ONLY | KERNEL_ONLY);
	open_as(4, PV_TYPE_SOFTWARE, PV_SW_TASK_CLOCK, 0);
	for (uint32_t id = 0; id < 5; id++)
		CHECK_EQ(direct_op(&fake, 0, ENABLE, id), 0);
	fake.now_ns += 10000;
	direct_run(&fake, 0, 1, 1500); /* 6,000 ticks of half a ns in user mode */
	pv_mutex_lock(&fake.vm->vcpus[0].event_mutex);
	pmu_park(&fake.vm->vcpus[0], true);
	pv_mutex_unlock(&fake.vm->vcpus[0].event_mutex);
	fake.now_ns += 500;
	CHECK_EQ(read_count(1, 4), 10000); /* while parked, from elsewhere */
	fake.now_ns += 500;
	pv_mutex_lock(&fake.vm->vcpus[0].event_mutex);
	pmu_park(&fake.vm->vcpus[0], false);
	pv_mutex_unlock(&fake.vm->vcpus[0].event_mutex);
	fake.now_ns += 7;
	CHECK_EQ(read_count(0, 0), 11007);
	CHECK_EQ(read_count(0, 1), 3000);
	CHECK_EQ(read_count(0, 2), 8007);
	CHECK_EQ(read_count(0, 3), 0);
	CHECK_EQ(read_count(0, 4), 10007);
	direct_run(&fake, 0, 1, 1 << 20); /* the rates differ by a hair: never backwards */
	CHECK_EQ(read_count(0, 2), 8007);
	CHECK_EQ(read_count(0, 1), 11007);
	CHECK_EQ(fake.vm->vcpus[0].pmu.attached, 0); /* no hardware counter */
	fake_vm_destroy(&fake);
}

static void rotate(uint32_t vcpu)
{
	pv_mutex_lock(&fake.vm->vcpus[vcpu].event_mutex);
	pmu_rotate(&fake.vm->vcpus[vcpu]);
	pv_mutex_unlock(&fake.vm->vcpus[vcpu].event_mutex);
}

/* Three events on two counters: each runs two thirds of the time, in turn. */
static void rotation(void)
{
	static const uint64_t expected[3] = { 1 + 10 + 1000, 10 + 100, 100 + 1000 };
	uint64_t step = 10;

	create(2);
	for (uint32_t id = 0; id < 3; id++) {
		open_as(id, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, USER_ONLY);
		CHECK_EQ(direct_op(&fake, 0, ENABLE, id), 0);
		fake.now_ns += 100;
		direct_run(&fake, 0, 1, id == 0);
	}
	for (int i = 0; i < 3; i++, step *= 10) { /* 01, 12, 20 */
		direct_run(&fake, 0, 1, step);
		fake.now_ns += step;
		rotate(0);
	}
	for (uint32_t id = 0; id < 3; id++)
		CHECK_EQ(read_count(0, id), expected[id]);
	CHECK_EQ(times_of(0).enabled_ns, 300 + 1110);
	CHECK_EQ(times_of(0).running_ns, 300 + 10 + 1000);
	CHECK_EQ(times_of(1).enabled_ns, 200 + 1110);
	CHECK_EQ(times_of(1).running_ns, 200 + 110);
	CHECK_EQ(times_of(2).enabled_ns, 100 + 1110);
	CHECK_EQ(times_of(2).running_ns, 1100);
	/* back to 01: when 0 goes, 2 takes its counter at once */
	direct_run(&fake, 0, 1, 5);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 0), 0);
	direct_run(&fake, 0, 1, 7);
	CHECK_EQ(fake_count(&fake, at(0)), expected[0] + 5);
	CHECK_EQ(read_count(0, 1), expected[1] + 12);
	CHECK_EQ(read_count(0, 2), expected[2] + 7);
	rotate(0); /* two events, two counters */
	CHECK_EQ(read_count(0, 1), expected[1] + 12);
	fake_vm_destroy(&fake);
}

/* Whoever is enabled with no counter free, and gets one within the same exit, must not
 * count the instruction that enabled it. */
static void enabling_instruction_is_outside(void)
{
	create(1);
	open_as(1, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0);
	open_as(2, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 1), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 2), 0); /* counts for 1 alone */
	CHECK_EQ(direct_op(&fake, 1, DISABLE, 1), 0); /* from elsewhere: 2 gets the counter */
	CHECK_EQ(fake_count(&fake, at(1)), 1);
	CHECK_EQ(read_count(1, 2), 0);
	direct_run(&fake, 0, 0, 3);
	CHECK_EQ(read_count(1, 2), 3);
	fake_vm_destroy(&fake);
}

/* Moved, read and stopped from elsewhere while the instruction that enabled it has not
 * retired yet: nothing is counted, and nothing wraps. */
static void remote_before_retirement(void)
{
	struct pv_run *run;

	create(1);
	open_as(1, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0);
	run = fake.vm->vcpus[0].run;
	run->arg[0] = KVM_PERF_OP;
	run->arg[1] = ENABLE;
	run->arg[2] = 1;
	run->exit_reason = PV_EXIT_HYPERCALL;
	run->retire[PV_COUNT_INSTRUCTIONS] = 1;
	CHECK_EQ(exit_serve(&fake.vm->vcpus[0]), PV_ENTER_RESUME);
	CHECK_EQ(read_count(1, 1), 0);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 1), 0);
	direct_run(&fake, 1, 0, 4);
	run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL]++;
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 1), 0);
	CHECK_EQ(fake_count(&fake, at(1)), 4);
	fake_vm_destroy(&fake);
}

/* A closed event's times are remembered, the newest under its id. */
static void times_of_closed_events(void)
{
	struct pv_event_times times;

	create(1);
	CHECK_EQ(vm_event_times(fake.vm, 1, &times), -ENOENT);
	for (uint64_t i = 1; i <= 3; i++) {
		open_as(1, PV_TYPE_HARDWARE, PV_HW_CPU_CYCLES, 0);
		CHECK_EQ(times_of(1).enabled_ns, 0);
		CHECK_EQ(direct_op(&fake, 0, ENABLE, 1), 0);
		fake.now_ns += i * 100;
		CHECK_EQ(direct_op(&fake, 0, CLOSE, 1), 0);
		fake.now_ns += 5;
		CHECK_EQ(times_of(1).enabled_ns, i * 100);
		CHECK_EQ(times_of(1).running_ns, i * 100);
	}
	fake_vm_destroy(&fake);
}

/* An event's count as the host sees it, whoever opened it. */
static uint64_t count_on(uint32_t vcpu, int32_t id)
{
	struct host_event *event = fake.vm->design->get(fake.vm, NULL, id);
	struct pmu_value value = pmu_read(&fake.vm->vcpus[vcpu], event);
	uint64_t ret = pmu_count(event, &value);

	event_put(event);
	return ret;
}

/* What the agent executes on its way in and out is neither counted nor timed. */
static void agent_is_not_counted(void)
{
	struct pv_event_times times;
	struct pv_run *run;

	fake_vm_init(&fake, 2);
	fake.now_ns = 1000;
	fake.config.agent_start = (struct pv_jump){ .rip = 0x100, .rsp = 0x8000 };
	fake.config.agent_finish = (struct pv_jump){ .rip = 0x200, .rsp = 0x8000 };
	fake.config.agent_stack = 0x1000;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	run = fake.vm->vcpus[1].run;
	CHECK_EQ(run->jump.rip, 0x100);
	CHECK_EQ(run->jump.rsp, 0x9000);
	CHECK_EQ(run->jump.rdi, 1);
	direct_run(&fake, 1, 0, 100);
	for (uint32_t id = 1; id < 3; id++) {
		open_as(id, id == 2 ? PV_TYPE_SOFTWARE : PV_TYPE_HARDWARE,
			id == 2 ? PV_SW_CPU_CLOCK : PV_HW_INSTRUCTIONS, 0);
		CHECK_EQ(direct_op(&fake, 1, ENABLE, id), 0);
		direct_run(&fake, 1, 0, 50);
		fake.now_ns += 1000;
	}
	CHECK_EQ(direct_hypercall(&fake, 1, PV_HC_AGENT_DONE, PV_AGENT_FINISHED, 0, 0), -PV_EINVAL);
	CHECK_EQ(read_count(1, 1), 0);
	run->arg[1] = PV_AGENT_STARTED;
	run->arg[0] = PV_HC_AGENT_DONE;
	CHECK_EQ(exit_serve(&fake.vm->vcpus[1]), PV_ENTER_JUMP);
	CHECK_EQ(run->jump.rip, 0x1000);
	CHECK_EQ(run->jump.rdi, 1);
	CHECK_EQ(read_count(0, 1), 0); /* before the agent's last instruction has retired */
	direct_run(&fake, 1, 0, 1);
	CHECK_EQ(read_count(0, 1), 0); /* and after it */
	direct_run(&fake, 1, 0, 1000);
	fake.now_ns += 70;
	put_open(&fake, PARAM, 0, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, at(0));
	CHECK_EQ(direct_open(&fake, 1, PARAM), 0);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), 0);
	direct_run(&fake, 1, 0, 20);
	CHECK_EQ(direct_hypercall(&fake, 1, PV_HC_AGENT_DONE, PV_AGENT_FINISHED, 0, 0), -KVM_ENOSYS);
	pv_u32_store(&fake.vm->end.phase, PHASE_FINISHING);
	CHECK_EQ(direct_exit(&fake, 1, PV_EXIT_KICK), PV_ENTER_AGENT);
	CHECK_EQ(run->jump.rip, 0x200);
	direct_run(&fake, 1, 0, 100000);
	fake.now_ns += 100000;
	CHECK_EQ(count_on(1, 0), 21);
	CHECK_EQ(read_count(1, 1), 1023);
	CHECK_EQ(read_count(1, 2), 70);
	CHECK_EQ(vm_agent_times(fake.vm, 1, &times), 0);
	CHECK_EQ(times.enabled_ns, 70);
	run->arg[0] = PV_HC_AGENT_DONE;
	run->arg[1] = PV_AGENT_FINISHED;
	CHECK_EQ(direct_exit(&fake, 1, PV_EXIT_HYPERCALL), PV_ENTER_STOP);
	fake_vm_destroy(&fake);
}

const struct named_test pmu_tests[] = {
	{ "sources", sources, false },
	{ "bus_cycles_are_floored_once", bus_cycles_are_floored_once, false },
	{ "clocks", clocks, false },
	{ "rotation", rotation, false },
	{ "enabling_instruction_is_outside", enabling_instruction_is_outside, false },
	{ "remote_before_retirement", remote_before_retirement, false },
	{ "times_of_closed_events", times_of_closed_events, false },
	{ "agent_is_not_counted", agent_is_not_counted, false },
	{ NULL, NULL, false },
};
