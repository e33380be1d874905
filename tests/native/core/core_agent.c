/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent and the guest, which share a table of events and know nothing of each other's. */
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "abi/agent.h"
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
		CHECK_EQ(open_at(GUEST_PARAM, PV_AGENT_FIRST_ID, GUEST_EVENT), 0);
		CHECK_EQ(direct_op(&fake, 0, ENABLE, PV_AGENT_FIRST_ID), 0);
		CHECK_EQ(direct_op(&fake, 0, CLOSE, PV_AGENT_FIRST_ID), 0);
		CHECK_EQ(open_at(GUEST_PARAM, 1, GUEST_EVENT), 0);
		vm_finish(fake.vm);
		CHECK_EQ(direct_exit(&fake, 0, PV_EXIT_KICK), PV_ENTER_AGENT);
		CHECK_EQ(direct_op(&fake, 0, CLOSE, 1), -PV_ENOENT);
		CHECK_EQ(direct_op(&fake, 0, DISABLE, PV_AGENT_FIRST_ID), 0);
		CHECK_EQ(fake_count(&fake, EVENT), 100 + 8); /* its hypercalls are instructions, too */
		CHECK_EQ(direct_op(&fake, 0, CLOSE, PV_AGENT_FIRST_ID), 0);
		end_thread_left(fake.vm);
		fake_vm_destroy(&fake);
	}
}

static void start_agent(uint32_t vcpu)
{
	direct_exit(&fake, vcpu, PV_EXIT_READY);
}

/*
 * Whatever a guest has opened on a vCPU that was sooner: all that it may, under the ids that the agent takes on the
 * next one. And the agent's take nothing from the guest.
 */
static void agent_comes_late(void)
{
	static const char *const designs[] = { "per-vm", "posted", "no-refcount", "per-vcpu" };
	enum { LIMIT = 4, SECOND = PV_AGENT_FIRST_ID + PV_AGENT_MAX_EVENTS };
	struct pv_event_times times;
	struct pv_vm_statistics figures;

	for (int i = 0; i < 4; i++) {
		fake_vm_init(&fake, 2);
		fake.config.design = designs[i];
		fake.config.max_events = LIMIT;
		fake.config.agent_start = (struct pv_jump){ .rip = 0x100 };
		fake.config.agent_finish = (struct pv_jump){ .rip = 0x200 };
		CHECK_EQ(fake_vm_create(&fake), 0);
		CHECK_EQ(end_start(fake.vm, 2), 0);
		start_agent(0);
		CHECK_EQ(open_at(PARAM, PV_AGENT_FIRST_ID, EVENT), 0);
		CHECK_EQ(direct_hypercall(&fake, 0, PV_HC_AGENT_DONE, PV_AGENT_STARTED, 0, 0), 0);
		for (int32_t id = 0; id < LIMIT; id++)
			CHECK_EQ(open_at(GUEST_PARAM, SECOND + id, GUEST_EVENT), 0);
		CHECK(open_at(GUEST_PARAM, SECOND + LIMIT, GUEST_EVENT) < 0);
		CHECK_EQ(vm_agent_times(fake.vm, SECOND, &times), -ENOENT);
		start_agent(1);
		for (int32_t id = 0; id < LIMIT; id++) {
			put_open(&fake, PARAM, SECOND + id, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, EVENT);
			CHECK_EQ(direct_open(&fake, 1, PARAM) == 0, id < LIMIT - 1); /* one is vCPU 0's */
		}
		vm_statistics(fake.vm, &figures);
		CHECK_EQ(figures.events_open, LIMIT);
		CHECK_EQ(figures.events_open_peak, LIMIT);
		CHECK_EQ(vm_agent_times(fake.vm, SECOND, &times), 0);
		/* Whose times are whose, whatever the guest closes meanwhile. */
		CHECK_EQ(direct_op(&fake, 1, CLOSE, SECOND), 0);
		for (int32_t id = 0; id < LIMIT; id++)
			CHECK_EQ(direct_op(&fake, 0, CLOSE, SECOND + id), 0);
		for (int n = 0; n < 3 * LIMIT; n++) {
			CHECK_EQ(open_at(GUEST_PARAM, n, GUEST_EVENT), 0);
			CHECK_EQ(direct_op(&fake, 0, CLOSE, (uint64_t)n), 0);
		}
		CHECK_EQ(vm_agent_times(fake.vm, SECOND, &times), 0);
		end_thread_left(fake.vm);
		end_thread_left(fake.vm);
		fake_vm_destroy(&fake);
	}
}

