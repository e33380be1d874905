/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/wake/end.h"

#include <errno.h>
#include <stdio.h>

#include "abi/handover.h"
#include "core/host/host.h"

void end_init(struct pv_vm *vm)
{
	pv_spinlock_init(&vm->end.lock, "the end lock");
}

static bool is_orderly(uint32_t reason)
{
	return reason == PV_END_EXIT_PORT || reason == PV_END_ALL_HALTED ||
	       reason == PV_END_STOPPED;
}

static bool agent_finished(const struct pv_vm *vm)
{
	for (uint32_t i = 0; i < vm->config.vcpus; i++)
		if (pv_u32_load(&vm->vcpus[i].stage) != STAGE_FINISHED)
			return false;
	return true;
}

static const struct pv_vm_end ended_from_outside = {
	.reason = PV_END_HOST_ERROR,
	.vcpu = -1,
	.error = EIO,
	.text = "the VM page was marked as over by somebody else",
};

static void publish(struct pv_vm *vm)
{
	struct vm_ending *ending = &vm->end;

	pv_spin_lock(&ending->lock);
	if (ending->what.reason == PV_END_NONE)
		ending->what = ended_from_outside;
	ending->what.agent_complete = agent_finished(vm);
	pv_u32_store(&ending->phase, PHASE_OVER);
	pv_u32_store(&ending->published, 1);
	pv_spin_unlock(&ending->lock);
	handover_end(vm->config.page, vm->runs, vm->config.vcpus);
	pv_wake(&vm->timer.wake);
	console_signal(vm);
}

/* Everybody who waits looks at the phase again, and every vCPU leaves guest mode. */
static void announce(struct pv_vm *vm, enum vm_phase phase)
{
	for (uint32_t i = 0; i < vm->config.vcpus; i++) {
		struct pv_vcpu *vcpu = &vm->vcpus[i];

		vcpu_ring(vcpu);
		pv_wake(&vcpu->kick);
		pv_wake(&vcpu->paused);
		pv_wake(&vcpu->resumed);
	}
	pv_wake(&vm->console.space);
	pv_wake(&vm->timer.wake);
	if (phase == PHASE_OVER)
		handover_end(vm->config.page, vm->runs, vm->config.vcpus);
}

/* Lock held. The first reason stands, but a panic is told whatever came before it. */
static bool is_news(const struct vm_ending *ending, const struct pv_vm_end *end)
{
	uint32_t known = ending->what.reason;

	return known == PV_END_NONE || (end->reason == PV_END_HOST_PANIC && known != PV_END_HOST_PANIC &&
					!pv_u32_load(&ending->published));
}

/* True if this moved the VM on. A VM that was never started has nobody to wait for. */
static bool advance(struct pv_vm *vm, const struct pv_vm_end *end, enum vm_phase phase,
		    bool *never_started)
{
	struct vm_ending *ending = &vm->end;
	bool moved;

	pv_spin_lock(&ending->lock);
	if (is_news(ending, end))
		ending->what = *end;
	moved = pv_u32_load(&ending->phase) < phase;
	if (moved) {
		pv_u64_set_once(&ending->deadline, clock_host_ns() + vm->hooks.patience_ns);
		pv_u32_store(&ending->phase, phase);
	}
	*never_started = moved && !ending->started;
	ending->started = true;
	pv_spin_unlock(&ending->lock);
	return moved;
}

static void move_to(struct pv_vm *vm, const struct pv_vm_end *end, enum vm_phase phase)
{
	bool never_started;

	if (!advance(vm, end, phase, &never_started))
		return;
	announce(vm, phase);
	if (never_started)
		publish(vm);
}

void vm_request_end(struct pv_vm *vm, const struct pv_vm_end *end)
{
	bool finish = is_orderly(end->reason) && vm->config.agent_finish.rip;

	move_to(vm, end, finish ? PHASE_FINISHING : PHASE_STOPPING);
}

void vm_force_end(struct pv_vm *vm, const struct pv_vm_end *end)
{
	move_to(vm, end, PHASE_OVER);
}

void vm_host_error(struct pv_vm *vm, int32_t vcpu, int error, const char *text)
{
	struct pv_vm_end end = { .reason = PV_END_HOST_ERROR, .vcpu = vcpu, .error = error };

	snprintf(end.text, sizeof(end.text), "%s", text);
	vm_request_end(vm, &end);
}

int end_start(struct pv_vm *vm, uint32_t threads)
{
	struct vm_ending *ending = &vm->end;
	int ret = 0;

	pv_spin_lock(&ending->lock);
	if (ending->started)
		ret = -ECANCELED;
	else
		pv_u32_store(&ending->serving, threads);
	ending->started = true;
	pv_spin_unlock(&ending->lock);
	return ret;
}

void end_thread_left(struct pv_vm *vm)
{
	if (!pv_u32_sub(&vm->end.serving, 1))
		publish(vm);
	else
		pv_wake(&vm->timer.wake); /* it leaves when it is the last one */
}
