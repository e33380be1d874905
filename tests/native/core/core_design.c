/* SPDX-License-Identifier: GPL-2.0-only */
/* The designs: each defect of the posted code happens in "posted" and not in "per-vm", and so on. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, OTHER_PARAM = 0x1800, EVENTS = 0x2000 };

static struct fake_vm fake;
static const char *design;
static bool posted; /* is that the design? */

static gpa_t at(uint32_t id)
{
	return EVENTS + id * 16;
}

static void prepare(void)
{
	fake_vm_init(&fake, 2);
	fake.now_ns = 1000;
	fake.config.design = design;
}

static void create(void)
{
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
}

static int64_t open_on(uint32_t vcpu, uint32_t id, uint64_t period)
{
	gpa_t param = vcpu ? OTHER_PARAM : PARAM;

	put_sampling(&fake, param, (int32_t)id, PV_HW_INSTRUCTIONS, 0, period, at(id));
	return direct_open(&fake, vcpu, param);
}

/* Opened and enabled on vCPU 0, which then has `overflows` of them. */
static void overflow(uint32_t overflows)
{
	CHECK_EQ(open_on(0, 0, 100), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), 0);
	direct_enter(&fake, 0);
	direct_run(&fake, 0, 0, 100 * overflows);
	direct_exit(&fake, 0, PV_EXIT_OVERFLOW);
}

static int64_t lost(void)
{
	struct pv_vm_statistics s;

	vm_statistics(fake.vm, &s);
	return (int64_t)(s.overflows_raised - s.overflows_delivered - s.overflows_in_shadow - s.overflows_dropped);
}

static void each_design(void (*test)(void))
{
	for (int i = 0; i < 2; i++) {
		posted = i;
		design = posted ? "posted" : "per-vm";
		prepare();
		test();
		fake_vm_destroy(&fake);
	}
}

/* The panic that a call ends in. */
static char panic_text[512];

static void told_of_panic(void *context, const char *text)
{
	(void)context;
	snprintf(panic_text, sizeof(panic_text), "%s", text);
}

static bool returns(void (*fn)(void *arg))
{
	static struct pv_thread thread;
	bool ret;

	thread = (struct pv_thread){ .name = "tester", .panic = told_of_panic };
	panic_text[0] = 0;
	pv_thread_adopt(&thread);
	ret = pv_guarded(fn, NULL);
	pv_thread_adopt(NULL);
	return ret;
}

static void write_fails(void)
{
	fake.config.fault_permille[PV_FAULT_GUEST_WRITE] = 1000;
	create();
	overflow(3);
	direct_enter(&fake, 0);
	CHECK_EQ(lost(), posted ? 3 : 0);
	fake.vm->config.fault_permille[PV_FAULT_GUEST_WRITE] = 0;
	direct_exit(&fake, 0, PV_EXIT_KICK);
	direct_enter(&fake, 0);
	CHECK_EQ(fake_take(&fake, at(0)), posted ? 0 : 3);
}

static void defect_1_failed_write(void)
{
	each_design(write_fails);
}

static void duplicates(void)
{
	fake.config.max_events = 10;
	create();
	CHECK_EQ(open_on(0, 1, 0), 0);
	for (int i = 0; i < 9; i++)
		CHECK_EQ(open_on(0, 1, 0), -PV_EEXIST);
	CHECK_EQ(open_on(0, 2, 0), posted ? -PV_ENOENT : 0);
	CHECK_EQ(pv_u64_load(&fake.vm->ledger.leaked_buffers), posted ? 18 : 0);
}

static void defect_2_duplicate_leaks(void)
{
	each_design(duplicates);
}

/* vCPU 1 opens while vCPU 0 has read the limit, or is about to insert. */
static void open_in_between(const char *tag)
{
	if (strcmp(tag, posted ? "posted open: limit checked" : "open: created"))
		return;
	on_point = NULL;
	CHECK_EQ(open_on(1, 1, 0), 0);
}

static void limit(void)
{
	struct table_figures figures;

	fake.config.max_events = 1;
	create();
	on_point = open_in_between;
	CHECK_EQ(open_on(0, 0, 0), posted ? 0 : -PV_ENOSPC);
	fake.vm->design->figures(fake.vm, &figures);
	CHECK_EQ(figures.open_peak, posted ? 2 : 1);
}

static void defect_3_limit_race(void)
{
	each_design(limit);
}

static void open_short_of_memory(void *arg)
{
	(void)arg;
	CHECK_EQ(open_on(0, 0, 0), 0xdeadbeef); /* no result: the VM ends */
}

static void second_allocation(void)
{
	create();
	fake.fail_at = fake.allocations + (posted ? 2 : 1);
	CHECK_EQ(returns(open_short_of_memory), !posted);
	CHECK_EQ(!strstr(panic_text, "null pointer"), !posted);
	CHECK_EQ(fake.vm->end.what.reason, posted ? PV_END_NONE : PV_END_HOST_ERROR);
	if (posted) /* what the panic left behind */
		fake.hooks.release(&fake, fake.last);
}

