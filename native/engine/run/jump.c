/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/jump.h"

#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/unicorn/registers.h"

enum {
	CR0_BOOT = 0x80000033u, /* PG, NE, ET, MP, PE */
	DR6_BOOT = 0xffff0ff0u,
	CR4_BOOT = 0x620,       /* PAE, OSFXSR, OSXMMEXCPT */
	RFLAGS_BOOT = 2,
	DR7_BOOT = 0x400,
	MXCSR_BOOT = 0x1f80,
	FPCW_BOOT = 0x37f,
};

static void clear_general_registers(uc_engine *uc)
{
	static const int regs[] = {
		UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RBP,
		UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11,
		UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
		UC_X86_REG_CR2,
	};

	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		reg_set(uc, regs[i], 0);
}

/* Flat 64-bit segments from the given GDT; no IDT, no task register. */
static void load_segments(uc_engine *uc, gpa_t gdt)
{
	uc_x86_mmr table = { .base = gdt, .limit = PV_GDT_BYTES - 1 };
	uc_x86_mmr none = { 0 };

	uc_reg_write(uc, UC_X86_REG_GDTR, &table);
	uc_reg_write(uc, UC_X86_REG_IDTR, &none);
	uc_reg_write(uc, UC_X86_REG_TR, &none);
	reg_set(uc, UC_X86_REG_CS, PV_SELECTOR_CODE);
	reg_set(uc, UC_X86_REG_SS, PV_SELECTOR_DATA);
	reg_set(uc, UC_X86_REG_DS, PV_SELECTOR_DATA);
	reg_set(uc, UC_X86_REG_ES, PV_SELECTOR_DATA);
	reg_set(uc, UC_X86_REG_FS, 0);
	reg_set(uc, UC_X86_REG_GS, 0);
	reg_set(uc, UC_X86_REG_FS_BASE, 0);
	reg_set(uc, UC_X86_REG_GS_BASE, 0);
}

void jump_load(struct cpu *cpu, const struct pv_jump *jump, bool in_block)
{
	/* Folded first: what was charged belongs to the CPL that is left. */
	count_fold(cpu);
	count_enter_kernel(cpu);
	reg_set(cpu->uc, UC_X86_REG_CR4, CR4_BOOT);
	reg_set(cpu->uc, UC_X86_REG_CR3, jump->page_table);
	reg_set(cpu->uc, UC_X86_REG_CR0, CR0_BOOT);
	load_segments(cpu->uc, jump->gdt);
	clear_general_registers(cpu->uc);
	reg_set(cpu->uc, UC_X86_REG_EFLAGS, RFLAGS_BOOT);
	reg_set(cpu->uc, UC_X86_REG_DR6, DR6_BOOT);
	reg_set(cpu->uc, UC_X86_REG_DR7, DR7_BOOT);
	reg_set(cpu->uc, UC_X86_REG_MXCSR, MXCSR_BOOT);
	reg_set(cpu->uc, UC_X86_REG_FPCW, FPCW_BOOT);
	reg_set(cpu->uc, UC_X86_REG_RSP, jump->rsp);
	reg_set(cpu->uc, UC_X86_REG_RDI, jump->rdi);
	reg_set(cpu->uc, UC_X86_REG_RSI, jump->rsi);
	reg_set(cpu->uc, UC_X86_REG_RDX, jump->rdx);
	if (in_block)
		rip_set_in_block(cpu->uc, jump->rip);
	else
		rip_set(cpu->uc, jump->rip);
}
