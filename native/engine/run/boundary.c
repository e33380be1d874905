/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/boundary.h"

#include <string.h>

#include "abi/handover.h"
#include "engine/count/alarm.h"
#include "engine/count/count.h"
#include "engine/count/hooks.h"
#include "engine/count/oracle.h"
#include "engine/decode/decode.h"
#include "engine/exception/exception.h"
#include "engine/exception/nmi.h"
#include "engine/run/agent.h"
#include "engine/run/state.h"
#include "engine/run/vmexit.h"
#include "engine/system/debug.h"
#include "engine/unicorn/hidden.h"
#include "engine/unicorn/parallel.h"
#include "engine/unicorn/registers.h"

enum { VECTOR_DB = 1, VECTOR_UD = 6, RFLAGS_IF = 1 << 9 };

static uint64_t retired(const struct pv_engine *e, uint64_t rip)
{
	struct charged ahead = count_ahead(&e->cpu, rip);

	return count_value(&e->cpu, PV_COUNT_INSTRUCTIONS, PV_CPL_KERNEL, &ahead) +
	       count_value(&e->cpu, PV_COUNT_INSTRUCTIONS, PV_CPL_USER, &ahead);
}

/* An alarm that is left as it is goes off after each block, but the guest gets on. */
static bool attend_alarm(struct pv_engine *e, uint64_t rip, bool in_block)
{
	uint64_t now = retired(e, rip);

	e->cpu.count.attend &= ~(uint32_t)ATTEND_ALARM;
	if (!alarm_reached(&e->cpu, rip) || e->boundary.overflowed_at == now)
		return true;
	e->boundary.overflowed_at = now;
	if (!vmexit_overflow(e, rip, in_block))
		return false;
	if (!alarm_reached(&e->cpu, rip)) /* moved: the next iteration of a rep may reach it again */
		e->boundary.overflowed_at = UINT64_MAX;
	return true;
}

/* One that waits for RFLAGS.IF is looked at again before the next block. */
static bool interrupt_deliver(struct pv_engine *e, uint64_t rip, bool in_block)
{
	if (!platform_is_there(&e->platform) || !platform_interrupts(&e->platform))
		return false;
	if (!(reg_get(e->cpu.uc, UC_X86_REG_EFLAGS) & RFLAGS_IF) || hidden_in_shadow(&e->cpu.hidden)) {
		e->cpu.count.attend |= ATTEND_INJECT;
		return false;
	}
	oracle_settle(&e->cpu, rip, false);
	count_leave_block(&e->cpu, rip);
	exception_deliver_interrupt(&e->cpu, platform_acknowledge(&e->platform), rip);
	if (in_block)
		rip_set_in_block(e->cpu.uc, reg_get(e->cpu.uc, UC_X86_REG_RIP));
	return true;
}

void boundary_take_nmi(struct pv_engine *e)
{
	if (apic_take_nmi(&e->platform.apic))
		nmi_inject(&e->nmi, &e->cpu);
}

static bool attend_inject(struct pv_engine *e, uint64_t rip, bool in_block)
{
	e->cpu.count.attend &= ~(uint32_t)ATTEND_INJECT;
	if (platform_is_there(&e->platform))
		boundary_take_nmi(e);
	if (!agent_nmi_serve(e, rip)) {
		vmexit_sent_elsewhere(e, rip, in_block);
		return false;
	}
	if (!nmi_deliver(&e->nmi, &e->cpu, rip, in_block))
		return !interrupt_deliver(e, rip, in_block);
	/* What the NMI came before waits for its handler's end. */
	if (platform_is_there(&e->platform) && platform_interrupts(&e->platform))
		e->cpu.count.attend |= ATTEND_INJECT;
	return false;
}

static void attend_timer(struct pv_engine *e, uint64_t rip)
{
	e->cpu.count.attend &= ~(uint32_t)ATTEND_TIMER;
	platform_run(&e->platform, rip);
}