static void defect_4_second_allocation(void)
{
	each_design(second_allocation);
}

/* The same with an id that is in use: what was not allocated cannot leak. */
static void duplicate_short_of_memory(void)
{
	design = "posted";
	prepare();
	create();
	CHECK_EQ(open_on(0, 0, 0), 0);
	fake.fail_at = fake.allocations + 2;
	CHECK_EQ(open_on(0, 0, 0), -PV_EEXIST);
	CHECK_EQ(pv_u64_load(&fake.vm->ledger.leaked_buffers), 1);
	fake_vm_destroy(&fake);
}

static void clocks_overflow(void *arg)
{
	(void)arg;
	clock_events_run(fake.vm);
}

static void many_queued(void)
{
	fake.config.counters = 2;
	create();
	for (uint32_t id = 0; id < 3; id++) {
		put_open(&fake, PARAM, (int32_t)id, PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 0, at(id));
		((struct kvm_pv_perf_attr *)fake_ram(&fake, PARAM + 32))->sample_period = 100;
		CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
		CHECK_EQ(direct_op(&fake, 0, ENABLE, id), 0);
	}
	fake.now_ns += 100;
	CHECK_EQ(returns(clocks_overflow), !posted);
	CHECK_EQ(!strstr(panic_text, "overflow_events[2]"), !posted);
}

static void defect_5_list_of_counters(void)
{
	each_design(many_queued);
}

static void errors(void)
{
	struct kvm_pv_perf_attr *attr = NULL;

	fake.config.max_events = 1;
	create();
	attr = fake_ram(&fake, PARAM + 32);
	put_open(&fake, PARAM, 0, PV_TYPE_HARDWARE, PV_HW_MAX, 0, at(0));
	CHECK_EQ(direct_open(&fake, 0, PARAM), posted ? -1 : -PV_EINVAL);
	put_open(&fake, PARAM, 0, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 1 << KVM_PV_PERF_INHERIT, at(0));
	CHECK_EQ(direct_open(&fake, 0, PARAM), posted ? 0 : -PV_EOPNOTSUPP);
	CHECK_EQ(direct_op(&fake, 0, CLOSE, 0), posted ? 0 : -PV_ENOENT);
	put_open(&fake, PARAM, 0, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, at(0));
	attr->sample_type = 1ull << 63;
	CHECK_EQ(direct_open(&fake, 0, PARAM), posted ? 0 : -PV_EINVAL);
	if (!posted)
		CHECK_EQ(open_on(0, 0, 0), 0);
	CHECK_EQ(open_on(0, 1, 0), posted ? -PV_ENOENT : -PV_ENOSPC);
}

static void defect_6_errors(void)
{
	each_design(errors);
}

static void follows(void)
{
	create();
	CHECK_EQ(open_on(0, 0, 0), 0);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), 0);
	direct_run(&fake, 1, 0, 1000);
	CHECK_EQ(direct_op(&fake, 1, DISABLE, 0), 0);
	CHECK_EQ(fake_count(&fake, at(0)), posted ? 0 : 1000);
}

static void defect_7_bound_to_opener(void)
{
	each_design(follows);
}

/* What the guest watches is watched in guest memory, with one of the vCPU's slots; never on the host. */
static void breakpoints(void)
{
	struct pv_run *run;

	create();
	for (int32_t id = 0; id <= PV_BREAKPOINTS; id++) {
		put_open(&fake, PARAM, id, PV_TYPE_BREAKPOINT, 0, 0, at((uint32_t)id));
		*(struct kvm_pv_perf_attr *)fake_ram(&fake, PARAM + 32) = (struct kvm_pv_perf_attr){
			.type = PV_TYPE_BREAKPOINT, .bp_type = PV_BP_W, .bp_addr = 0x7000, .bp_len = 8,
		};
		CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
		CHECK_EQ(direct_op(&fake, 0, ENABLE, (uint64_t)id), posted || id < PV_BREAKPOINTS ? 0 : -PV_ENOSPC);
	}
	direct_enter(&fake, 0);
	run = fake.vm->vcpus[0].run;
	CHECK_EQ(run->wanted >> PV_COUNT_BREAKPOINT, posted ? 0 : (1 << PV_BREAKPOINTS) - 1);
	CHECK_EQ(pv_u64_load(&fake.vm->ledger.host_breakpoints), posted ? PV_BREAKPOINTS + 1 : 0);
	run->count[PV_COUNT_BREAKPOINT + 1][PV_CPL_KERNEL] += 3;
	direct_exit(&fake, 0, PV_EXIT_KICK);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 1), 0);
	CHECK_EQ(fake_count(&fake, at(1)), posted ? 0 : 3);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, PV_BREAKPOINTS), 0); /* there is a slot again */
}

