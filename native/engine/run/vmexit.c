/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/vmexit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#include "abi/agent.h"
#include "abi/handover.h"
#include "engine/count/alarm.h"
#include "engine/count/config.h"
#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/freeze.h"
#include "engine/count/held.h"
#include "engine/count/hooks.h"
#include "engine/count/oracle.h"
#include "engine/exception/nmi.h"
#include "engine/process/placement.h"
#include "engine/run/agent.h"
#include "engine/run/boundary.h"
#include "engine/run/jump.h"
#include "engine/run/port.h"
#include "engine/run/state.h"
#include "engine/system/cpuid.h"
#include "engine/system/system.h"
#include "engine/unicorn/registers.h"

enum { RFLAGS_IF = 1 << 9 };

/* The VM is over for this vCPU. */
static void stop(struct pv_engine *e)
{
	e->cpu.stop = true;
	uc_emu_stop(e->cpu.uc);
}

/* Whose counts the host is told. */
static struct pv_engine *counted(struct pv_engine *e)
{
	return e->guest ? e->guest : e;
}

static void publish(struct pv_engine *e, uint64_t rip)
{
	if (e->guest)
		agent_publish(e, rip);
	else
		count_publish(&e->cpu, rip);
}

/* What the host was told the exiting instruction would add, wherever it sends the vCPU. */
static void retire(struct pv_engine *e)
{
	const struct pv_run *run = e->cpu.config.run;

	count_penalty(&e->cpu, run->retire[PV_COUNT_CYCLES] - run->retire[PV_COUNT_INSTRUCTIONS]);
	if (run->retire[PV_COUNT_INSTRUCTIONS])
		oracle_retire(&e->cpu);
}

/* A hand-over took so many ticks. */
static void place(struct pv_engine *e, uint64_t ticks)
{
	if (cores_note(&e->cores, ticks))
		__atomic_store_n(&e->cpu.config.run->together, !e->cores.placement.apart, __ATOMIC_RELAXED);
}

/* Hands over the exit that the run page describes. False: no entry any more. */
static bool hand_over(struct pv_engine *e, enum pv_exit_reason reason, uint64_t rip)
{
	struct pv_run *run = e->cpu.config.run;
	uint64_t left;

	publish(e, rip);
	if (reason != PV_EXIT_READY)
		oracle_compare(&e->cpu);
	run->exit_reason = reason;
	run->stores_short = counted(e)->cpu.stores.fast.done;
	if (counted(e)->cpu.share.map)
		share_leave(&counted(e)->cpu.share);
	if (handover_exit(run, e->cpu.config.page) != PV_HANDED)
		return false;
	if (counted(e)->cpu.share.map)
		share_return(&counted(e)->cpu.share, counted(e)->cpu.uc);
	left = e->cpu.count.tsc_start;
	e->cpu.count.tsc_start = counted(e)->cpu.count.tsc_start = __rdtsc();
	if (reason != PV_EXIT_HLT)
		place(counted(e), e->cpu.count.tsc_start - left);
	retire(e);
	count_fold(&e->cpu); /* other alarms may be armed */
	alarm_entered(&e->cpu);
	hooks_entered(&e->cpu);
	return true;
}

static void set_retire(struct pv_engine *e, uint64_t instructions, uint64_t cycles)
{
	struct pv_run *run = e->cpu.config.run;

	if (count_frozen(&e->cpu.freeze))
		instructions = cycles = 0;
	run->retire[PV_COUNT_INSTRUCTIONS] = instructions;
	run->retire[PV_COUNT_BRANCHES] = 0;
	run->retire[PV_COUNT_CYCLES] = e->cpu.config.page->cycles_tsc ? 0 : instructions + cycles;
	run->retire[PV_COUNT_GUEST_TSC] = 0;
}

