/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a vCPU is sent: to the guest's entry, or into the agent, where it is frozen. */
#include "core/vcpu/agent.h"

#include "abi/agent.h"
#include "core/host/host.h"

static void set_stage(struct pv_vcpu *vcpu, enum vcpu_stage stage, bool frozen)
{
	pv_mutex_lock(&vcpu->event_mutex);
	if (frozen)
		pmu_freeze(vcpu);
	else
		pmu_unfreeze(vcpu);
	pv_mutex_unlock(&vcpu->event_mutex);
	pv_u32_store(&vcpu->stage, stage);
}

static enum pv_entry_action enter_agent(struct pv_vcpu *vcpu, const struct pv_jump *at,
					enum vcpu_stage stage)
{
	set_stage(vcpu, stage, true);
	pv_u64_store(&vcpu->left_at, clock_host_ns());
	vcpu->run->jump = *at;
	vcpu->run->jump.rdi = vcpu->index;
	vcpu->run->jump.rsp += vcpu->index * vcpu->vm->config.agent_stack;
	return PV_ENTER_AGENT;
}

static enum pv_entry_action enter_guest(struct pv_vcpu *vcpu)
{
	pv_u64_set_once(&vcpu->vm->entered_at, clock_host_ns());
	set_stage(vcpu, STAGE_GUEST, false);
	console_signal(vcpu->vm);
	vcpu->run->jump = vcpu->vm->config.boot;
	vcpu->run->jump.rdi = vcpu->index;
	return PV_ENTER_JUMP;
}

enum pv_entry_action agent_enter_start(struct pv_vcpu *vcpu)
{
	const struct pv_jump *start = &vcpu->vm->config.agent_start;

	return start->rip ? enter_agent(vcpu, start, STAGE_AGENT_START) : enter_guest(vcpu);
}

enum pv_entry_action agent_enter_finish(struct pv_vcpu *vcpu)
{
	return enter_agent(vcpu, &vcpu->vm->config.agent_finish, STAGE_AGENT_FINISH);
}

int64_t agent_done(struct pv_vcpu *vcpu, uint64_t what, enum pv_entry_action *ret)
{
	uint32_t stage = pv_u32_load(&vcpu->stage);

	if (stage != STAGE_AGENT_START && stage != STAGE_AGENT_FINISH)
		return -KVM_ENOSYS;
	if (what == PV_AGENT_STARTED && stage == STAGE_AGENT_START) {
		*ret = enter_guest(vcpu);
	} else if (what == PV_AGENT_FINISHED && stage == STAGE_AGENT_FINISH) {
		pv_u32_store(&vcpu->stage, STAGE_FINISHED);
		*ret = PV_ENTER_STOP;
	} else {
		return -PV_EINVAL;
	}
	return 0;
}
