/* SPDX-License-Identifier: GPL-2.0-only */
/* Leaves guest mode: fills the run page, hands the CPU to the host, acts on its answer. */
#include "engine/run/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#include "abi/agent.h"

enum {
	VECTOR_DB = 1, VECTOR_UD = 6,
	CPUID1_ECX_HYPERVISOR = 31,
};

/* The VM is over for this vCPU. */
static void stop(struct pv_engine *e)
{
	e->stop = true;
	uc_emu_stop(e->uc);
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
		count_publish(e, rip);
}

/* What the host was told the exiting instruction would add, wherever it sends the vCPU. */
static void retire(struct pv_engine *e)
{
	const struct pv_run *run = e->config.run;

	count_penalty(e, run->retire[PV_COUNT_CYCLES] - run->retire[PV_COUNT_INSTRUCTIONS]);
	if (e->config.oracle && run->retire[PV_COUNT_INSTRUCTIONS])
		oracle_retire(e);
}

/* Hands over the exit that the run page describes. False: no entry any more. */
static bool hand_over(struct pv_engine *e, enum pv_exit_reason reason, uint64_t rip)
{
	struct pv_run *run = e->config.run;
	uint64_t left;

	publish(e, rip);
	if (e->config.oracle && reason != PV_EXIT_READY)
		oracle_compare(e);
	run->exit_reason = reason;
	run->stores_short = counted(e)->stores.done;
	if (handover_exit(run, e->config.page) != PV_HANDED)
		return false;
	left = e->tsc_start;
	e->tsc_start = counted(e)->tsc_start = __rdtsc();
	if (counted(e)->config.may_part && reason != PV_EXIT_HLT)
		engine_place(counted(e), e->tsc_start - left);
	retire(e);
	count_fold(e); /* other alarms may be armed */
	alarm_entered(e);
	hooks_entered(e);
	return true;
}

static void set_retire(struct pv_engine *e, uint64_t instructions, uint64_t cycles)
{
	struct pv_run *run = e->config.run;

	if (count_frozen(e))
		instructions = cycles = 0;
	run->retire[PV_COUNT_INSTRUCTIONS] = instructions;
	run->retire[PV_COUNT_BRANCHES] = 0;
	run->retire[PV_COUNT_CYCLES] = e->config.page->cycles_tsc ? 0 : instructions + cycles;
	run->retire[PV_COUNT_GUEST_TSC] = 0;
}

/* What comes with the entry is delivered before the next block. */
static void inject(struct pv_engine *e)
{
	uint32_t what = e->config.run->inject;

	if (what & PV_INJECT_AGENT_NMI)
		agent_nmi_inject(counted(e));
	if (what & PV_INJECT_NMI)
		nmi_inject(counted(e));
	if (what && e->guest)
		count_attend(e, ATTEND_INJECT); /* it waits for the agent's end; the doorbell is looked at meanwhile, too */
}

/* The guest is left for good in front of `rip`. Where to, the host says, or the agent, which comes before. */
static void leave(struct pv_engine *e, uint64_t rip, bool in_block)
{
	struct pv_run *run = e->config.run;

	count_leave_block(e, rip);
	agent_nmi_abandon(e);
	nmi_abandon(e);
	e->attend &= ATTEND_FLUSH;
	e->oracle.pending = false;
	while (run->action == PV_ENTER_AGENT && !e->stop) /* its finish right after its start, too */
		agent_enter(e, rip);
	if (e->stop)
		return;
	if (run->action == PV_ENTER_JUMP) {
		jump_load(e, &run->jump, in_block);
		inject(e);
	} else {
		stop(e);
	}
}

/* Sends the vCPU where the host wants it. True: on from where it was. */
static bool enter(struct pv_engine *e, bool entered, bool in_block)
{
	struct pv_run *run = e->config.run;

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
	if (!handover_take_doorbell(e->config.run))
		return true;
	if (e->config.oracle)
		oracle_settle(e, rip, false);
	set_retire(e, 0, 0);
	return enter(e, hand_over(e, PV_EXIT_KICK, rip), in_block);
}

/* Between two blocks, with what came before `rip` retired. */
bool vmexit_overflow(struct pv_engine *e, uint64_t rip, bool in_block)
{
	if (e->config.oracle)
		oracle_settle(e, rip, false);
	set_retire(e, 0, 0);
	return enter(e, hand_over(e, PV_EXIT_OVERFLOW, rip), in_block);
}

void vmexit_late_entry(struct pv_engine *e, uint64_t rip, bool in_block)
{
	if (e->config.oracle)
		oracle_settle(e, rip, false);
	count_leave_block(e, rip);
	enter(e, true, in_block);
}

