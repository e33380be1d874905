/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/vm/timer_thread.h"

#include "core/host/host.h"
#include "core/overflow/overflow.h"

/* A vCPU rotates by itself when it comes out: its counts are exact there. */
static void ask_for_rotation(struct pv_vm *vm)
{
	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		struct pv_vcpu *vcpu = &vm->vcpus[i];

		if (!pv_u32_load(&vcpu->rotating))
			continue;
		pv_u32_store(&vcpu->rotation_due, 1);
		vcpu_ring(vcpu);
	}
}

static void give_up(struct pv_vm *vm)
{
	struct pv_vm_end end = { .reason = PV_END_STOPPED, .vcpu = -1 };

	vm_force_end(vm, &end); /* the reason that asked for the end stays */
}

/* Throttled counters look at their windows when their vCPU comes out. */
static void ask_for_unthrottling(struct pv_vm *vm)
{
	for (uint32_t i = 0; i < vm->config.vcpus && pv_u32_load(&vm->timer.throttled); i++)
		vcpu_ring(&vm->vcpus[i]);
}

/* One kind of work that is done again and again while it is wanted. */
static uint64_t run_periodically(struct pv_vm *vm, const pv_u32 *wanted, uint64_t now, uint64_t interval,
				 uint64_t *next, void (*work)(struct pv_vm *vm))
{
	if (!pv_u32_load(wanted))
		return UINT64_MAX;
	if (now >= *next) {
		work(vm);
		*next = now + interval;
	}
	return *next;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When something is due on the VM's clock, as a time of the host's. */
static uint64_t on_host_clock(const struct pv_vm *vm, uint64_t due, uint64_t now)
{
	uint64_t vm_now = clock_now(vm);

	if (due == UINT64_MAX)
		return due;
	return due > vm_now ? now + (due - vm_now) : now;
}

/* The timer's thread is one of those that serve. */
static bool vcpus_served(const struct pv_vm *vm)
{
	return pv_u32_load(&vm->end.serving) > 1;
}

void timer_run(struct pv_vm *vm)
{
	uint64_t next_rotation = 0, next_window = 0;

	while (vcpus_served(vm)) {
		uint32_t ticket = pv_ticket(&vm->timer.wake);
		uint64_t now = clock_host_ns(), deadline = pv_u64_load(&vm->end.deadline);
		uint64_t until = deadline && now < deadline ? deadline : UINT64_MAX;

		if (deadline && now >= deadline)
			give_up(vm);
		until = earlier(until, run_periodically(vm, &vm->timer.rotating, now, vm->config.rotate_us * 1000ull,
							&next_rotation, ask_for_rotation));
		until = earlier(until, run_periodically(vm, &vm->timer.sampling, now, OVERFLOW_WINDOW_NS,
							&next_window, ask_for_unthrottling));
		until = earlier(until, on_host_clock(vm, clock_events_run(vm), now));
		if (vcpus_served(vm))
			pv_wait_until(&vm->timer.wake, ticket, until);
	}
}
