/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may be in guest mode. A vCPU's counts are exact and stand still while it is in
 * host mode with its event_mutex held. Who wants that from a vCPU in guest mode asks for
 * a pause, rings its doorbell and waits, holding nothing but an event's lock. The way
 * out of guest mode takes only the vCPU's own event_mutex, and a vCPU that waits for
 * another one is itself in host mode: so no two can wait for each other.
 */
#include "core/vcpu/vcpu.h"

#include "core/host/host.h"
#include "core/overflow/nmi.h"
#include "core/overflow/sync.h"
#include "core/vcpu/halt.h"

/* A counter's overflow is an NMI that interrupts the guest: it comes before all else. */
void vcpu_leave_guest(struct pv_vcpu *vcpu)
{
	bool wanted, counted;

	trace(vcpu->vm, PV_TRACE_EXIT, vcpu->index, 0, vcpu->run->exit_reason, vcpu->run->rip);
	nmi_counters(vcpu);
	pv_mutex_lock(&vcpu->event_mutex);
	vcpu->mode = VCPU_HOST;
	if (pv_u32_load(&vcpu->rotation_due) && pv_u32_exchange(&vcpu->rotation_due, 0))
		pmu_rotate(vcpu);
	counted = agent_counts_take(vcpu);
	wanted = vcpu->pause_requests > 0;
	pv_mutex_unlock(&vcpu->event_mutex);
	if (counted)
		console_signal(vcpu->vm);
	if (wanted && !PV_CANARY(pause_not_announced))
		pv_wake(&vcpu->paused);
}

/* NMIs that wait for the vCPU. None is for the agent's own code. */
static uint32_t take_inject(struct pv_vcpu *vcpu)
{
	uint32_t inject;

	if (!(vcpu->owed.events || vcpu->owed.agents) || pv_u32_load(&vcpu->stage) != STAGE_GUEST)
		return 0;
	inject = inject_take(vcpu);
	pv_u64_count(&vcpu->figures.nmis_injected, 1);
	return inject;
}

/* A HLT that was over for an NMI, which has been taken back meanwhile. */
static bool stays_halted(const struct pv_vcpu *vcpu)
{
	return vcpu->for_nmi && !vcpu->owed.events && !vcpu->undelivered && vm_phase(vcpu->vm) == PHASE_RUNNING &&
	       !PV_CANARY(halt_over_for_nothing);
}

static void prepare_entry(struct pv_vcpu *vcpu)
{
	vcpu->for_nmi = false;
	pmu_arm(vcpu);
	vcpu->run->inject = take_inject(vcpu);
	vcpu->mode = VCPU_GUEST;
	trace(vcpu->vm, PV_TRACE_ENTRY, vcpu->index, 0, vcpu->run->inject, vcpu_in_agent(vcpu));
}

enum entering { ENTERED, WANTED, HALTED };

static enum entering try_to_enter(struct pv_vcpu *vcpu)
{
	enum entering ret = ENTERED;

	pv_mutex_lock(&vcpu->event_mutex);
	if (vcpu->pause_requests && !PV_CANARY(pause_not_obeyed)) {
		ret = WANTED;
	} else {
		if (vcpu->vm->sync->at_entry)
			sync_events(vcpu);
		if (stays_halted(vcpu))
			ret = HALTED;
		else
			prepare_entry(vcpu);
	}
	pv_mutex_unlock(&vcpu->event_mutex);
	return ret;
}

bool vcpu_enter_guest(struct pv_vcpu *vcpu)
{
	pv_hold_nothing();
	sync_after_exit(vcpu);
	for (;;) {
		uint32_t ticket = pv_ticket(&vcpu->resumed);
		enum entering entering = try_to_enter(vcpu);

		if (entering == ENTERED)
			return true;
		if (vm_phase(vcpu->vm) == PHASE_OVER)
			return false;
		if (entering == WANTED) {
			pv_wait(&vcpu->resumed, ticket);
		} else {
			halt_park(vcpu);
			sync_after_exit(vcpu);
		}
	}
}

/* event_mutex held: one pause request less. */
static void withdraw(struct pv_vcpu *vcpu)
{
	if (!--vcpu->pause_requests && !PV_CANARY(resume_not_announced))
		pv_wake(&vcpu->resumed);
}

/* Waits with a pause request standing; event_mutex is held before and after. */
static bool wait_for_host_mode(struct pv_vcpu *vcpu)
{
	while (vcpu->mode != VCPU_HOST) {
		uint32_t ticket = pv_ticket(&vcpu->paused);

		pv_mutex_unlock(&vcpu->event_mutex);
		if (PV_CANARY(ticket_too_late))
			ticket = pv_ticket(&vcpu->paused);
		if (vm_phase(vcpu->vm) != PHASE_OVER)
			pv_wait(&vcpu->paused, ticket);
		pv_mutex_lock(&vcpu->event_mutex);
		if (vcpu->mode != VCPU_HOST && vm_phase(vcpu->vm) == PHASE_OVER)
			return false;
	}
	return true;
}

static bool hold_paused(struct pv_vcpu *vcpu)
{
	bool held;

	pv_mutex_lock(&vcpu->event_mutex);
	if (vcpu->mode == VCPU_HOST)
		return true;
	vcpu->pause_requests++;
	vcpu_ring(vcpu);
	held = wait_for_host_mode(vcpu);
	withdraw(vcpu);
	if (!held)
		pv_mutex_unlock(&vcpu->event_mutex);
	return held;
}

bool vcpu_hold(struct pv_vcpu *vcpu)
{
	if (!hold_paused(vcpu))
		return false;
	trace(vcpu->vm, PV_TRACE_HOLD, vcpu->index, 0, 0, 0);
	fault_delay(vcpu->vm);
	return true;
}

void vcpu_hold_own(struct pv_vcpu *vcpu)
{
	pv_mutex_lock(&vcpu->event_mutex);
	trace(vcpu->vm, PV_TRACE_HOLD, vcpu->index, 0, 0, 0);
	fault_delay(vcpu->vm);
}

void vcpu_release(struct pv_vcpu *vcpu)
{
	trace(vcpu->vm, PV_TRACE_RELEASE, vcpu->index, 0, 0, 0);
	pv_mutex_unlock(&vcpu->event_mutex);
}