/* Translated code can be dropped outside of Unicorn alone; this boundary then comes again. */
static void leave_to_flush(struct pv_engine *e, uint64_t rip)
{
	e->cpu.count.attend &= ~(uint32_t)ATTEND_FLUSH;
	count_leave_block(&e->cpu, rip);
	hooks_remove(&e->cpu);
	e->boundary.flush = true;
	uc_emu_stop(e->cpu.uc);
}

/* As leave_to_flush(), if there is anything to be dropped. */
static bool attend_code(struct pv_engine *e, uint64_t rip)
{
	e->cpu.count.attend &= ~(uint32_t)ATTEND_CODE;
	share_tell(&e->cpu.share);
	if (!share_is_changed(&e->cpu.share))
		return true;
	count_leave_block(&e->cpu, rip);
	e->boundary.heed = true;
	uc_emu_stop(e->cpu.uc);
	return false;
}

/* Something may have been left for the vCPU. False: it was an INIT. */
static bool attend_nudge(struct pv_engine *e, uint64_t rip)
{
	if (e->cpu.share.map) {
		share_look(&e->cpu.share, e->cpu.uc);
		count_attend(&e->cpu, ATTEND_CODE);
	}
	platform_run(&e->platform, rip);
	if (!platform_is_reset(&e->platform))
		return true;
	count_leave_block(&e->cpu, rip);
	e->boundary.reset = true;
	uc_emu_stop(e->cpu.uc);
	return false;
}

bool boundary_attend(struct pv_engine *e, uint64_t rip, bool in_block)
{
	if (e->cpu.count.attend & ATTEND_IRET)
		nmi_end(&e->nmi, &e->cpu);
	if (e->cpu.count.attend & ATTEND_ENTRY) {
		if (in_block)
			vmexit_late_entry(e, rip, true);
		return false;
	}
	e->cpu.count.unlooked = 0;
	if (handover_doorbell(e->cpu.bell)) {
		if (!vmexit_kick(e, rip, in_block))
			return false;
		if (platform_is_there(&e->platform) && !attend_nudge(e, rip))
			return false;
	}
	if ((e->cpu.count.attend & ATTEND_CODE) && in_block && !attend_code(e, rip))
		return false;
	if (e->cpu.count.attend & ATTEND_TIMER)
		attend_timer(e, rip);
	if ((e->cpu.count.attend & ATTEND_ALARM) && !attend_alarm(e, rip, in_block))
		return false;
	if ((e->cpu.count.attend & ATTEND_DEBUG) && debug_deliver(&e->system, rip, in_block))
		return false;
	if ((e->cpu.count.attend & ATTEND_INJECT) && !attend_inject(e, rip, in_block))
		return false;
	if ((e->cpu.count.attend & ATTEND_FLUSH) && in_block) {
		leave_to_flush(e, rip);
		return false;
	}
	count_fold(&e->cpu); /* what was attended to needs no look any more */
	return true;
}

bool boundary_attend_inside(struct pv_engine *e, uint64_t rip)
{
	const uint32_t at_its_end = e->cpu.count.attend & (ATTEND_IRET | ATTEND_FLUSH);
	bool on;

	if (likely(!(e->cpu.count.attend & (ATTEND_ALARM | ATTEND_INJECT | ATTEND_TIMER))))
		return true;
	e->cpu.count.attend &= ~at_its_end;
	on = boundary_attend(e, rip, true);
	if (at_its_end)
		count_attend(&e->cpu, on ? at_its_end : at_its_end & ATTEND_FLUSH);
	return on;
}

void boundary_leave_inside(struct pv_engine *e, uint64_t rip)
{
	e->cpu.count.attend &= ~(uint32_t)ATTEND_IRET;
	count_leave_block(&e->cpu, rip);
	rip_set_in_block(e->cpu.uc, rip);
}

