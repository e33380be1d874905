/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent and the guest, which share a table of events and know nothing of each other's. */
#include <stddef.h>

#include "agent.h"
#include "core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, GUEST_PARAM = 0x1800, EVENT = 0x2000, GUEST_EVENT = 0x2010 };

static struct fake_vm fake;

/* Its vCPU 0 is in the agent's start. */
static void create(const char *design)
{
	fake_vm_init(&fake, 1);
	fake.config.design = design;
	fake.config.agent_start = (struct pv_jump){ .rip = 0x100 };
	fake.config.agent_finish = (struct pv_jump){ .rip = 0x200 };
	CHECK_EQ(fake_vm_create(&fake), 0);
	CHECK_EQ(end_start(fake.vm, 1), 0);
	direct_boot(&fake);
}

static int64_t open_at(gpa_t param, int32_t id, gpa_t event)
{
	put_open(&fake, param, id, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, event);
	return direct_open(&fake, 0, param);
}

/* The agent's events are no guest's to read, stop or close, nor the guest's the agent's. */
static void owners(void)
{
	static const char *const designs[] = { "per-vm", "posted", "no-refcount", "per-vcpu" };

	for (int i = 0; i < 4; i++) {
		create(designs[i]);
		CHECK_EQ(open_at(PARAM, PV_AGENT_FIRST_ID, EVENT), 0);
		CHECK_EQ(direct_op(&fake, 0, ENABLE, PV_AGENT_FIRST_ID), 0);
		CHECK_EQ(direct_hypercall(&fake, 0, PV_HC_AGENT_DONE, PV_AGENT_STARTED, 0, 0), 0);
		direct_run(&fake, 0, 0, 100);
		for (uint64_t op = CLOSE; op <= READ; op++)
			CHECK_EQ(direct_op(&fake, 0, op, PV_AGENT_FIRST_ID), -PV_ENOENT);
		CHECK_EQ(open_at(GUEST_PARAM, PV_AGENT_FIRST_ID, GUEST_EVENT), -PV_EEXIST);
		CHECK_EQ(open_at(GUEST_PARAM, 1, GUEST_EVENT), 0);
		vm_finish(fake.vm);
		CHECK_EQ(direct_exit(&fake, 0, PV_EXIT_KICK), PV_ENTER_JUMP);
		CHECK_EQ(direct_op(&fake, 0, CLOSE, 1), -PV_ENOENT);
		CHECK_EQ(direct_op(&fake, 0, DISABLE, PV_AGENT_FIRST_ID), 0);
		CHECK_EQ(fake_count(&fake, EVENT), 100 + 6); /* its hypercalls are instructions, too */
		CHECK_EQ(direct_op(&fake, 0, CLOSE, PV_AGENT_FIRST_ID), 0);
		end_thread_left(fake.vm);
		fake_vm_destroy(&fake);
	}
}

const struct core_test agent_tests[] = {
	{ "owners", owners, false },
	{ NULL, NULL, false },
};
