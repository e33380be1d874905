/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/vcpu/halt.h"

#include "core/host/host.h"

enum parking { GO_ON, STAY, LAST_ONE };

/*
 * Halt lock held, all vCPUs parked: can one go on, now or later? A clock that raises an NMI has that queued before
 * it is due again, so that either is seen.
 */
static bool can_wake(struct pv_vm *vm)
{
	bool any = clock_events_may_wake(vm);

	for (uint32_t i = 0; i < vm->config.vcpus; i++)
		if (halt_unpark_for_nmi(&vm->vcpus[i])) {
			pv_wake(&vm->vcpus[i].kick);
			any = true;
		}
	return any;
}

/*
 * Takes a pending kick, goes on for an NMI, or parks. The time of every vCPU that is parked
 * stands still: a clock that is still armed will wake one, and with all parked none is armed anew.
 */
static enum parking park(struct pv_vcpu *vcpu)
{
	struct pv_vm *vm = vcpu->vm;
	enum parking ret = STAY;

	pv_spin_lock(&vm->halt.lock);
	vcpu->for_nmi = false;
	if (vcpu->kicked) {
		vcpu->kicked = false;
		ret = GO_ON;
	} else if (pv_u32_load(&vcpu->queue.due) && !PV_CANARY(halts_with_an_nmi_due)) {
		vcpu->for_nmi = true;
		ret = GO_ON;
	} else {
		vcpu->parked = true;
		if (++vm->halt.parked == vm->config.vcpus && !can_wake(vm))
			ret = LAST_ONE;
	}
	pv_spin_unlock(&vm->halt.lock);
	return ret;
}

/* Has somebody kicked it awake? At the VM's end it leaves by itself. */
static bool unparked(struct pv_vcpu *vcpu)
{
	struct pv_vm *vm = vcpu->vm;
	bool ending = vm_phase(vm) != PHASE_RUNNING;
	bool ret;

	pv_spin_lock(&vm->halt.lock);
	if (vcpu->parked && ending) {
		vcpu->parked = false;
		vm->halt.parked--;
	}
	ret = !vcpu->parked;
	pv_spin_unlock(&vm->halt.lock);
	return ret;
}

static void set_parked_time(struct pv_vcpu *vcpu, bool parked)
{
	pv_mutex_lock(&vcpu->event_mutex);
	pmu_park(vcpu, parked);
	pv_mutex_unlock(&vcpu->event_mutex);
}

static void all_halted(struct pv_vm *vm)
{
	struct pv_vm_end end = { .reason = PV_END_ALL_HALTED, .vcpu = -1 };

	clock_events_tell(vm, &end);
	vm_request_end(vm, &end);
}

void halt_park(struct pv_vcpu *vcpu)
{
	enum parking parking;

	set_parked_time(vcpu, true);
	pv_point("halt: parking");
	parking = park(vcpu);
	if (parking == LAST_ONE)
		all_halted(vcpu->vm);
	while (parking != GO_ON) {
		uint32_t ticket = pv_ticket(&vcpu->kick);

		if (unparked(vcpu))
			break;
		pv_wait(&vcpu->kick, ticket);
	}
	set_parked_time(vcpu, false);
}
