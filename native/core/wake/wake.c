/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/wake/wake.h"

#include "abi/handover.h"
#include "core/host/host.h"

void vcpu_ring(struct pv_vcpu *vcpu)
{
	pv_u64_add(&vcpu->vm->kicks, 1);
	trace(vcpu->vm, PV_TRACE_KICK, vcpu->index, 0, 0, 0);
	handover_ring(vcpu->bell);
}

void halt_init(struct pv_vm *vm)
{
	pv_spinlock_init(&vm->halt.lock, "the halt lock");
}

bool halt_unpark_for_nmi(struct pv_vcpu *vcpu)
{
	if (!vcpu->parked || !pv_u32_load(&vcpu->queue.due))
		return false;
	vcpu->for_nmi = true;
	vcpu->parked = false;
	vcpu->vm->halt.parked--;
	return true;
}

void halt_kick(struct pv_vcpu *vcpu)
{
	struct pv_vm *vm = vcpu->vm;

	pv_spin_lock(&vm->halt.lock);
	if (vcpu->parked) {
		vcpu->parked = false;
		vm->halt.parked--;
	} else {
		vcpu->kicked = !PV_CANARY(early_kick_forgotten);
	}
	pv_spin_unlock(&vm->halt.lock);
	pv_wake(&vcpu->kick);
}

void halt_wake(struct pv_vcpu *vcpu)
{
	struct pv_vm *vm = vcpu->vm;

	pv_spin_lock(&vm->halt.lock);
	halt_unpark_for_nmi(vcpu);
	pv_spin_unlock(&vm->halt.lock);
	pv_wake(&vcpu->kick);
}
