/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that a code hook executes in Unicorn's place: those that must be atomic between vCPU
 * processes, where parallel.c does not make them so within the block. The hook leaves the block behind such an
 * instruction, so a block is charged up to it. To others it adds what Unicorn leaves out, and the block goes on:
 * port I/O, whose privilege check and exit must be exact, mfence, and what is watched.
 */
#include "engine/run/trap.h"

#include <errno.h>

#include "engine/atomic/lockop.h"
#include "engine/atomic/span.h"
#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/held.h"
#include "engine/decode/code.h"
#include "engine/decode/decode.h"
#include "engine/run/port.h"
#include "engine/run/state.h"
#include "engine/system/debug.h"
#include "engine/unicorn/blocks.h"
#include "engine/unicorn/registers.h"

enum { PAGE = 4096 };

/* Unicorn's numbers of the registers of lockop.h, in hardware order. */
static const int general[16] = {
	UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX,
	UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI, UC_X86_REG_RDI,
	UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11,
	UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
};

/* Register numbers of the set bits of `mask`, beside the places in `regs` that hold them. */
static int registers_of(uint16_t mask, struct lockop_registers *regs, int *numbers, void **values)
{
	int n = 0;

	for (unsigned i = 0; i < 16; i++)
		if (mask >> i & 1) {
			numbers[n] = general[i];
			values[n++] = &regs->gpr[i];
		}
	return n;
}

static void registers_read(uc_engine *uc, const struct lockop *op, struct lockop_registers *regs)
{
	int numbers[16];
	void *values[16];

	int n = registers_of(op->reads | op->insn.gpr_written, regs, numbers, values);

	uc_reg_read_batch(uc, numbers, values, n);
	if (op->insn.writes_flags)
		regs->rflags = reg_get(uc, UC_X86_REG_EFLAGS);
	if (op->insn.segment != X86_NONE) {
		regs->fs_base = reg_get(uc, UC_X86_REG_FS_BASE);
		regs->gs_base = reg_get(uc, UC_X86_REG_GS_BASE);
	}
}

static void registers_write(uc_engine *uc, const struct lockop *op, struct lockop_registers *regs)
{
	int numbers[16];
	void *values[16];

	int n = registers_of(op->insn.gpr_written, regs, numbers, values);

	uc_reg_write_batch(uc, numbers, values, n);
	if (op->insn.writes_flags)
		reg_set(uc, UC_X86_REG_EFLAGS, regs->rflags);
}

/* Host memory of it; NULL ends the VM. */
static void *operand_memory(struct pv_engine *e, const struct operand_gpa *at, unsigned width)
{
	uint8_t *ram = e->cpu.config.ram, *pages;

	if (at->last == at->first + width - 1)
		return ram + at->first;
	pages = span_map(&e->span, ram + at->first / PAGE * PAGE, ram + at->last / PAGE * PAGE);
	if (pages)
		return pages + at->first % PAGE;
	cpu_fail(&e->cpu, -errno, "cannot map the pages 0x%llx and 0x%llx, which a locked operation crosses",
		 (unsigned long long)at->first, (unsigned long long)at->last);
	return NULL;
}

/*
 * The store went past Unicorn: it must not keep a translation of what was there. It looks for that as for code at
 * the store's address, from there on in RAM: where it is not allowed to execute that, it would find nothing and
 * take it for a fault, and of two pages it knows the first.
 */
static void drop_code(struct cpu *cpu, uint64_t address, const struct operand_gpa *at, unsigned width)
{
	bool apart = at->last != at->first + width - 1;
	gpa_t end = apart ? at->first | (PAGE - 1) : at->last, begin = apart ? at->last / PAGE * PAGE : at->first;

	if (!code_holds(&cpu->code, at->first, end) && !code_holds(&cpu->code, begin, at->last))
		return;
	if (apart || may_be_no_execute(cpu->uc))
		count_attend(cpu, ATTEND_FLUSH);
	else
		uc_ctl_remove_cache(cpu->uc, address, address + width);
}

/* Page by page, as Unicorn tells of accesses. */
static void note_access(struct cpu *cpu, uint64_t rip, uint64_t address, const struct operand_gpa *at,
			unsigned width, bool write)
{
	unsigned here = PAGE - at->first % PAGE;
	struct held_piece piece = { at->first, address, here < width ? here : width, write, true };

	held_access(cpu, rip, &piece);
	if (here >= width)
		return;
	piece = (struct held_piece){ at->last / PAGE * PAGE, address + here, width - here, write, true };
	held_access(cpu, rip, &piece);
}

/* The instruction has retired, and with it its block. */
static void leave_behind(struct cpu *cpu, const struct trap *trap)
{
	cpu->count.current = NULL;
	rip_set_in_block(cpu->uc, trap->address + trap->length);
}

static void trap_locked(struct pv_engine *e, const struct trap *trap)
{
	struct cpu *cpu = &e->cpu;
	struct lockop_registers regs = { .rip = trap->address };
	const unsigned width = trap->locked.insn.memory_bytes;
	struct operand_gpa gpa;
	uint64_t address;
	void *memory;

	registers_read(cpu->uc, &trap->locked, &regs);
	address = lockop_address(&trap->locked, &regs);
	if (lockop_misaligned(&trap->locked, address))
		return; /* Unicorn raises #GP */
	if (!code_operand(&cpu->code, cpu->uc, address, width, &gpa))
		return; /* Unicorn executes it, and it faults as it should */
	memory = operand_memory(e, &gpa, width);
	if (!memory)
		return;
	lockop_execute(&trap->locked, memory, &regs);
	registers_write(cpu->uc, &trap->locked, &regs);
	drop_code(cpu, address, &gpa, width);
	code_stored(&cpu->code, &gpa);
	if (e->system.calls.watches)
		debug_touched(&e->system, address, width, true);
	if (cpu->hooks.memory) {
		note_access(cpu, trap->address, address, &gpa, width, false);
		note_access(cpu, trap->address, address, &gpa, width, true);
	}
	count_penalty(cpu, PV_CYCLES_LOCKED_OP);
	cpu->config.run->locked_ops++;
	cpu->config.run->locked_trapped++;
	leave_behind(cpu, trap);
}

static void execute(struct pv_engine *e, const struct trap *trap)
{
	switch (trap->kind) {
	case TRAP_LOCKED:
		trap_locked(e, trap);
		break;
	case TRAP_OUT:
	case TRAP_PORT:
		port_trap(e, trap);
		break;
	case TRAP_FENCE:
		__builtin_ia32_mfence();
		break;
	case TRAP_WATCHED:
		held_execute(&e->cpu, trap->address);
		break;
	}
}

void on_trap(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	struct pv_engine *e = data;
	const struct block *block = e->cpu.count.current;

	(void)uc;
	(void)size;
	for (unsigned i = 0; block && i < block->traps; i++)
		if (block->trap[i].address == address) {
			blocks_expect(&e->cpu.blocks, block->trap[i].next_first, block->trap[i].next_last);
			execute(e, &block->trap[i]);
		}
}
