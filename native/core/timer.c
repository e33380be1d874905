/* SPDX-License-Identifier: GPL-2.0-only */
#include "timer.h"

#include "host.h"

void timer_want_rotation(struct pv_vcpu *vcpu, bool wanted)
{
	struct pv_timer *timer = &vcpu->vm->timer;

	if (wanted == (pv_u32_load(&vcpu->rotating) != 0))
		return;
	pv_u32_store(&vcpu->rotating, wanted);
	if (!wanted)
		pv_u32_sub(&timer->rotating, 1);
	else if (pv_u32_add(&timer->rotating, 1) == 1)
		pv_wake(&timer->wake);
}

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

void timer_run(struct pv_vm *vm)
{
	uint64_t interval = vm->config.rotate_us * 1000ull, next = 0;

	while (!pv_u32_load(&vm->end.published)) {
		uint32_t ticket = pv_ticket(&vm->timer.wake);
		uint64_t now = clock_host_ns(), deadline = pv_u64_load(&vm->end.deadline);
		uint64_t until = UINT64_MAX;

		if (deadline && now >= deadline)
			give_up(vm);
		else if (deadline)
			until = deadline;
		if (pv_u32_load(&vm->timer.rotating)) {
			if (now >= next) {
				ask_for_rotation(vm);
				next = now + interval;
			}
			until = next < until ? next : until;
		}
		if (!pv_u32_load(&vm->end.published))
			pv_wait_until(&vm->timer.wake, ticket, until);
	}
}
