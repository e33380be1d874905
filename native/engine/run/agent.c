/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent (agent.h) runs on a CPU of its own: an engine whose memory is all of RAM, where the guest's ends in front of
 * the agent's. So there is no address at which the guest could reach the agent, and nothing of the guest's CPU changes
 * while the agent runs, which it does within the guest's engine, between two instructions. The agent is not counted.
 */
#include "engine/run/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "abi/agent.h"

int agent_create(struct pv_engine *e, char *why, uint64_t why_size)
{
	struct pv_engine_config config = e->config;
	int ret;

	if (!config.agent_bytes)
		return 0;
	if (config.agent_frame % sizeof(uint64_t) || config.agent_frame < config.ram_size ||
	    config.agent_frame - config.ram_size > config.agent_bytes ||
	    config.agent_bytes - (config.agent_frame - config.ram_size) < sizeof(struct pv_agent_frame)) {
		snprintf(why, why_size, "the agent's frame does not lie in the agent's memory, aligned");
		return -EFAULT;
	}
	config.ram_size += config.agent_bytes;
	config.agent_bytes = 0;
	config.hook = PV_ENGINE_COUNT;
	config.stores = PV_STORE_UNICORN;
	config.oracle = 0;
	config.core = -1;
	ret = engine_create(&config, &e->agent.cpu, why, why_size);
	if (ret)
		return ret;
	e->agent.cpu->guest = e;
	e->agent.cpu->freeze.depth = 1;
	return 0;
}

void agent_destroy(struct pv_engine *e)
{
	if (e->agent.cpu)
		engine_destroy(e->agent.cpu);
}

void agent_nmi_inject(struct pv_engine *e)
{
	if (!e->agent.cpu) {
		vmexit_fail(e, -EINVAL, "an NMI for the agent, and there is none");
		return;
	}
	e->agent.pending = true;
	count_attend(e, ATTEND_INJECT);
}

static void write_frame(struct pv_engine *e, uint64_t rip)
{
	static const int regs[] = {
		UC_X86_REG_CS, UC_X86_REG_EFLAGS, UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_CR3,
	};
	struct pv_agent_frame frame = { .rip = rip };
	void *values[] = { &frame.cs, &frame.rflags, &frame.rsp, &frame.rbp, &frame.cr3 };
	struct timespec now;

	uc_reg_read_batch(e->uc, regs, values, sizeof(regs) / sizeof(regs[0]));
	clock_gettime(CLOCK_MONOTONIC, &now);
	frame.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	memcpy(e->config.ram + e->config.agent_frame, &frame, sizeof(frame));
}

void agent_settle_time(struct pv_engine *cpu)
{
	struct pv_engine *e = cpu->guest;

	count_fold(cpu);
	for (unsigned cpl = 0; cpl < PV_CPLS; cpl++) {
		e->total[PV_COUNT_GUEST_TSC][PV_CPL_KERNEL] += cpu->total[PV_COUNT_GUEST_TSC][cpl];
		cpu->total[PV_COUNT_GUEST_TSC][cpl] = 0;
	}
	e->tsc_start = cpu->tsc_start;
}

void agent_publish(struct pv_engine *cpu, uint64_t rip)
{
	agent_settle_time(cpu);
	count_publish(cpu->guest, cpu->agent_of.rip);
	cpu->config.run->cpl = PV_CPL_KERNEL;
	cpu->config.run->rip = rip;
}

/* All of the CPU but these is as the agent left it, which knows nothing but its arguments and its stack. */
static void enter_again(struct pv_engine *cpu, const struct pv_jump *at)
{
	static const int regs[] = { UC_X86_REG_RSP, UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RIP };
	struct pv_jump to = *at;
	void *values[] = { &to.rsp, &to.rdi, &to.rsi, &to.rip };

	uc_reg_write_batch(cpu->uc, regs, values, sizeof(regs) / sizeof(regs[0]));
}

/* From `at` to where the agent ends; in front of `rip` of the guest. False: the host has sent the vCPU elsewhere. */
static bool run(struct pv_engine *e, const struct pv_jump *at, uint64_t rip, bool nmi)
{
	struct pv_engine *cpu = e->agent.cpu;

	count_fold(e);
	cpu->agent_of = (struct agent_of){ .rip = rip, .nmi = nmi };
	cpu->tsc_start = e->tsc_start;
	cpu->stop = false;
	cpu->current = NULL;
	cpu->attend &= ATTEND_FLUSH;
	if (nmi && e->agent.entered)
		enter_again(cpu, at);
	else
		jump_load(cpu, at, false);
	e->agent.entered = true;
	engine_go_on(cpu);
	agent_settle_time(cpu);
	if (cpu->failure) {
		e->failure = cpu->failure;
		e->config.run->action = PV_ENTER_STOP;
	}
	hooks_entered(e); /* the host may want something else now */
	alarm_entered(e);
	count_fold(e);
	if (!cpu->agent_of.done || !cpu->agent_of.finish)
		return cpu->agent_of.done;
	e->config.run->action = PV_ENTER_AGENT;
	return false;
}

bool agent_nmi_serve(struct pv_engine *e, uint64_t rip, bool in_block)
{
	while (e->agent.pending) {
		e->agent.pending = false;
		e->config.run->agent_nmis++;
		write_frame(e, rip);
		if (!run(e, &e->config.agent_nmi, rip, true)) {
			vmexit_sent_elsewhere(e, rip, in_block);
			return false;
		}
	}
	return true;
}

void agent_nmi_abandon(struct pv_engine *e)
{
	e->agent.pending = false;
}

void agent_end(struct pv_engine *cpu)
{
	cpu->agent_of.done = true;
	cpu->stop = true;
	uc_emu_stop(cpu->uc);
}

void agent_enter(struct pv_engine *e, uint64_t rip)
{
	struct pv_jump at = e->config.run->jump;

	if (!e->agent.cpu)
		vmexit_fail(e, -EINVAL, "the agent is to run, and there is none");
	else if (run(e, &at, rip, false))
		vmexit_fail(e, -EINVAL, "the agent has ended as from an NMI");
}