/* An OPEN each, with one of its three blocks in memory that begins there. */
static void open_in_memory(const char *design, int64_t expected, gpa_t base)
{
	struct kvm_pv_perf_event_param *param = fake_ram(&fake, PARAM);
	bool unchecked = expected && !strcmp(design, "posted");

	put_open(&fake, base, 1, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, EVENT);
	CHECK_EQ(direct_open(&fake, 0, base), expected);
	put_open(&fake, PARAM, 2, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, EVENT);
	memcpy(fake_ram(&fake, base), fake_ram(&fake, param->attr_addr), sizeof(struct kvm_pv_perf_attr));
	param->attr_addr = base;
	CHECK_EQ(direct_open(&fake, 0, PARAM), expected);
	put_open(&fake, PARAM, 3, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, base + 8);
	CHECK_EQ(direct_open(&fake, 0, PARAM), unchecked ? 0 : expected);
	if (unchecked || !expected)
		CHECK_EQ(direct_op(&fake, 0, ENABLE, 3), 0);
	memset(fake_ram(&fake, base), 0xee, 64);
	direct_op(&fake, 0, READ, 3);
	direct_op(&fake, 0, DISABLE, 3);
	CHECK_EQ(fake_count(&fake, base + 8) == 0xeeeeeeeeeeeeeeee, expected != 0);
}

/* Neither to be read nor to be written: for the guest it is beyond the end of RAM. */
static void memory(void)
{
	static const char *const designs[] = { "per-vm", "posted", "no-refcount", "per-vcpu" };

	for (int i = 0; i < 4; i++) {
		fake_vm_init(&fake, 1);
		fake.config.design = designs[i];
		fake.config.guest_ram_size = fake.config.ram_size - 4096;
		fake.config.agent_start = (struct pv_jump){ .rip = 0x100 };
		fake.config.agent_finish = (struct pv_jump){ .rip = 0x200 };
		CHECK_EQ(fake_vm_create(&fake), 0);
		CHECK_EQ(end_start(fake.vm, 1), 0);
		direct_boot(&fake);
		open_in_memory(designs[i], 0, fake.config.guest_ram_size);
		CHECK_EQ(direct_hypercall(&fake, 0, PV_HC_AGENT_DONE, PV_AGENT_STARTED, 0, 0), 0);
		open_in_memory(designs[i], -PV_EFAULT, fake.config.guest_ram_size);
		end_thread_left(fake.vm);
		fake_vm_destroy(&fake);
	}
}

/* What it reads is 100, on a vCPU that is in guest mode, has come out, or goes on. */
static void counts_while_it_runs(void)
{
	enum { SECOND = PV_AGENT_FIRST_ID + 1, OTHER_EVENT = EVENT + 0x20 };
	struct pv_agent_count counts[PV_AGENT_MAX_EVENTS];
	struct pv_vm_statistics figures;
	uint64_t kicks, guest_ns = 0;

	create("per-vm");
	fake.now_ns = 1000;
	CHECK_EQ(open_at(PARAM, PV_AGENT_FIRST_ID, EVENT), 0);
	put_open(&fake, PARAM, SECOND, PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 0, OTHER_EVENT);
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	CHECK_EQ(vm_agent_counts(fake.vm, 1, counts, &guest_ns), -EINVAL);
	CHECK_EQ(vm_agent_counts(fake.vm, 0, counts, &guest_ns), 1);
	CHECK_EQ(counts[0].attached, 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, PV_AGENT_FIRST_ID), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, SECOND), 0);
	CHECK_EQ(direct_hypercall(&fake, 0, PV_HC_AGENT_DONE, PV_AGENT_STARTED, 0, 0), 0);
	direct_enter(&fake, 0);
	CHECK_EQ(vm_agent_counts(fake.vm, 0, counts, &guest_ns), 0);
	direct_run(&fake, 0, 0, 100);
	CHECK_EQ(vm_agent_counts(fake.vm, 0, counts, &guest_ns), 0);
	vm_statistics(fake.vm, &figures);
	kicks = figures.kicks;
	CHECK_EQ(kicks, 1); /* it is asked once */
	fake.now_ns += 50;
	direct_exit(&fake, 0, PV_EXIT_KICK);
	direct_enter(&fake, 0);
	fake.now_ns += 70;
	direct_run(&fake, 0, 0, 20);
	CHECK_EQ(vm_agent_counts(fake.vm, 0, counts, &guest_ns), 1);
	CHECK_EQ(counts[0].attached && counts[1].attached && !counts[2].attached, 1);
	CHECK_EQ(counts[0].value, 100);
	CHECK_EQ(counts[0].times.enabled_ns, 50);
	CHECK_EQ(counts[0].times.running_ns, 50);
	CHECK_EQ(counts[1].value, 50);
	CHECK_EQ(vm_agent_counts(fake.vm, 0, counts, &guest_ns), 0);
	direct_exit(&fake, 0, PV_EXIT_KICK);
	CHECK_EQ(vm_agent_counts(fake.vm, 0, counts, &guest_ns), 1);
	CHECK_EQ(counts[0].value, 120);
	CHECK_EQ(vm_agent_counts(fake.vm, 0, counts, &guest_ns), 1); /* it is out: nobody has to be asked */
	CHECK_EQ(counts[0].value, 120);
	vm_finish(fake.vm);
	CHECK_EQ(vm_agent_counts(fake.vm, 0, counts, &guest_ns), -ESHUTDOWN);
	CHECK_EQ(direct_exit(&fake, 0, PV_EXIT_KICK), PV_ENTER_AGENT);
	CHECK_EQ(direct_op(&fake, 0, DISABLE, PV_AGENT_FIRST_ID), 0);
	CHECK_EQ(fake_count(&fake, EVENT), 120);
	CHECK_EQ(direct_op(&fake, 0, CLOSE, PV_AGENT_FIRST_ID), 0);
	end_thread_left(fake.vm);
	fake_vm_destroy(&fake);
}

