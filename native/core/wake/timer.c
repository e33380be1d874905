/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/wake/timer.h"

#include "core/host/host.h"

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

void timer_want_windows(struct pv_vm *vm, bool wanted)
{
	if (!vm->config.max_sample_rate)
		return;
	if (!wanted)
		pv_u32_sub(&vm->timer.sampling, 1);
	else if (pv_u32_add(&vm->timer.sampling, 1) == 1)
		pv_wake(&vm->timer.wake);
}
