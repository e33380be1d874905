/* SPDX-License-Identifier: GPL-2.0-only */
/* The vCPU's architectural state, through Unicorn's API. */
#include "engine/run/state.h"

enum {
	CR0_BOOT = 0x80000033u, /* PG, NE, ET, MP, PE */
	CR4_BOOT = 0x620,       /* PAE, OSFXSR, OSXMMEXCPT */
	RFLAGS_BOOT = 2,
	DR7_BOOT = 0x400,
};

uint64_t reg_get(struct pv_engine *e, int reg)
{
	uint64_t value = 0;

	uc_reg_read(e->uc, reg, &value);
	return value;
}

void reg_set(struct pv_engine *e, int reg, uint64_t value)
{
	uc_reg_write(e->uc, reg, &value);
}

void rip_set_in_block(struct pv_engine *e, uint64_t rip)
{
	/* The single write, unlike the batch, keeps Unicorn from restoring RIP and
	 * the flags from the block that it leaves. */
	reg_set(e, UC_X86_REG_RIP, rip);
}

void rip_set(struct pv_engine *e, uint64_t rip)
{
	int reg = UC_X86_REG_RIP;
	void *value = &rip;

	uc_reg_write_batch(e->uc, &reg, &value, 1);
}

static void clear_general_registers(struct pv_engine *e)
{
	static const int regs[] = {
		UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RBP,
		UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11,
		UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
		UC_X86_REG_CR2,
	};

	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		reg_set(e, regs[i], 0);
}

/* Flat 64-bit segments from the given GDT; no IDT, no task register. */
static void load_segments(struct pv_engine *e, gpa_t gdt)
{
	uc_x86_mmr table = { .base = gdt, .limit = PV_GDT_BYTES - 1 };
	uc_x86_mmr none = { 0 };

	uc_reg_write(e->uc, UC_X86_REG_GDTR, &table);
	uc_reg_write(e->uc, UC_X86_REG_IDTR, &none);
	uc_reg_write(e->uc, UC_X86_REG_TR, &none);
	reg_set(e, UC_X86_REG_CS, PV_SELECTOR_CODE);
	reg_set(e, UC_X86_REG_SS, PV_SELECTOR_DATA);
	reg_set(e, UC_X86_REG_DS, PV_SELECTOR_DATA);
	reg_set(e, UC_X86_REG_ES, PV_SELECTOR_DATA);
	reg_set(e, UC_X86_REG_FS, 0);
	reg_set(e, UC_X86_REG_GS, 0);
	reg_set(e, UC_X86_REG_FS_BASE, 0);
	reg_set(e, UC_X86_REG_GS_BASE, 0);
}

void jump_load(struct pv_engine *e, const struct pv_jump *jump, bool in_block)
{
	/* Folded first: what was charged belongs to the CPL that is left. */
	count_fold(e);
	hidden_enter_kernel(e);
	reg_set(e, UC_X86_REG_CR4, CR4_BOOT);
	reg_set(e, UC_X86_REG_CR3, jump->page_table);
	reg_set(e, UC_X86_REG_CR0, CR0_BOOT);
	load_segments(e, jump->gdt);
	clear_general_registers(e);
	reg_set(e, UC_X86_REG_EFLAGS, RFLAGS_BOOT);
	reg_set(e, UC_X86_REG_DR7, DR7_BOOT);
	reg_set(e, UC_X86_REG_RSP, jump->rsp);
	reg_set(e, UC_X86_REG_RDI, jump->rdi);
	reg_set(e, UC_X86_REG_RSI, jump->rsi);
	reg_set(e, UC_X86_REG_RDX, jump->rdx);
	if (in_block)
		rip_set_in_block(e, jump->rip);
	else
		rip_set(e, jump->rip);
}
