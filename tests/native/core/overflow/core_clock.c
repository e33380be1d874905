/* SPDX-License-Identifier: GPL-2.0-only */
/* Clocks that sample: the timer's NMIs, and what they mean to a vCPU that parks. */
#include <stddef.h>
#include <string.h>

#include "core/overflow/overflow.h"
#include "../core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, EVENT = 0x2000 };

static struct fake_vm fake;

static void create(uint32_t vcpus)
{
	fake_vm_init(&fake, vcpus);
	fake.now_ns = 1000;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
}

static struct pv_vm_statistics statistics(void)
{
	struct pv_vm_statistics ret;

	vm_statistics(fake.vm, &ret);
	CHECK_EQ(ret.overflows_lost, 0);
	return ret;
}

/* Event 0 on vCPU 0, every 1000 ns. */
static void enable_clock(uint64_t config, uint64_t flags)
{
	put_open(&fake, PARAM, 0, PV_TYPE_SOFTWARE, config, flags, EVENT);
	((struct kvm_pv_perf_attr *)fake_ram(&fake, PARAM + 32))->sample_period = 1000;
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 0), 0);
}

/* Clocks overflow on the timer's NMIs, at any time; what is left at the end is raised there. */
static void clock_overflows(void)
{
	create(2);
	enable_clock(PV_SW_CPU_CLOCK, 0);
	CHECK_EQ(clock_events_run(fake.vm), fake.now_ns + 1000);
	fake.now_ns += 999;
	CHECK_EQ(clock_events_run(fake.vm), fake.now_ns + 1);
	CHECK_EQ(statistics().overflows_raised, 0);
	fake.now_ns += 3002;
	CHECK_EQ(clock_events_run(fake.vm), fake.now_ns + 999);
	CHECK_EQ(statistics().overflows_raised, 4);
	CHECK_EQ(fake.vm->vcpus[0].run->bell.rung, 1);
	CHECK_EQ(clock_events_may_wake(fake.vm), true);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	CHECK_EQ(fake_take(&fake, EVENT), 4);
	fake.now_ns += 2000;
	direct_exit(&fake, 0, PV_EXIT_KICK);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 0), 0);
	CHECK_EQ(fake_take(&fake, EVENT), 2);
	CHECK_EQ(clock_events_run(fake.vm), UINT64_MAX);
	CHECK_EQ(clock_events_may_wake(fake.vm), false);
	fake_vm_destroy(&fake);
}

/* The lock is held while a clock's NMI comes: a miss, and no wait. The next one brings both. */
static void clock_misses(void)
{
	create(2);
	enable_clock(PV_SW_CPU_CLOCK, 0);
	pv_mutex_lock(&fake.vm->vcpus[0].event_mutex);
	fake.now_ns += 1000;
	clock_events_run(fake.vm);
	pv_mutex_unlock(&fake.vm->vcpus[0].event_mutex);
	CHECK_EQ(statistics().nmi_misses, 1);
	CHECK_EQ(direct_enter(&fake, 0), 0);
	fake.now_ns += 1000;
	clock_events_run(fake.vm);
	direct_exit(&fake, 0, PV_EXIT_KICK);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	CHECK_EQ(fake_take(&fake, EVENT), 2);
	fake_vm_destroy(&fake);
}

/* A clock that counts at no level stands at 0, and 0 crosses nothing. */
static void clock_without_level(void)
{
	create(2);
	enable_clock(PV_SW_CPU_CLOCK, 1 << KVM_PV_PERF_EXCLUDE_KERNEL | 1 << KVM_PV_PERF_EXCLUDE_USER);
	CHECK_EQ(clock_events_may_wake(fake.vm), false);
	fake.now_ns += 5000;
	CHECK_EQ(clock_events_run(fake.vm), UINT64_MAX);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 0), 0);
	CHECK_EQ(fake_count(&fake, EVENT), 0);
	CHECK_EQ(statistics().overflows_raised, 0);
	fake_vm_destroy(&fake);
}

