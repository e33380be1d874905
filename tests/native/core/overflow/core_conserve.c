/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The law: for every event, overflows raised = taken by the guest + in the guest's word + in the
 * shadow. Four host threads play their vCPUs too, without the handover; events move between
 * vCPUs, are read, disabled and enabled anew, while trylocks fail and guest memory cannot be written.
 * The guest keeps a ledger of its own, and floor(count / period) says what there had to be.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "abi/handover.h"
#include "core/exits/exit.h"
#include "core/vcpu/vcpu.h"
#include "core/vm/host_thread.h"
#include "../core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, EVENTS = 0x4000, IDS = 12, PERIOD = 3 };

static struct fake_vm fake;
static uint64_t taken, wanted, rounds, spurious;
static uint32_t left;

static gpa_t at(uint32_t id)
{
	return EVENTS + id * 16;
}

static struct pv_vcpu *vcpu_of(uint32_t vcpu)
{
	return &fake.vm->vcpus[vcpu];
}

static uint32_t take_all(void)
{
	uint32_t sum = 0;

	for (uint32_t id = 0; id < IDS; id++)
		sum += fake_take(&fake, at(id));
	return sum;
}

/* The guest's NMI handler: what it finds may have been taken by another vCPU's. */
static void handle_nmi(uint32_t sum)
{
	__atomic_add_fetch(&taken, sum, __ATOMIC_SEQ_CST);
	if (!sum)
		__atomic_add_fetch(&spurious, 1, __ATOMIC_SEQ_CST);
}

static void enter(uint32_t vcpu)
{
	CHECK(vcpu_enter_guest(vcpu_of(vcpu)));
	if (vcpu_of(vcpu)->run->inject)
		handle_nmi(take_all());
}

static int64_t leave(uint32_t vcpu, uint32_t reason, uint64_t op, uint64_t id)
{
	struct pv_run *run = vcpu_of(vcpu)->run;
	bool call = reason == PV_EXIT_HYPERCALL;

	run->exit_reason = reason;
	run->retire[PV_COUNT_INSTRUCTIONS] = call;
	run->arg[0] = KVM_PERF_OP;
	run->arg[1] = op;
	run->arg[2] = id;
	run->arg[3] = 0;
	vcpu_leave_guest(vcpu_of(vcpu));
	CHECK_EQ(exit_serve(vcpu_of(vcpu)), PV_ENTER_RESUME);
	enter(vcpu);
	run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL] += call;
	return (int64_t)run->rax;
}

static bool alarm_reached(const struct pv_run *run)
{
	const unsigned all = PV_COUNT_INSTRUCTIONS * PV_ALARM_LEVELS + 2;

	return (run->armed >> all & 1) && run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL] >= run->alarm[all];
}

static void in_guest(uint32_t vcpu, uint32_t instructions)
{
	struct pv_run *run = vcpu_of(vcpu)->run;

	run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL] += instructions;
	if (alarm_reached(run))
		leave(vcpu, PV_EXIT_OVERFLOW, 0, 0);
	if (handover_take_doorbell(&run->bell))
		leave(vcpu, PV_EXIT_KICK, 0, 0);
}

static void sample(void *arg)
{
	uint32_t vcpu = (uint32_t)(uintptr_t)arg;
	struct rng rng = { .state = vcpu * 91 + 5 };

	for (uint64_t i = 0; i < rounds; i++) {
		uint32_t what = rng_below(&rng, 64), id = rng_below(&rng, IDS);

		in_guest(vcpu, rng_below(&rng, 40));
		if (what < 4)
			CHECK_EQ(leave(vcpu, PV_EXIT_HYPERCALL, ENABLE, id), 0);
		else if (what == 4)
			CHECK_EQ(leave(vcpu, PV_EXIT_HYPERCALL, DISABLE, id), 0);
		else if (what < 7)
			CHECK_EQ(leave(vcpu, PV_EXIT_HYPERCALL, READ, id), 0);
		else if (what == 7)
			sched_yield();
	}
	__atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST);
	while (word_load(&left)) {
		in_guest(vcpu, 0);
		sched_yield();
	}
}

static void *sample_thread(void *arg)
{
	struct pv_vcpu *vcpu = vcpu_of((uint32_t)(uintptr_t)arg);

	host_thread_adopt(fake.vm, &vcpu->thread, "conserve");
	CHECK(pv_guarded(sample, arg));
	return NULL;
}

static void open_all(void)
{
	for (uint32_t id = 0; id < IDS; id++) {
		put_sampling(&fake, PARAM, (int32_t)id, PV_HW_INSTRUCTIONS, 0, PERIOD, at(id));
		CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	}
}

/* All is quiet: no vCPU is in guest mode any more. Two ledgers, and arithmetic. */
static void check_the_law(void)
{
	struct pv_vm_statistics host;
	uint64_t expected = 0;

	for (uint32_t i = 0; i < FAKE_VCPUS; i++)
		vcpu_leave_guest(vcpu_of(i));
	vm_statistics(fake.vm, &host);
	CHECK_EQ(host.overflows_raised, host.overflows_delivered + host.overflows_in_shadow);
	CHECK_EQ(host.overflows_delivered, taken + take_all());
	taken = host.overflows_delivered;
	for (uint32_t id = 0; id < IDS; id++) {
		CHECK_EQ(direct_op(&fake, 0, DISABLE, id), 0);
		expected += fake_count(&fake, at(id)) / PERIOD;
	}
	taken += take_all();
	vm_statistics(fake.vm, &host);
	CHECK_EQ(host.overflows_in_shadow, 0);
	CHECK_EQ(host.overflows_raised, expected);
	CHECK_EQ(taken, expected);
	CHECK(expected >= wanted);
}

static void conserve(const char *nmi, const char *sync, uint32_t misses, uint32_t failures)
{
	pthread_t threads[FAKE_VCPUS];

	taken = spurious = 0;
	left = FAKE_VCPUS;
	fake_vm_init(&fake, FAKE_VCPUS);
	fake.config.counters = 4;
	fake.config.nmi = nmi;
	fake.config.sync = sync;
	fake.config.fault_permille[PV_FAULT_TRYLOCK] = misses;
	fake.config.fault_permille[PV_FAULT_GUEST_WRITE] = failures;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	open_all();
	for (uint32_t i = 0; i < FAKE_VCPUS; i++)
		enter(i);
	for (uintptr_t i = 0; i < FAKE_VCPUS; i++)
		pthread_create(&threads[i], NULL, sample_thread, (void *)i);
	for (int i = 0; i < FAKE_VCPUS; i++)
		pthread_join(threads[i], NULL);
	check_the_law();
	fake_vm_destroy(&fake);
}

static void each_policy(void)
{
	static const char *const policies[] = { "trylock", "deferred", "lockless" };
	static const uint32_t misses[] = { 0, 100, 500, 990 };

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 4; k++) {
			conserve(policies[i], "entry", misses[k], 0);
			conserve(policies[i], "every-exit", misses[k], 300);
		}
}

static void conserve_quick(void)
{
	rounds = 2000;
	wanted = 10000;
	each_policy();
}

static void conserve_million(void)
{
	rounds = 20000;
	wanted = 1000000;
	each_policy();
}

const struct named_test conserve_tests[] = {
	{ "conserve_quick", conserve_quick, false },
	{ "conserve_million", conserve_million, true },
	{ NULL, NULL, false },
};