/* What comes with the entry is delivered before the next block. */
static void inject(struct pv_engine *e)
{
	uint32_t what = e->cpu.config.run->inject;

	if (what & PV_INJECT_AGENT_NMI)
		agent_nmi_inject(counted(e));
	if (what & PV_INJECT_NMI)
		nmi_inject(&counted(e)->nmi, &counted(e)->cpu);
	if (what && e->guest)
		count_attend(&e->cpu, ATTEND_INJECT); /* it waits for the agent's end; the doorbell is looked at meanwhile, too */
}

/* The guest is left for good in front of `rip`. Where to, the host says, or the agent, which comes before. */
static void leave(struct pv_engine *e, uint64_t rip, bool in_block)
{
	struct pv_run *run = e->cpu.config.run;

	count_leave_block(&e->cpu, rip);
	agent_nmi_abandon(e);
	nmi_abandon(&e->nmi, &e->cpu);
	e->cpu.count.attend &= ATTEND_FLUSH;
	e->cpu.oracle.pending = false;
	while (run->action == PV_ENTER_AGENT && !e->cpu.stop) /* its finish right after its start, too */
		agent_enter(e, rip);
	if (e->cpu.stop)
		return;
	if (run->action == PV_ENTER_JUMP) {
		jump_load(&e->cpu, &run->jump, in_block);
		system_debug_registers_set(&e->system);
		inject(e);
	} else {
		stop(e);
	}
}

/* Sends the vCPU where the host wants it. True: on from where it was. */
static bool enter(struct pv_engine *e, bool entered, bool in_block)
{
	struct pv_run *run = e->cpu.config.run;

	if (!entered)
		run->action = PV_ENTER_STOP;
	if (run->action == PV_ENTER_RESUME) {
		inject(e);
		return true;
	}
	if (run->action == PV_ENTER_AGENT && e->agent_of.nmi) {
		e->agent_of.finish = true; /* what the handler has taken it leaves in the ring before */
		return true;
	}
	if (e->guest || run->action == PV_ENTER_STOP)
		stop(e); /* where to from the agent, the guest's CPU sees */
	else
		leave(e, run->rip + run->retire[PV_COUNT_INSTRUCTIONS], in_block); /* what retires is not taken back */
	return false;
}

void vmexit_sent_elsewhere(struct pv_engine *e, uint64_t rip, bool in_block)
{
	leave(e, rip, in_block);
}

void vmexit_ready(struct pv_engine *e)
{
	set_retire(e, 0, 0);
	enter(e, hand_over(e, PV_EXIT_READY, 0), false);
}

/* In front of the block at `rip`, which may be charged already. */
bool vmexit_kick(struct pv_engine *e, uint64_t rip, bool in_block)
{
	if (!(handover_take_doorbell(e->cpu.bell) & PV_BELL_HOST))
		return true;
	oracle_settle(&e->cpu, rip, false);
	set_retire(e, 0, 0);
	return enter(e, hand_over(e, PV_EXIT_KICK, rip), in_block);
}

/* Between two blocks, with what came before `rip` retired. */
bool vmexit_overflow(struct pv_engine *e, uint64_t rip, bool in_block)
{
	oracle_settle(&e->cpu, rip, false);
	set_retire(e, 0, 0);
	return enter(e, hand_over(e, PV_EXIT_OVERFLOW, rip), in_block);
}

void vmexit_late_entry(struct pv_engine *e, uint64_t rip, bool in_block)
{
	oracle_settle(&e->cpu, rip, false);
	count_leave_block(&e->cpu, rip);
	enter(e, true, in_block);
}

/* An outs in this block has made an exit: the host's answer to that comes instead of another exit. */
static bool answered(struct pv_engine *e, uint64_t rip, bool in_block)
{
	if (!(e->cpu.count.attend & ATTEND_ENTRY))
		return false;
	vmexit_late_entry(e, rip, in_block);
	return true;
}