/* A clock that comes too often is throttled once, and again goes on when its window is over; nothing is lost. */
static void clock_throttles(void)
{
	struct pv_vm_statistics before;

	fake_vm_init(&fake, 2);
	fake.now_ns = 1000;
	fake.config.max_sample_rate = 1000; /* four in a window */
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	enable_clock(PV_SW_CPU_CLOCK, 0);
	fake.now_ns += OVERFLOW_WINDOW_NS;
	for (int k = 0; k < 10; k++, fake.now_ns += 1000)
		clock_events_run(fake.vm);
	before = statistics();
	CHECK_EQ(before.nmi_raised, 4);
	CHECK_EQ(before.throttled, 1);
	CHECK_EQ(before.unthrottled, 0);
	CHECK_EQ(pv_u32_load(&fake.vm->timer.throttled), 1);
	fake.now_ns += OVERFLOW_WINDOW_NS;
	clock_events_run(fake.vm);
	CHECK_EQ(statistics().unthrottled, 1);
	CHECK_EQ(statistics().nmi_raised, 5);
	direct_exit(&fake, 0, PV_EXIT_KICK);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, 0), 0);
	CHECK_EQ(fake_take(&fake, EVENT), (fake.now_ns - 1000) / 1000);
	CHECK_EQ(pv_u32_load(&fake.vm->timer.throttled), 0);
	fake_vm_destroy(&fake);
}

static void clock_comes_in_between(const char *tag)
{
	if (strcmp(tag, "halt: parking"))
		return;
	on_point = NULL;
	fake.now_ns += 1000;
	clock_events_run(fake.vm);
}

/* A clock is due while its vCPU parks, the last one that runs: that raises an NMI and it goes on, or the VM ends. */
static void clock_while_parking(void)
{
	for (uint64_t config = PV_SW_CPU_CLOCK; config <= PV_SW_TASK_CLOCK; config++) {
		create(1);
		enable_clock(config, 0);
		on_point = clock_comes_in_between;
		direct_exit(&fake, 0, PV_EXIT_HLT);
		CHECK(!on_point);
		CHECK_EQ(vm_phase(fake.vm) == PHASE_RUNNING, statistics().overflows_raised == 1);
		CHECK_EQ(statistics().overflows_raised, config == PV_SW_CPU_CLOCK);
		fake_vm_destroy(&fake);
	}
}

static void park(bool parked)
{
	pv_mutex_lock(&fake.vm->vcpus[0].event_mutex);
	pmu_park(&fake.vm->vcpus[0], parked);
	pv_mutex_unlock(&fake.vm->vcpus[0].event_mutex);
}

/* task-clock and an NMI that could wake stand still in HLT; the last vCPU to park ends the VM only then. */
static void parked_clocks(void)
{
	for (uint64_t config = PV_SW_CPU_CLOCK; config <= PV_SW_TASK_CLOCK; config++) {
		create(2);
		enable_clock(config, 0);
		for (unsigned halts = 0; halts < 3; halts++) {
			park(true);
			CHECK_EQ(clock_events_may_wake(fake.vm), config == PV_SW_CPU_CLOCK);
			fake.now_ns += 5000;
			park(false);
			CHECK_EQ(clock_events_may_wake(fake.vm), true);
			fake.now_ns += 2000;
		}
		CHECK_EQ(direct_op(&fake, 0, DISABLE, 0), 0);
		CHECK_EQ(fake_take(&fake, EVENT), config == PV_SW_CPU_CLOCK ? 21 : 6);
		fake_vm_destroy(&fake);
	}
}

const struct named_test clock_tests[] = {
	{ "clock_overflows", clock_overflows, false },
	{ "clock_misses", clock_misses, false },
	{ "clock_without_level", clock_without_level, false },
	{ "clock_throttles", clock_throttles, false },
	{ "clock_while_parking", clock_while_parking, false },
	{ "parked_clocks", parked_clocks, false },
	{ NULL, NULL, false },
};
