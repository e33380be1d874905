/* SPDX-License-Identifier: GPL-2.0-only */
/* Serves one VM exit. */
#include "core/exits/exit.h"

#include <errno.h>
#include <stdio.h>

#include "core/host/host.h"
#include "core/vcpu/agent.h"
#include "core/vcpu/halt.h"

static enum pv_entry_action end_by_engine(struct pv_vcpu *vcpu, int32_t error, const char *text)
{
	struct pv_vm_end end = { .reason = PV_END_ENGINE_ERROR, .vcpu = (int32_t)vcpu->index,
				 .error = error };

	snprintf(end.text, sizeof(end.text), "%.*s", (int)sizeof(vcpu->run->text) - 1, text);
	vm_request_end(vcpu->vm, &end);
	return PV_ENTER_STOP;
}

/* The engine does what it must not. */
static enum pv_entry_action engine_failed(struct pv_vcpu *vcpu, const char *text)
{
	return end_by_engine(vcpu, EIO, text);
}

static enum pv_entry_action serve_ready(struct pv_vcpu *vcpu)
{
	return agent_enter_start(vcpu);
}

static enum pv_entry_action serve_out(struct pv_vcpu *vcpu)
{
	uint64_t port = vcpu->run->arg[0], size = vcpu->run->arg[1], value = vcpu->run->arg[2];
	uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
			     (uint8_t)(value >> 24) };

	if (size != 1 && size != 2 && size != 4)
		return engine_failed(vcpu, "an OUT of a size that there is not");
	if (port == PV_PORT_CONSOLE) {
		console_write(vcpu->vm, bytes, (uint32_t)size);
		pv_u64_count(&vcpu->figures.console_bytes, size);
	} else if (port == PV_PORT_EXIT) {
		vm_request_end(vcpu->vm, &(struct pv_vm_end){ .reason = PV_END_EXIT_PORT,
							      .status = bytes[0],
							      .vcpu = (int32_t)vcpu->index });
	} else {
		pv_u64_count(&vcpu->figures.dropped_port_writes, 1);
	}
	return PV_ENTER_RESUME;
}

static enum pv_entry_action serve_hlt(struct pv_vcpu *vcpu)
{
	halt_park(vcpu);
	return PV_ENTER_RESUME;
}

/* Whoever rang the doorbell wanted the vCPU out of guest mode, which it is. What has overflowed
 * was raised in front of the exit. */
static enum pv_entry_action serve_kick(struct pv_vcpu *vcpu)
{
	(void)vcpu;
	return PV_ENTER_RESUME;
}

static enum pv_entry_action serve_shutdown(struct pv_vcpu *vcpu)
{
	struct pv_vm_end end = { .reason = PV_END_SHUTDOWN, .vcpu = (int32_t)vcpu->index };

	snprintf(end.text, sizeof(end.text), "%.*s", (int)sizeof(vcpu->run->text) - 1,
		 vcpu->run->text);
	vm_request_end(vcpu->vm, &end);
	return PV_ENTER_STOP;
}

/* The engine says that it failed, or that the guest needs what it does not support. The text is its own. */
static enum pv_entry_action serve_error(struct pv_vcpu *vcpu)
{
	bool unsupported = vcpu->run->arg[0] == (uint64_t)-EOPNOTSUPP;

	return end_by_engine(vcpu, unsupported ? EOPNOTSUPP : EIO, vcpu->run->text);
}

static enum pv_entry_action (*const serve[PV_EXIT_REASONS])(struct pv_vcpu *vcpu) = {
	[PV_EXIT_READY] = serve_ready,
	[PV_EXIT_HYPERCALL] = hypercall_serve,
	[PV_EXIT_IO_OUT] = serve_out,
	[PV_EXIT_HLT] = serve_hlt,
	[PV_EXIT_KICK] = serve_kick,
	[PV_EXIT_OVERFLOW] = serve_kick,
	[PV_EXIT_SHUTDOWN] = serve_shutdown,
	[PV_EXIT_ERROR] = serve_error,
};

/* Once the VM's end has been asked for, the vCPU goes where the end wants it. One that is
 * in the agent's start completes it first, so that every event that it opened is closed. */
static enum pv_entry_action redirect(struct pv_vcpu *vcpu, enum pv_entry_action action)
{
	switch (vm_phase(vcpu->vm)) {
	case PHASE_RUNNING:
		return action;
	case PHASE_FINISHING:
		return pv_u32_load(&vcpu->stage) == STAGE_GUEST ? agent_enter_finish(vcpu) : action;
	default:
		return PV_ENTER_STOP;
	}
}

enum pv_entry_action exit_serve(struct pv_vcpu *vcpu)
{
	uint32_t reason = vcpu->run->exit_reason;
	bool booting = pv_u32_load(&vcpu->stage) == STAGE_BOOTING;
	enum pv_entry_action action;

	if (reason >= PV_EXIT_REASONS || !serve[reason])
		return engine_failed(vcpu, "an exit for no known reason");
	pv_u64_count(&vcpu->figures.exits[reason], 1);
	if (booting != (reason == PV_EXIT_READY) && reason != PV_EXIT_ERROR)
		return engine_failed(vcpu, "an exit before, or a second, PV_EXIT_READY");
	action = serve[reason](vcpu);
	return redirect(vcpu, action);
}