bool vmexit_out(struct pv_engine *e, uint64_t rip, uint32_t port, uint32_t size, uint32_t value)
{
	struct pv_run *run = e->cpu.config.run;

	if (answered(e, rip, true))
		return false;
	oracle_settle(&e->cpu, rip, false);
	run->arg[0] = port;
	run->arg[1] = size;
	run->arg[2] = value;
	set_retire(e, 1, PV_CYCLES_VM_EXIT);
	return enter(e, hand_over(e, PV_EXIT_IO_OUT, rip), true);
}

/* Behind a hlt on a platform, until something wakes the vCPU. False: nothing can. */
static bool sleeps(struct pv_engine *e, uint64_t rip)
{
	bool interruptible = reg_get(e->cpu.uc, UC_X86_REG_EFLAGS) & RFLAGS_IF;

	if (!platform_is_there(&e->platform) || (!interruptible && e->cpu.config.page->vcpus == 1))
		return false;
	while (!interruptible || !platform_interrupts(&e->platform)) {
		if (handover_doorbell(e->cpu.bell)) {
			if (!vmexit_kick(e, rip, false) || e->agent.pending)
				return true;
			boundary_take_nmi(e);
			if (nmi_is_due(&e->nmi))
				break;
			e->boundary.reset = platform_is_reset(&e->platform);
			if (e->boundary.reset)
				return true;
			platform_run(&e->platform, rip);
		} else {
			if (e->cpu.share.map)
				share_leave(&e->cpu.share);
			platform_sleep(&e->platform, rip, interruptible);
			if (e->cpu.share.map)
				share_return(&e->cpu.share, e->cpu.uc);
		}
	}
	count_attend(&e->cpu, ATTEND_INJECT);
	return true;
}

void vmexit_hlt(struct pv_engine *e)
{
	uint64_t rip = reg_get(e->cpu.uc, UC_X86_REG_RIP);

	if (answered(e, rip, false))
		return;
	oracle_settle(&e->cpu, rip, false);
	count_penalty(&e->cpu, PV_CYCLES_VM_EXIT); /* RIP is behind it: it has retired */
	if (e->agent.pending || nmi_is_due(&e->nmi))
		return; /* behind sti, mov ss or outs no boundary came before the hlt: the NMI ends it */
	if (sleeps(e, rip))
		return;
	set_retire(e, 0, 0);
	enter(e, hand_over(e, PV_EXIT_HLT, rip), false);
}

/* outs, and out where it has no trap since hooks are off: the exit comes in the midst
 * of a block, so a jump or stop must wait for its end. */
void on_out(uc_engine *uc, uint32_t port, int size, uint32_t value, void *data)
{
	struct pv_engine *e = data;
	struct pv_run *run = e->cpu.config.run;
	uint64_t rip;

	(void)uc;
	if (e->vmexit.out_exited)
		return;
	if (!port_reaches_host(e, (uint16_t)port, (unsigned)size, &value, &port)) {
		count_penalty(&e->cpu, PV_CYCLES_VM_EXIT);
		return;
	}
	rip = reg_get(e->cpu.uc, UC_X86_REG_RIP);
	if (e->cpu.count.attend & ATTEND_ENTRY)
		return; /* the vCPU leaves at the end of this block */
	run->arg[0] = port;
	run->arg[1] = (uint32_t)size;
	run->arg[2] = value;
	set_retire(e, 0, PV_CYCLES_VM_EXIT); /* it retires with its last iteration */
	if (!hand_over(e, PV_EXIT_IO_OUT, rip))
		run->action = PV_ENTER_STOP;
	if (run->action == PV_ENTER_RESUME) {
		inject(e);
		return;
	}
	if (e->cpu.config.hook == PV_ENGINE_COUNT)
		count_attend(&e->cpu, ATTEND_ENTRY);
	else
		stop(e);
}

uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *data)
{
	struct pv_engine *e = data;

	(void)uc;
	count_penalty(&e->cpu, PV_CYCLES_VM_EXIT);
	if (platform_is_there(&e->platform))
		return platform_in(&e->platform, e->vmexit.port_rip, (uint16_t)port, (unsigned)size);
	return size == 4 ? ~0u : (1u << 8 * size) - 1; /* nothing answers on the bus */
}