/* An outs in this block has made an exit: the host's answer to that comes instead of another exit. */
static bool answered(struct pv_engine *e, uint64_t rip, bool in_block)
{
	if (!(e->attend & ATTEND_ENTRY))
		return false;
	vmexit_late_entry(e, rip, in_block);
	return true;
}

bool vmexit_out(struct pv_engine *e, uint64_t rip, uint32_t port, uint32_t size, uint32_t value)
{
	struct pv_run *run = e->config.run;

	if (answered(e, rip, true))
		return false;
	if (e->config.oracle)
		oracle_settle(e, rip, false);
	run->arg[0] = port;
	run->arg[1] = size;
	run->arg[2] = value;
	set_retire(e, 1, PV_CYCLES_VM_EXIT);
	return enter(e, hand_over(e, PV_EXIT_IO_OUT, rip), true);
}

void vmexit_hlt(struct pv_engine *e)
{
	uint64_t rip = reg_get(e, UC_X86_REG_RIP);

	if (answered(e, rip, false))
		return;
	if (e->config.oracle)
		oracle_settle(e, rip, false);
	count_penalty(e, PV_CYCLES_VM_EXIT); /* RIP is behind it: it has retired */
	if (nmi_is_due(e))
		return; /* behind sti, mov ss or outs no boundary came before the hlt: the NMI ends it */
	set_retire(e, 0, 0);
	enter(e, hand_over(e, PV_EXIT_HLT, rip), false);
}

/* outs, and out where it has no trap since hooks are off: the exit comes in the midst
 * of a block, so a jump or stop must wait for its end. */
void on_out(uc_engine *uc, uint32_t port, int size, uint32_t value, void *data)
{
	struct pv_engine *e = data;
	struct pv_run *run = e->config.run;
	uint64_t rip;

	(void)uc;
	if (e->out_exited)
		return;
	rip = reg_get(e, UC_X86_REG_RIP);
	if (e->attend & ATTEND_ENTRY)
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
	if (e->config.hook == PV_ENGINE_COUNT)
		count_attend(e, ATTEND_ENTRY);
	else
		stop(e);
}

uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *data)
{
	(void)uc;
	(void)port;
	count_penalty(data, PV_CYCLES_VM_EXIT);
	return size == 4 ? ~0u : (1u << 8 * size) - 1; /* nothing answers on the bus */
}

/* False: this prefix makes #UD of a vmcall (SDM vol. 3, 31.3). */
static bool hypercall_takes(uint8_t prefix)
{
	switch (prefix) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x67:
		return true;
	default:
		return (prefix & 0xf0) == 0x40; /* REX */
	}
}

/* Bytes of the vmcall or vmmcall at `rip`, with its prefixes; 0: it is another instruction. */
static unsigned hypercall_length(struct pv_engine *e, uint64_t rip)
{
	uint8_t code[MAX_INSTRUCTION];
	unsigned n = decode_fetch(e, rip, code), at = 0;

	while (at < n && hypercall_takes(code[at]))
		at++;
	if (n < at + 3 || code[at] != 0x0f || code[at + 1] != 0x01 || (code[at + 2] != 0xc1 && code[at + 2] != 0xd9))
		return 0;
	return at + 3;
}

static void hypercall(struct pv_engine *e, uint64_t rip, unsigned length)
{
	static const int regs[4] = { UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RDX };
	struct pv_run *run = e->config.run;
	void *values[4] = { &run->arg[0], &run->arg[1], &run->arg[2], &run->arg[3] };
	bool entered;

	if (answered(e, rip, false))
		return;
	uc_reg_read_batch(e->uc, regs, values, 4);
	if (e->agent_of.nmi && run->arg[0] == PV_HC_AGENT_IRET) {
		agent_end(e);
		return;
	}
	set_retire(e, 1, PV_CYCLES_VM_EXIT);
	entered = hand_over(e, PV_EXIT_HYPERCALL, rip);
	/* Taken out of its block when it was found invalid: so it is counted here. */
	e->total[PV_COUNT_INSTRUCTIONS][e->cpl] += entered;
	held_execute(e, rip);
	count_fold(e);
	if (!enter(e, entered, false))
		return;
	reg_set(e, UC_X86_REG_RAX, run->rax);
	rip_set(e, rip + length);
}

/* Bytes of the int1 at `rip`, with its prefixes, which Unicorn does not know; 0: it is another instruction. */
static unsigned int1_length(struct pv_engine *e, uint64_t rip)
{
	enum { OPCODE = 0xf1, REPNE = 0xf2, REP = 0xf3, OPERAND = 0x66 };
	uint8_t code[MAX_INSTRUCTION];
	unsigned n = decode_fetch(e, rip, code), at = 0;

	while (at < n && (hypercall_takes(code[at]) || code[at] == OPERAND || code[at] == REP || code[at] == REPNE))
		at++;
	return at < n && code[at] == OPCODE ? at + 1 : 0;
}

