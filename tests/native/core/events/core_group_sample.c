/* SPDX-License-Identifier: GPL-2.0-only */
/* Groups whose members sample. */
#include "core_version2.h"

static uint32_t raised(uint32_t vcpu, uint64_t instructions)
{
	uint32_t inject = direct_enter(&fake, vcpu);

	direct_run(&fake, vcpu, 0, instructions);
	direct_exit(&fake, vcpu, PV_EXIT_OVERFLOW);
	return inject;
}

static void check_ledger(uint64_t expected)
{
	struct pv_vm_statistics ret;

	vm_statistics(fake.vm, &ret);
	CHECK_EQ(ret.overflows_raised, expected);
	CHECK_EQ(ret.overflows_raised, ret.overflows_delivered + ret.overflows_in_shadow + ret.overflows_dropped);
}

/* Members that sample, each exact, across a rotation and a move; with every trylock lost, too. */
static void siblings_sample(void)
{
	for (uint32_t lost = 0; lost <= 1000; lost += 1000) {
		prepare(2);
		fake.config.fault_permille[PV_FAULT_TRYLOCK] = lost;
		CHECK_EQ(fake_vm_create(&fake), 0);
		direct_boot(&fake);
		CHECK_EQ(open_in(0, -1, GROUP | TIMES), 0);
		for (int32_t id = 1; id < 4; id++) {
			put2(id, id < 2 ? 0 : -1, 0);
			attr->sample_period = id * 100;
			CHECK_EQ(open2(), 0);
		}
		ok(ENABLE, 0);
		CHECK_EQ(raised(0, 250), 0);
		CHECK_EQ(raised(0, 50), lost ? 0 : PV_INJECT_NMI);
		ok(ENABLE, 2); /* waits */
		rotate();
		raised(0, 1000);
		CHECK_EQ(direct_op(&fake, 1, ENABLE, 0), 0);
		CHECK_EQ(raised(1, 98), lost ? PV_INJECT_NMI : 0); /* what it brought is queued where it goes on */
		CHECK_EQ(direct_op(&fake, 1, ENABLE, 2), 0);
		CHECK_EQ(raised(1, 1), PV_INJECT_NMI); /* 2 has brought some, too */
		CHECK_EQ(direct_op(&fake, 1, DISABLE, 0), 0);
		CHECK_EQ(event_of(1)->overflows, 4); /* 301 on vCPU 0, 100 on 1 */
		CHECK_EQ(direct_op(&fake, 1, DISABLE, 2), 0);
		CHECK_EQ(event_of(2)->overflows, (int32_t)(event_of(2)->count / 200));
		CHECK_EQ(event_of(0)->member[1].value, event_of(1)->count);
		CHECK_EQ(event_of(1)->count, 401);
		check_ledger(4 + event_of(2)->count / 200);
		fake_vm_destroy(&fake);
	}
}

/* A clock that samples in a group that takes turns: what was crossed before it stopped is not late for good. */
static void sampled_clock_takes_turns(void)
{
	create(1);
	CHECK_EQ(open_in(0, -1, GROUP | TIMES), 0);
	open_clock(1, 0, TIMES, 1000);
	CHECK_EQ(open_in(2, -1, 0), 0);
	ok(ENABLE, 0);
	ok(ENABLE, 2);
	fake.now_ns += 3500; /* the timer has not looked */
	rotate();
	fake.now_ns += 100000;
	CHECK_EQ(clock_events_run(fake.vm), UINT64_MAX);
	rotate();
	CHECK_EQ(clock_events_run(fake.vm), fake.now_ns + 500);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	CHECK_EQ(event_of(1)->overflows, 3);
	CHECK_EQ(event_of(1)->time_running, 3500); /* the sync gives all of it */
	CHECK_EQ(event_of(1)->count, 3500);
	direct_exit(&fake, 0, PV_EXIT_KICK);
	fake.now_ns += 600;
	ok(DISABLE, 0);
	CHECK_EQ(event_of(1)->overflows, 4);
	check_ledger(4);
	fake_vm_destroy(&fake);
}

const struct named_test group_sample_tests[] = {
	{ "siblings_sample", siblings_sample, false },
	{ "sampled_clock_takes_turns", sampled_clock_takes_turns, false },
	{ NULL, NULL, false },
};
