/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NMIs of the agent (agent.h): the whole CPU is exchanged for one that is about to run
 * the agent's handler, and back at PV_HC_AGENT_IRET. The guest cannot tell.
 */
#include "state.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "agent.h"

int agent_nmi_create(struct pv_engine *e)
{
	struct agent_nmi *agent = &e->agent;

	if (!e->config.agent_nmi.rip)
		return 0;
	if (e->config.agent_frame % sizeof(uint64_t) || e->config.agent_frame > e->config.ram_size ||
	    e->config.ram_size - e->config.agent_frame < sizeof(struct pv_agent_frame))
		return -EFAULT;
	if (uc_context_alloc(e->uc, &agent->guest) || uc_context_alloc(e->uc, &agent->entry))
		return -ENOMEM;
	/* A new CPU, until the first NMI makes it the handler's. */
	return uc_context_save(e->uc, agent->entry) ? -ENOMEM : tlb_create(e);
}

void agent_nmi_destroy(struct pv_engine *e)
{
	tlb_destroy(e);
	if (e->agent.guest)
		uc_context_free(e->agent.guest);
	if (e->agent.entry)
		uc_context_free(e->agent.entry);
}

void agent_nmi_inject(struct pv_engine *e)
{
	if (!e->config.agent_nmi.rip) {
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

/* A saved CPU in place of the present one, all but RIP, with the agent's TLB in use. The API exchanges the registers
 * alone: writing CR3 flushes that, and what is remembered of translated code by its address. */
static void load_cpu(struct pv_engine *e, uc_context *context)
{
	uint64_t cr3 = 0;

	uc_context_restore(e->uc, context);
	uc_context_reg_read(context, UC_X86_REG_CR3, &cr3);
	reg_set(e, UC_X86_REG_CR3, cr3);
}

static void load_entry(struct pv_engine *e)
{
	struct agent_nmi *agent = &e->agent;

	tlb_exchange(e);
	agent->guest_tlb_outdated = false;
	load_cpu(e, agent->entry);
	count_enter_cpl(e, PV_CPL_KERNEL);
	if (agent->entry_made)
		return;
	jump_load(e, &e->config.agent_nmi, false);
	uc_context_save(e->uc, agent->entry);
	agent->entry_made = true;
}

bool agent_nmi_enter(struct pv_engine *e, uint64_t rip, bool in_block)
{
	struct agent_nmi *agent = &e->agent;

	if (!agent->pending || agent->in_service)
		return false;
	if (e->config.oracle)
		oracle_settle(e, rip, false);
	count_leave_block(e, rip);
	count_freeze(e);
	agent->pending = false;
	agent->in_service = true;
	e->config.run->agent_nmis++;
	write_frame(e, rip);
	uc_context_save(e->uc, agent->guest);
	agent->guest_rip = rip;
	agent->guest_cpl = e->cpl;
	agent->guest_attend = e->attend & ~(uint32_t)ATTEND_BOUNDARY;
	e->attend &= ATTEND_BOUNDARY;
	load_entry(e);
	if (in_block)
		rip_set_in_block(e, e->config.agent_nmi.rip);
	else
		rip_set(e, e->config.agent_nmi.rip);
	return true;
}

/* Out of service, with what waited for that. */
static void end(struct pv_engine *e)
{
	e->agent.in_service = false;
	if (e->agent.pending || e->nmi.pending)
		e->attend |= ATTEND_INJECT;
	count_thaw(e);
}

void agent_nmi_leave(struct pv_engine *e)
{
	load_cpu(e, e->agent.guest);
	tlb_exchange(e);
	if (e->agent.guest_tlb_outdated)
		uc_ctl_flush_tlb(e->uc);
	rip_set(e, e->agent.guest_rip);
	count_enter_cpl(e, e->agent.guest_cpl);
	e->attend |= e->agent.guest_attend;
	end(e);
}

void agent_nmi_abandon(struct pv_engine *e)
{
	if (e->agent.in_service) {
		tlb_exchange(e); /* which whatever comes then will flush */
		end(e);
	}
	e->agent.pending = false;
}
