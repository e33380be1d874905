/* SPDX-License-Identifier: GPL-2.0-only */
/* What stress leans on: the ledger that is compared when all is quiet, and the faults that are injected. */
#include <errno.h>
#include <string.h>

#include "abi/agent.h"
#include "../core_test.h"
#include "abi/quiet.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, EVENT = 0x2000, PERIOD = 100, OVERFLOWS = 7 };

static struct fake_vm fake;

static void create(const char *design)
{
	fake_vm_init(&fake, 1);
	fake.now_ns = 1000;
	fake.config.design = design;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	put_sampling(&fake, PARAM, 1, PV_HW_INSTRUCTIONS, 0, PERIOD, EVENT);
}

static int64_t quiet(uint64_t taken)
{
	return direct_hypercall(&fake, 0, PV_HC_QUIET, taken, 0, 0);
}

/* An event has overflowed, and the vCPU has entered the guest since. */
static void overflow(void)
{
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 1), 0);
	direct_enter(&fake, 0);
	direct_run(&fake, 0, 0, PERIOD * OVERFLOWS);
	direct_exit(&fake, 0, PV_EXIT_OVERFLOW);
	direct_enter(&fake, 0);
}

static void quiet_points(void)
{
	struct pv_vm_statistics figures;

	create("per-vm");
	CHECK_EQ(quiet(0), 0);
	CHECK_EQ(quiet(1), PV_QUIET_TAKEN);
	overflow();
	CHECK_EQ(quiet(OVERFLOWS), PV_QUIET_EVENTS | PV_QUIET_LIMIT);
	CHECK_EQ(direct_op(&fake, 0, CLOSE, 1), 0);
	CHECK_EQ(quiet(OVERFLOWS), 0);
	CHECK_EQ(quiet(OVERFLOWS + 1), PV_QUIET_TAKEN);
	pv_u64_add(&fake.vm->ledger.raised, 1);
	CHECK_EQ(quiet(OVERFLOWS), PV_QUIET_LOST);
	pv_u64_sub(&fake.vm->ledger.raised, 1);
	pv_u64_add(&fake.vm->ledger.misses, 1);
	CHECK_EQ(quiet(OVERFLOWS), PV_QUIET_DELAYED);
	CHECK_EQ(quiet(OVERFLOWS), 0);
	vm_statistics(fake.vm, &figures);
	CHECK_EQ(figures.quiet_points, 8);
	fake_vm_destroy(&fake);
}

/* Defect 2: nothing is open, and the limit has one less. */
static void quiet_limit(void)
{
	create("posted");
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	CHECK_EQ(direct_open(&fake, 0, PARAM), -PV_EEXIST);
	CHECK_EQ(direct_op(&fake, 0, CLOSE, 1), 0);
	CHECK_EQ(quiet(0), PV_QUIET_LIMIT);
	fake_vm_destroy(&fake);
}

static void fault_alloc_ends_the_vm(void)
{
	create("per-vm");
	fake.vm->config.fault_permille[PV_FAULT_ALLOC] = 1000;
	direct_open(&fake, 0, PARAM);
	CHECK_EQ(fake.vm->end.what.reason, PV_END_HOST_ERROR);
	CHECK_EQ(fake.vm->end.what.error, ENOMEM);
	end_thread_left(fake.vm);
	fake_vm_destroy(&fake);
}

/* Time passes with a lock held, and changes nothing else. */
static void fault_delay_takes_time(void)
{
	static const uint64_t ops[] = { ENABLE, READ, DISABLE, CLOSE };

	create("per-vm");
	fake.vm->config.fault_permille[PV_FAULT_DELAY] = 1000;
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		uint64_t before = fake.now_ns;

		CHECK_EQ(direct_op(&fake, 0, ops[i], 1), 0);
		CHECK(fake.now_ns >= before + 2000);
	}
	CHECK_EQ(quiet(0), 0);
	fake_vm_destroy(&fake);
}

const struct named_test quiet_tests[] = {
	{ "quiet_points", quiet_points, false },
	{ "quiet_limit", quiet_limit, false },
	{ "fault_alloc_ends_the_vm", fault_alloc_ends_the_vm, false },
	{ "fault_delay_takes_time", fault_delay_takes_time, false },
	{ NULL, NULL, false },
};