/* If there is one: a trap, so it has retired; and no int n, so nobody asks for the gate's DPL (SDM vol. 2, INT n). */
static bool raise_int1(struct pv_engine *e, uint64_t rip)
{
	unsigned length = int1_length(e, rip);

	if (!length)
		return false;
	e->total[PV_COUNT_INSTRUCTIONS][e->cpl]++;
	e->total[PV_COUNT_BRANCHES][e->cpl]++;
	exception_raise(e, VECTOR_DB, 0, rip + length);
	return true;
}

/* Called between blocks. True: handled, go on at RIP. */
bool on_invalid(uc_engine *uc, void *data)
{
	struct pv_engine *e = data;
	uint64_t rip = reg_get(e, UC_X86_REG_RIP);
	unsigned length;

	(void)uc;
	count_leave_block(e, rip);
	length = hypercall_length(e, rip);
	if (!length && raise_int1(e, rip))
		return true;
	if (e->config.oracle)
		oracle_settle(e, rip, true);
	if (parallel_gave_up(e))
		return true;
	if (!length)
		exception_raise(e, VECTOR_UD, 0, rip);
	/* What is due before it comes before it: it may disable what is counted. */
	else if (!(e->attend & (ATTEND_ALARM | ATTEND_INJECT)) || boundary_attend(e, rip, false))
		hypercall(e, rip, length);
	return true;
}

/* The leaves of the interface, and the bit that says that there is a hypervisor.
 * CPUID serialises: stores are seen by all, and code that another vCPU has changed is translated anew. */
int on_cpuid(uc_engine *uc, void *data)
{
	struct pv_engine *e = data;
	const struct pv_vm_page *page = e->config.page;
	uint32_t leaf = (uint32_t)reg_get(e, UC_X86_REG_RAX);
	uint32_t out[4] = { 0 };

	(void)uc;
	count_penalty(e, PV_CYCLES_VM_EXIT);
	__builtin_ia32_mfence();
	if (page->vcpus > 1 && e->config.hook == PV_ENGINE_COUNT)
		count_attend(e, ATTEND_FLUSH);
	switch (leaf) {
	case 1:
		memcpy(out, e->cpuid1, sizeof(out));
		break;
	case KVM_CPUID_SIGNATURE:
		out[0] = KVM_CPUID_PV_PERF;
		memcpy(&out[1], "KVMKVMKVM\0\0\0", 12);
		break;
	case KVM_CPUID_FEATURES:
		out[0] = page->pv_perf ? 1u << KVM_FEATURE_PV_PERF : 0;
		break;
	case KVM_CPUID_PV_PERF:
		if (page->pv_perf) {
			out[0] = page->max_events;
			out[1] = page->counters;
			out[2] = page->pv_perf;
		}
		break;
	default:
		return 0;
	}
	reg_set(e, UC_X86_REG_RAX, out[0]);
	reg_set(e, UC_X86_REG_RBX, out[1]);
	reg_set(e, UC_X86_REG_RCX, out[2]);
	reg_set(e, UC_X86_REG_RDX, out[3]);
	return 1;
}

void vmexit_shutdown(struct pv_engine *e, unsigned vector, uint32_t error, const char *why)
{
	struct pv_run *run = e->config.run;
	uint64_t rip = reg_get(e, UC_X86_REG_RIP);

	if (e->guest) {
		vmexit_fail(e, -EFAULT, "the agent%s: %s at rip 0x%llx", e->agent_of.nmi ? "'s NMI handler" : "", why,
			    (unsigned long long)rip);
		return;
	}
	run->arg[0] = vector;
	run->arg[1] = error;
	run->arg[2] = reg_get(e, UC_X86_REG_CR2);
	snprintf(run->text, sizeof(run->text), "%s at rip 0x%llx, rsp 0x%llx, cr2 0x%llx", why,
		 (unsigned long long)rip, (unsigned long long)reg_get(e, UC_X86_REG_RSP),
		 (unsigned long long)run->arg[2]);
	set_retire(e, 0, 0);
	hand_over(e, PV_EXIT_SHUTDOWN, rip);
	stop(e);
}

void vmexit_fail(struct pv_engine *e, int error, const char *why, ...)
{
	struct pv_run *run = e->config.run;
	va_list args;

	va_start(args, why);
	vsnprintf(run->text, sizeof(run->text), why, args);
	va_end(args);
	run->arg[0] = (uint64_t)(int64_t)error;
	e->failure = error;
	set_retire(e, 0, 0);
	publish(e, reg_get(e, UC_X86_REG_RIP));
	run->exit_reason = PV_EXIT_ERROR;
	handover_exit(run, e->config.page);
	stop(e);
}