/* The agent's start on each vCPU, and its finish: the final counts. */
static void play_agent(struct guest *guest)
{
	gpa_t param = PARAM + guest->vcpu * 0x100, event = EVENT + guest->vcpu * 0x40;
	int32_t id = PV_AGENT_FIRST_ID + (int32_t)guest->vcpu * PV_AGENT_MAX_EVENTS;
	uint64_t rip = guest->run->jump.rip;
	bool finish = rip == fake.config.agent_finish.rip;

	if (rip != fake.config.agent_start.rip && !finish)
		return; /* the guest's own entry */
	if (finish) {
		CHECK_EQ(guest_op(guest, DISABLE, id), 0);
		CHECK_EQ(guest_op(guest, CLOSE, id), 0);
	} else {
		put_open(&fake, param, id, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0, event);
		CHECK_EQ(guest_open(guest, param), 0);
		CHECK_EQ(guest_op(guest, ENABLE, id), 0);
	}
	guest_hypercall(guest, PV_HC_AGENT_DONE, finish ? PV_AGENT_FINISHED : PV_AGENT_STARTED, 0, 0);
}

/* Runs; vCPU 1 is halted again and again, and kicked awake. */
static void play_guest(struct guest *guest)
{
	while (!guest->over) {
		guest_run(guest, 1 + rng_below(&guest->rng, 50));
		if (!guest->vcpu && !rng_below(&guest->rng, 16))
			guest_kick(guest, 1);
		if (guest->vcpu && !rng_below(&guest->rng, 16))
			guest_hlt(guest);
	}
}

/* Nothing goes backwards, and the last is what the guest memory gets. */
static void counts_under_way(void)
{
	enum { VCPUS = 2, ENOUGH = 2000 };
	struct pv_agent_count counts[PV_AGENT_MAX_EVENTS];
	uint64_t last[VCPUS] = { 0 }, when[VCPUS] = { 0 }, guest_ns;
	struct pv_vm_end end;
	int had;

	fake_vm_init(&fake, VCPUS);
	fake.config.agent_start = (struct pv_jump){ .rip = 0x100 };
	fake.config.agent_finish = (struct pv_jump){ .rip = 0x200 };
	CHECK_EQ(fake_vm_create(&fake), 0);
	for (uint32_t i = 0; i < VCPUS; i++)
		fake.guests[i].agent = play_agent;
	guests_start(&fake, play_guest);
	for (uint32_t n = 0; n < ENOUGH; n++) {
		uint32_t i = n % VCPUS;

		while (!(had = vm_agent_counts(fake.vm, i, counts, &guest_ns)))
			sched_yield();
		CHECK_EQ(had, 1);
		CHECK(counts[0].value >= last[i]);
		CHECK_EQ(counts[0].times.running_ns, counts[0].times.enabled_ns);
		CHECK(guest_ns >= when[i]);
		last[i] = counts[0].value;
		when[i] = guest_ns;
	}
	vm_finish(fake.vm);
	fake_end(&fake, &end);
	CHECK_EQ(end.reason, PV_END_STOPPED);
	guests_join(&fake);
	for (uint32_t i = 0; i < VCPUS; i++)
		CHECK(fake_count(&fake, EVENT + i * 0x40) >= last[i]);
	fake_vm_destroy(&fake);
}

const struct named_test agent_tests[] = {
	{ "owners", owners, false },
	{ "agent_comes_late", agent_comes_late, false },
	{ "agent_memory", memory, false },
	{ "counts_while_it_runs", counts_while_it_runs, false },
	{ "counts_under_way", counts_under_way, false },
	{ NULL, NULL, false },
};
