/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercalls by number. The result goes to the guest's RAX; no other register changes. */
#include "abi/agent.h"
#include "abi/quiet.h"
#include "core/exits/exit.h"
#include "core/exits/perf_op.h"
#include "core/host/host.h"
#include "core/vcpu/agent.h"

static int64_t kick_cpu(struct pv_vcpu *vcpu, uint64_t index)
{
	if (index >= vcpu->vm->config.vcpus)
		return -PV_EINVAL;
	halt_kick(&vcpu->vm->vcpus[index]);
	return 0;
}

static int64_t dispatch(struct pv_vcpu *vcpu, const uint64_t arg[4], enum pv_entry_action *action)
{
	bool user = vcpu->run->cpl > 0;

	if (!user && arg[0] == KVM_PERF_OP && vcpu->vm->config.pv_perf)
		return perf_op(vcpu, arg[1], arg[2], arg[3]);
	pv_u64_count(&vcpu->figures.other_hypercalls, 1);
	if (user)
		return -KVM_EPERM;
	switch (arg[0]) {
	case KVM_HC_KICK_CPU:
		return kick_cpu(vcpu, arg[2]);
	case PV_HC_AGENT_DONE:
		return agent_done(vcpu, arg[1], action);
	case PV_HC_QUIET:
		return quiet_check(vcpu, arg[1]);
	default:
		return -KVM_ENOSYS;
	}
}

/* After HC_NO_RESULT the VM is at its end: exit_serve() will not let the vCPU go on. */
enum pv_entry_action hypercall_serve(struct pv_vcpu *vcpu)
{
	enum pv_entry_action action = PV_ENTER_RESUME;
	const uint64_t arg[4] = { vcpu->run->arg[0], vcpu->run->arg[1], vcpu->run->arg[2],
				  vcpu->run->arg[3] };
	int64_t result;

	trace(vcpu->vm, PV_TRACE_HYPERCALL, vcpu->index, (int32_t)(uint32_t)arg[2], arg[0], arg[1]);
	result = dispatch(vcpu, arg, &action);

	if (result == HC_NO_RESULT)
		return PV_ENTER_STOP;
	if (result < 0)
		pv_u64_count(&vcpu->figures.guest_errors, 1);
	vcpu->run->rax = (uint64_t)result;
	trace(vcpu->vm, PV_TRACE_RESULT, vcpu->index, 0, (uint64_t)result, 0);
	return action;
}