void vmexit_hypercall(struct pv_engine *e, uint64_t rip, unsigned length)
{
	static const int regs[4] = { UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RDX };
	struct pv_run *run = e->cpu.config.run;
	void *values[4] = { &run->arg[0], &run->arg[1], &run->arg[2], &run->arg[3] };
	bool entered;

	if (answered(e, rip, false))
		return;
	uc_reg_read_batch(e->cpu.uc, regs, values, 4);
	if (e->agent_of.nmi && run->arg[0] == PV_HC_AGENT_IRET) {
		agent_end(e);
		return;
	}
	set_retire(e, 1, PV_CYCLES_VM_EXIT);
	entered = hand_over(e, PV_EXIT_HYPERCALL, rip);
	/* Taken out of its block when it was found invalid: so it is counted here. */
	e->cpu.count.total[PV_COUNT_INSTRUCTIONS][e->cpu.count.cpl] += entered;
	held_execute(&e->cpu, rip);
	count_fold(&e->cpu);
	if (!enter(e, entered, false))
		return;
	reg_set(e->cpu.uc, UC_X86_REG_RAX, run->rax);
	rip_set(e->cpu.uc, rip + length);
}

/* CPUID serialises: stores are seen by all, and code that another vCPU has changed is translated anew. */
int on_cpuid(uc_engine *uc, void *data)
{
	static const int regs[4] = { UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RDX };
	struct pv_engine *e = data;
	uint32_t out[4];

	count_penalty(&e->cpu, PV_CYCLES_VM_EXIT);
	__builtin_ia32_mfence();
	if (share_is_changed(&e->cpu.share))
		count_attend(&e->cpu, ATTEND_CODE);
	if (!e->cpu.share.map && e->cpu.config.page->vcpus > 1 && e->cpu.config.hook == PV_ENGINE_COUNT)
		count_attend(&e->cpu, ATTEND_FLUSH);
	cpuid_answer(&e->cpu, e->system.calls.xcr0, (uint32_t)reg_get(uc, UC_X86_REG_RAX), (uint32_t)reg_get(uc, UC_X86_REG_RCX),
		     out);
	for (unsigned i = 0; i < 4; i++)
		reg_set(uc, regs[i], out[i]);
	return 1;
}

void vmexit_shutdown(struct cpu *cpu, unsigned vector, uint32_t error, const char *why)
{
	struct pv_engine *e = engine_of(cpu);
	struct pv_run *run = cpu->config.run;
	uint64_t rip = reg_get(e->cpu.uc, UC_X86_REG_RIP);

	if (e->guest) {
		cpu_fail(&e->cpu, -EFAULT, "the agent%s: %s at rip 0x%llx", e->agent_of.nmi ? "'s NMI handler" : "", why,
			 (unsigned long long)rip);
		return;
	}
	run->arg[0] = vector;
	run->arg[1] = error;
	run->arg[2] = reg_get(e->cpu.uc, UC_X86_REG_CR2);
	snprintf(run->text, sizeof(run->text), "%s at rip 0x%llx, rsp 0x%llx, cr2 0x%llx", why,
		 (unsigned long long)rip, (unsigned long long)reg_get(e->cpu.uc, UC_X86_REG_RSP),
		 (unsigned long long)run->arg[2]);
	set_retire(e, 0, 0);
	hand_over(e, PV_EXIT_SHUTDOWN, rip);
	stop(e);
}

void vmexit_failed(struct cpu *cpu)
{
	struct pv_engine *e = engine_of(cpu);
	struct pv_run *run = cpu->config.run;

	set_retire(e, 0, 0);
	publish(e, reg_get(cpu->uc, UC_X86_REG_RIP));
	run->exit_reason = PV_EXIT_ERROR;
	handover_exit(run, cpu->config.page);
	stop(e);
}
