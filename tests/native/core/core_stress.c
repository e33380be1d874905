/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table under fire: open, enable, read, disable and close from four host threads.
 * Each plays its vCPU too, without the handover, so that the core itself is what is hit.
 */
#include <pthread.h>
#include <sched.h>

#include "abi/handover.h"
#include "core/exits/exit.h"
#include "core/vcpu/vcpu.h"
#include "core/vm/host_thread.h"
#include "core_test.h"

enum { QUICK = 40000, MANY = 1000000, IDS = 48, STRESS_LIMIT = 32 };
enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };

static struct fake_vm fake;
static uint32_t operations, opened, closed, left;

/* One hypercall as a host thread serves it: out of guest mode, the operation, back in. */
static int64_t serve(uint32_t vcpu, uint64_t op, uint64_t rcx)
{
	struct pv_vcpu *self = &fake.vm->vcpus[vcpu];
	struct pv_run *run = self->run;

	run->exit_reason = PV_EXIT_HYPERCALL;
	run->retire[PV_COUNT_INSTRUCTIONS] = 1;
	run->arg[0] = KVM_PERF_OP;
	run->arg[1] = op;
	run->arg[2] = rcx;
	run->arg[3] = 0;
	vcpu_leave_guest(self);
	CHECK_EQ(exit_serve(self), PV_ENTER_RESUME);
	CHECK(vcpu_enter_guest(self));
	run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL]++;
	return (int64_t)run->rax;
}

/* In guest mode: run, and come out if the doorbell rings. */
static void in_guest(uint32_t vcpu)
{
	struct pv_vcpu *self = &fake.vm->vcpus[vcpu];

	self->run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL] += 7;
	if (!handover_take_doorbell(&self->run->bell))
		return;
	self->run->exit_reason = PV_EXIT_KICK;
	self->run->retire[PV_COUNT_INSTRUCTIONS] = 0;
	vcpu_leave_guest(self);
	CHECK_EQ(exit_serve(self), PV_ENTER_RESUME);
	CHECK(vcpu_enter_guest(self));
}

static void one_operation(uint32_t vcpu, struct rng *rng)
{
	uint32_t id = rng_below(rng, IDS), kind = rng_below(rng, 8);
	gpa_t params = 0x1000 + vcpu * OPEN_BYTES;
	int64_t ret;

	if (kind < 2) {
		put_open(&fake, params, (int32_t)id, PV_TYPE_HARDWARE, 1, 0, 0x4000 + id * 16);
		ret = serve(vcpu, OPEN, params);
		CHECK(ret == 0 || ret == -PV_EEXIST || ret == -PV_ENOSPC);
		if (!ret)
			word_add(&opened, 1);
	} else if (kind == 2) {
		ret = serve(vcpu, CLOSE, id);
		CHECK(ret == 0 || ret == -PV_ENOENT);
		if (!ret)
			word_add(&closed, 1);
	} else {
		ret = serve(vcpu, ENABLE + kind % 3, id);
		CHECK(ret == 0 || ret == -PV_ENOENT);
	}
}

static void hammer(void *arg)
{
	uint32_t vcpu = (uint32_t)(uintptr_t)arg;
	struct rng rng = { .state = vcpu * 77 + 1 };

	for (uint32_t i = 0; i < operations / FAKE_VCPUS; i++) {
		one_operation(vcpu, &rng);
		in_guest(vcpu);
		if (!rng_below(&rng, 16))
			sched_yield(); /* in guest mode, where others want it paused */
		if (i % 64 == 0) {
			pv_u32_store(&fake.vm->vcpus[vcpu].rotation_due, 1);
			handover_ring(&fake.vm->vcpus[vcpu].run->bell);
		}
	}
	__atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST);
	while (word_load(&left)) {
		in_guest(vcpu);
		sched_yield();
	}
}

static void *stress_thread(void *arg)
{
	struct pv_vcpu *vcpu = &fake.vm->vcpus[(uintptr_t)arg];

	host_thread_adopt(fake.vm, &vcpu->thread, "stress");
	CHECK(pv_guarded(hammer, arg));
	return NULL;
}

static void stress(uint32_t total)
{
	struct pv_vm_statistics figures;
	pthread_t threads[FAKE_VCPUS];

	operations = total;
	opened = closed = 0;
	left = FAKE_VCPUS;
	fake_vm_init(&fake, FAKE_VCPUS);
	fake.config.max_events = STRESS_LIMIT;
	fake.config.hash_buckets = 8;
	fake.config.counters = 2;
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	for (uint32_t i = 0; i < FAKE_VCPUS; i++)
		CHECK(vcpu_enter_guest(&fake.vm->vcpus[i]));
	for (uintptr_t i = 0; i < FAKE_VCPUS; i++)
		pthread_create(&threads[i], NULL, stress_thread, (void *)i);
	for (int i = 0; i < FAKE_VCPUS; i++)
		pthread_join(threads[i], NULL);
	vm_statistics(fake.vm, &figures);
	CHECK_EQ(figures.events_opened, opened);
	CHECK_EQ(figures.events_open, opened - closed);
	CHECK_EQ(figures.events_allocated, figures.events_open);
	CHECK_EQ(figures.events_open_peak, STRESS_LIMIT);
	CHECK(figures.rotations > 0);
	for (uint32_t i = 0; i < FAKE_VCPUS; i++)
		vcpu_leave_guest(&fake.vm->vcpus[i]);
	for (uint32_t id = 0; id < IDS; id++)
		direct_op(&fake, 0, CLOSE, id);
	vm_statistics(fake.vm, &figures);
	CHECK_EQ(figures.events_allocated, 0);
	for (int i = 0; i < FAKE_VCPUS; i++)
		CHECK_EQ(fake.vm->vcpus[i].pmu.attached, 0);
	fake_vm_destroy(&fake);
}

static void stress_quick(void)
{
	stress(QUICK);
}

static void stress_million(void)
{
	stress(MANY);
}

const struct named_test stress_tests[] = {
	{ "stress_quick", stress_quick, false },
	{ "stress_million", stress_million, true },
	{ NULL, NULL, false },
};
