/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "abi/agent.h"
#include "engine/count/alarm.h"
#include "engine/count/config.h"
#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/hooks.h"
#include "engine/run/engine.h"
#include "engine/run/jump.h"
#include "engine/run/loop.h"
#include "engine/run/state.h"

int agent_create(struct pv_engine *e, char *why, uint64_t why_size)
{
	struct pv_engine_config config = e->cpu.config;
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
	config.platform = NULL;
	config.code_map = NULL;
	ret = engine_create(&config, &e->agent.engine, why, why_size);
	if (ret)
		return ret;
	e->agent.engine->guest = e;
	e->agent.engine->cpu.hooks.never = true;
	e->agent.engine->cpu.freeze.depth = 1;
	return 0;
}

void agent_destroy(struct pv_engine *e)
{
	if (e->agent.engine)
		engine_destroy(e->agent.engine);
}

void agent_nmi_inject(struct pv_engine *e)
{
	if (!e->agent.engine) {
		cpu_fail(&e->cpu, -EINVAL, "an NMI for the agent, and there is none");
		return;
	}
	e->agent.pending = true;
	count_attend(&e->cpu, ATTEND_INJECT);
}

static void write_frame(struct pv_engine *e, uint64_t rip)
{
	static const int regs[] = {
		UC_X86_REG_CS, UC_X86_REG_EFLAGS, UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_CR3,
	};
	struct pv_agent_frame frame = { .rip = rip };
	void *values[] = { &frame.cs, &frame.rflags, &frame.rsp, &frame.rbp, &frame.cr3 };
	struct timespec now;

	uc_reg_read_batch(e->cpu.uc, regs, values, sizeof(regs) / sizeof(regs[0]));
	clock_gettime(CLOCK_MONOTONIC, &now);
	frame.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	memcpy(e->cpu.config.ram + e->cpu.config.agent_frame, &frame, sizeof(frame));
}

/* The time since the last call was the guest's, in its kernel. */
static void settle_time(struct pv_engine *agent)
{
	struct pv_engine *e = agent->guest;

	count_fold(&agent->cpu);
	for (unsigned cpl = 0; cpl < PV_CPLS; cpl++) {
		e->cpu.count.total[PV_COUNT_GUEST_TSC][PV_CPL_KERNEL] += agent->cpu.count.total[PV_COUNT_GUEST_TSC][cpl];
		agent->cpu.count.total[PV_COUNT_GUEST_TSC][cpl] = 0;
	}
	e->cpu.count.tsc_start = agent->cpu.count.tsc_start;
}

void agent_publish(struct pv_engine *agent, uint64_t rip)
{
	settle_time(agent);
	count_publish(&agent->guest->cpu, agent->agent_of.rip);
	agent->cpu.config.run->cpl = PV_CPL_KERNEL;
	agent->cpu.config.run->rip = rip;
}

/* All of the CPU but these is as the agent left it, which knows nothing but its arguments and its stack. */
static void enter_again(struct pv_engine *agent, const struct pv_jump *at)
{
	static const int regs[] = { UC_X86_REG_RSP, UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RIP };
	struct pv_jump to = *at;
	void *values[] = { &to.rsp, &to.rdi, &to.rsi, &to.rip };

	uc_reg_write_batch(agent->cpu.uc, regs, values, sizeof(regs) / sizeof(regs[0]));
}

/* From `at` to where the agent ends; in front of `rip` of the guest. False: the host has sent the vCPU elsewhere. */
static bool run(struct pv_engine *e, const struct pv_jump *at, uint64_t rip, bool nmi)
{
	struct pv_engine *agent = e->agent.engine;

	count_fold(&e->cpu);
	agent->agent_of = (struct agent_of){ .rip = rip, .nmi = nmi };
	agent->cpu.count.tsc_start = e->cpu.count.tsc_start;
	agent->cpu.stop = false;
	agent->cpu.count.current = NULL;
	agent->cpu.count.attend &= ATTEND_FLUSH;
	if (nmi && e->agent.entered)
		enter_again(agent, at);
	else
		jump_load(&agent->cpu, at, false);
	e->agent.entered = true;
	loop_go_on(agent);
	settle_time(agent);
	if (agent->cpu.failure) {
		e->cpu.failure = agent->cpu.failure;
		e->cpu.config.run->action = PV_ENTER_STOP;
	}
	hooks_entered(&e->cpu); /* the host may want something else now */
	alarm_entered(&e->cpu);
	count_fold(&e->cpu);
	if (!agent->agent_of.done || !agent->agent_of.finish)
		return agent->agent_of.done;
	e->cpu.config.run->action = PV_ENTER_AGENT;
	return false;
}

bool agent_nmi_serve(struct pv_engine *e, uint64_t rip)
{
	while (e->agent.pending) {
		e->agent.pending = false;
		e->cpu.config.run->agent_nmis++;
		write_frame(e, rip);
		if (!run(e, &e->cpu.config.agent_nmi, rip, true))
			return false;
	}
	return true;
}

void agent_nmi_abandon(struct pv_engine *e)
{
	e->agent.pending = false;
}

void agent_end(struct pv_engine *agent)
{
	agent->agent_of.done = true;
	agent->cpu.stop = true;
	uc_emu_stop(agent->cpu.uc);
}

void agent_enter(struct pv_engine *e, uint64_t rip)
{
	struct pv_jump at = e->cpu.config.run->jump;

	if (!e->agent.engine)
		cpu_fail(&e->cpu, -EINVAL, "the agent is to run, and there is none");
	else if (run(e, &at, rip, false))
		cpu_fail(&e->cpu, -EINVAL, "the agent has ended as from an NMI");
}