void on_interrupt(uc_engine *uc, uint32_t vector, void *data)
{
	struct pv_engine *e = data;

	if (debug_comes_first(&e->system, vector, reg_get(uc, UC_X86_REG_RIP)))
		return;
	/* A handler that faults at its first fetch never gets to a block. */
	if (exception_take(&e->cpu, vector) && !e->cpu.stop)
		boundary_attend(e, reg_get(uc, UC_X86_REG_RIP), false);
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
static unsigned hypercall_length(uc_engine *uc, uint64_t rip)
{
	uint8_t code[MAX_INSTRUCTION];
	unsigned n = decode_fetch(uc, rip, code), at = 0;

	while (at < n && hypercall_takes(code[at]))
		at++;
	if (n < at + 3 || code[at] != 0x0f || code[at + 1] != 0x01 || (code[at + 2] != 0xc1 && code[at + 2] != 0xd9))
		return 0;
	return at + 3;
}

/* Bytes of the int1 at `rip`, with its prefixes, which Unicorn does not know; 0: it is another instruction. */
static unsigned int1_length(uc_engine *uc, uint64_t rip)
{
	enum { OPCODE = 0xf1, REPNE = 0xf2, REP = 0xf3, OPERAND = 0x66 };
	uint8_t code[MAX_INSTRUCTION];
	unsigned n = decode_fetch(uc, rip, code), at = 0;

	while (at < n && (hypercall_takes(code[at]) || code[at] == OPERAND || code[at] == REP || code[at] == REPNE))
		at++;
	return at < n && code[at] == OPCODE ? at + 1 : 0;
}

/* If there is one: a trap, so it has retired; and no int n, so nobody asks for the gate's DPL (SDM vol. 2, INT n). */
static bool raise_int1(struct cpu *cpu, uint64_t rip)
{
	unsigned length = int1_length(cpu->uc, rip);

	if (!length)
		return false;
	cpu->count.total[PV_COUNT_INSTRUCTIONS][cpu->count.cpl]++;
	cpu->count.total[PV_COUNT_BRANCHES][cpu->count.cpl]++;
	exception_raise(cpu, VECTOR_DB, 0, rip + length);
	return true;
}

/*
 * Unicorn reports int 6 as it does what is no instruction, with RIP at it; whether the last that it raised was an int n it
 * says of nothing else that is reported so. Behind the int, if there is one.
 */
static bool take_int6(struct cpu *cpu, uint64_t rip)
{
	static const uint8_t int6[] = { 0xcd, VECTOR_UD };
	const struct block *block = cpu->count.current;
	uint8_t bytes[sizeof(int6)];
	uint64_t behind;

	if (!block || !block->last_is_branch || block->branch != BRANCH_NONE || block->address + block->last_offset != rip ||
	    !hidden_is_software(&cpu->hidden))
		return false;
	behind = block->address + block->size;
	if (uc_vmem_read(cpu->uc, behind - sizeof(int6), UC_PROT_EXEC, bytes, sizeof(bytes)) != UC_ERR_OK ||
	    memcmp(bytes, int6, sizeof(int6)))
		return false;
	rip_set(cpu->uc, behind);
	return true;
}

bool on_invalid(uc_engine *uc, void *data)
{
	struct pv_engine *e = data;
	uint64_t rip = reg_get(uc, UC_X86_REG_RIP);
	unsigned length;

	if (take_int6(&e->cpu, rip)) {
		on_interrupt(uc, VECTOR_UD, data);
		return true;
	}
	count_leave_block(&e->cpu, rip);
	length = hypercall_length(uc, rip);
	if (!length && raise_int1(&e->cpu, rip))
		return true;
	oracle_settle(&e->cpu, rip, true);
	if (parallel_gave_up(&e->cpu.parallel)) {
		count_attend(&e->cpu, ATTEND_FLUSH);
		return true;
	}
	if (!length)
		exception_raise(&e->cpu, VECTOR_UD, 0, rip);
	/* What is due before it comes before it: it may disable what is counted. */
	else if (!(e->cpu.count.attend & (ATTEND_ALARM | ATTEND_INJECT | ATTEND_TIMER)) || boundary_attend(e, rip, false))
		vmexit_hypercall(e, rip, length);
	return true;
}
