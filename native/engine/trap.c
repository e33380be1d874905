/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that a code hook executes in Unicorn's place: those that must be
 * atomic between vCPU processes, and OUT, whose exit must be exact. The hook
 * leaves the block behind the instruction, so a block is charged up to it.
 */
#include "state.h"

#include <errno.h>
#include <string.h>

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

static void registers_read(struct pv_engine *e, const struct lockop *op, struct lockop_registers *regs)
{
	int numbers[16];
	void *values[16];

	int n = registers_of(op->reads | op->writes, regs, numbers, values);

	uc_reg_read_batch(e->uc, numbers, values, n);
	regs->rflags = reg_get(e, UC_X86_REG_EFLAGS);
	if (op->segment != LOCKOP_NONE) {
		regs->fs_base = reg_get(e, UC_X86_REG_FS_BASE);
		regs->gs_base = reg_get(e, UC_X86_REG_GS_BASE);
	}
}

static void registers_write(struct pv_engine *e, const struct lockop *op, struct lockop_registers *regs)
{
	int numbers[16];
	void *values[16];

	int n = registers_of(op->writes, regs, numbers, values);

	uc_reg_write_batch(e->uc, numbers, values, n);
	reg_set(e, UC_X86_REG_EFLAGS, regs->rflags);
}

/* Host memory of a writable virtual range, NULL if the guest may not write all of
 * it: Unicorn then executes the instruction, which faults as it should. */
static void *writable_memory(struct pv_engine *e, uint64_t address, unsigned width, gpa_t *gpa)
{
	uint64_t last = address + width - 1, end;

	if (last < address || uc_vmem_translate(e->uc, address, UC_PROT_WRITE, gpa) != UC_ERR_OK)
		return NULL;
	if (*gpa >= e->config.ram_size || e->config.ram_size - *gpa < width)
		return NULL;
	if (address / 4096 == last / 4096)
		return e->config.ram + *gpa;
	if (uc_vmem_translate(e->uc, last, UC_PROT_WRITE, &end) != UC_ERR_OK)
		return NULL;
	if (end != *gpa + width - 1) {
		vmexit_fail(e, -EOPNOTSUPP, "a locked operation at 0x%llx crosses pages that are "
			    "not neighbours in guest RAM", (unsigned long long)address);
		return NULL;
	}
	return e->config.ram + *gpa;
}

/* The store went past Unicorn: it must not keep a translation of what was there. */
static void drop_code(struct pv_engine *e, uint64_t address, gpa_t gpa, unsigned width)
{
	gpa_t last = gpa + width - 1;

	if ((e->code_pages[gpa / 4096 / 8] >> (gpa / 4096 % 8) & 1) ||
	    (e->code_pages[last / 4096 / 8] >> (last / 4096 % 8) & 1))
		uc_ctl_remove_cache(e->uc, address, address + width);
}

static void trap_locked(struct pv_engine *e, const struct trap *trap)
{
	struct lockop_registers regs = { .rip = trap->address };
	uint64_t address;
	gpa_t gpa;
	void *memory;

	registers_read(e, &trap->locked, &regs);
	address = lockop_address(&trap->locked, &regs);
	if (lockop_misaligned(&trap->locked, address))
		return; /* Unicorn raises #GP */
	memory = writable_memory(e, address, trap->locked.width, &gpa);
	if (!memory)
		return;
	lockop_execute(&trap->locked, memory, &regs);
	registers_write(e, &trap->locked, &regs);
	drop_code(e, address, gpa, trap->locked.width);
	count_penalty(e, PV_CYCLES_LOCKED_OP);
	e->config.run->locked_ops++;
	e->current = NULL;
	rip_set_in_block(e, trap->address + trap->length);
}

/* OUT by CPL 0; a user's is left to Unicorn, which asks the I/O bitmap and raises #GP. */
static void trap_out(struct pv_engine *e, const struct trap *trap)
{
	uint8_t code[16];
	unsigned at = 0;
	uint32_t size = 4, port, value;

	if (e->cpl != PV_CPL_KERNEL ||
	    uc_vmem_read(e->uc, trap->address, UC_PROT_EXEC, code, trap->length) != UC_ERR_OK)
		return;
	while (at + 1 < trap->length && (code[at] == 0x66 || (code[at] & 0xf0) == 0x40)) {
		if (code[at] == 0x66)
			size = 2;
		at++;
	}
	if (code[at] != 0xe6 && code[at] != 0xe7 && code[at] != 0xee && code[at] != 0xef)
		return;
	if (!(code[at] & 1))
		size = 1;
	port = code[at] & 8 ? (uint32_t)reg_get(e, UC_X86_REG_RDX) & 0xffff : code[at + 1];
	value = (uint32_t)reg_get(e, UC_X86_REG_RAX);
	if (size < 4)
		value &= (1u << 8 * size) - 1;
	if (vmexit_out(e, trap->address, port, size, value)) {
		e->current = NULL;
		rip_set_in_block(e, trap->address + trap->length);
	}
}

void on_trap(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	struct pv_engine *e = data;
	const struct trap *trap = trap_find(e, address);

	(void)uc;
	(void)size;
	if (!trap || trap->kind == TRAP_STALE)
		return;
	if (trap->kind == TRAP_LOCKED)
		trap_locked(e, trap);
	else
		trap_out(e, trap);
}