static void defect_8_host_breakpoint(void)
{
	each_design(breakpoints);
}

/* vCPU 1 takes the overflows while the host has read them and not written them back. */
static void take_in_between(const char *tag)
{
	if (strcmp(tag, posted ? "posted deliver: between read and write" : "deliver: shadow taken"))
		return;
	on_point = NULL;
	CHECK_EQ(fake_take(&fake, at(0)), 2);
}

static void write_back(void)
{
	create();
	overflow(2);
	direct_enter(&fake, 0);
	direct_run(&fake, 0, 0, 100);
	direct_exit(&fake, 0, PV_EXIT_OVERFLOW);
	on_point = take_in_between;
	direct_enter(&fake, 0);
	CHECK_EQ(fake_take(&fake, at(0)), posted ? 3 : 1); /* three were raised in all */
}

static void defect_9_written_back_whole(void)
{
	each_design(write_back);
}

/* Scenario 2 of the mail: one vCPU closes what another has just found. */
static void close_in_between(const char *tag)
{
	if (strcmp(tag, "op: found"))
		return;
	on_point = NULL;
	CHECK_EQ(direct_op(&fake, 1, CLOSE, 0), 0);
}

static void enable_closed(void *arg)
{
	(void)arg;
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), -PV_ENOENT);
}

static void scenario_2(void)
{
	static const char *const names[] = { "per-vm", "posted", "no-refcount", "per-vcpu" };

	for (int i = 0; i < 4; i++) {
		bool breaks = !strcmp(names[i], "no-refcount");

		design = names[i];
		prepare();
		create();
		CHECK_EQ(open_on(0, 0, 0), 0);
		if (strcmp(names[i], "per-vcpu")) {
			on_point = close_in_between;
			CHECK_EQ(returns(enable_closed), !breaks);
			CHECK_EQ(!strstr(panic_text, "in ENABLE locks event 0 after tester in CLOSE freed it"), !breaks);
		} else {
			CHECK_EQ(direct_op(&fake, 1, CLOSE, 0), -PV_ENOENT);
			CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), 0);
		}
		fake_vm_destroy(&fake);
	}
}

/* CLOSE cannot take an event off a vCPU that never comes out, and must not free what is on it. */
static void close_when_over(void)
{
	static const char *const names[] = { "per-vm", "posted", "no-refcount" };

	for (int i = 0; i < 3; i++) {
		design = names[i];
		prepare();
		create();
		CHECK_EQ(open_on(0, 0, 0), 0);
		CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), 0);
		direct_enter(&fake, 0);
		vm_kill(fake.vm, PV_END_VCPU_DIED, 0, 0, "");
		CHECK_EQ(direct_op(&fake, 1, CLOSE, 0), 0xdeadbeef); /* no result */
		event_check_live(fake.vm->vcpus[0].pmu.rotating.first, "looks at");
		fake_vm_destroy(&fake);
	}
}

/* The reviewer's design: an event is its opener's alone; the limit is the VM's. */
static void per_vcpu(void)
{
	design = "per-vcpu";
	prepare();
	fake.config.max_events = 2;
	create();
	CHECK_EQ(open_on(0, 0, 0), 0);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), -PV_ENOENT);
	CHECK_EQ(direct_op(&fake, 1, READ, 0), -PV_ENOENT);
	CHECK_EQ(open_on(1, 0, 0), 0); /* the same id, another event */
	CHECK_EQ(open_on(1, 1, 0), -PV_ENOSPC);
	CHECK_EQ(direct_op(&fake, 1, CLOSE, 0), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), 0);
	direct_run(&fake, 0, 0, 50);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 0), 0);
	CHECK_EQ(fake_count(&fake, at(0)), 50);
	fake_vm_destroy(&fake);
}

const struct named_test design_tests[] = {
	{ "defect_1_failed_write", defect_1_failed_write, false },
	{ "defect_2_duplicate_leaks", defect_2_duplicate_leaks, false },
	{ "defect_3_limit_race", defect_3_limit_race, false },
	{ "defect_4_second_allocation", defect_4_second_allocation, false },
	{ "duplicate_short_of_memory", duplicate_short_of_memory, false },
	{ "defect_5_list_of_counters", defect_5_list_of_counters, false },
	{ "defect_6_errors", defect_6_errors, false },
	{ "defect_7_bound_to_opener", defect_7_bound_to_opener, false },
	{ "defect_8_host_breakpoint", defect_8_host_breakpoint, false },
	{ "defect_9_written_back_whole", defect_9_written_back_whole, false },
	{ "scenario_2", scenario_2, false },
	{ "close_when_over", close_when_over, false },
	{ "per_vcpu", per_vcpu, false },
	{ NULL, NULL, false },
};
