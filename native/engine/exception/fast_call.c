/* SPDX-License-Identifier: GPL-2.0-only */
/* SYSCALL and SYSENTER (Intel SDM vol. 2): of either, Unicorn only adds the length to RIP afterwards. */
#include "engine/exception/fast_call.h"

#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/held.h"
#include "engine/count/oracle.h"
#include "engine/exception/exception.h"
#include "engine/unicorn/registers.h"

enum {
	LENGTH = 2,
	VECTOR_UD = 6, VECTOR_GP = 13,
	MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176,
	MSR_EFER = 0xc0000080, MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082, MSR_FMASK = 0xc0000084,
	EFER_SCE = 1,
	RFLAGS_IF = 1 << 9, RFLAGS_VM = 1 << 17,
};

static uint64_t msr_get(struct cpu *cpu, uint32_t number)
{
	uc_x86_msr msr = { .rid = number };

	uc_reg_read(cpu->uc, UC_X86_REG_MSR, &msr);
	return msr.value;
}

static uint64_t rip_of_last(struct cpu *cpu)
{
	const struct block *block = cpu->count.current;

	return block ? block->address + block->last_offset : reg_get(cpu->uc, UC_X86_REG_RIP);
}

static void refuse(struct cpu *cpu, unsigned vector, uint64_t rip)
{
	count_leave_block(cpu, rip);
	exception_raise(cpu, vector, 0, rip);
	rip_set_in_block(cpu->uc, reg_get(cpu->uc, UC_X86_REG_RIP) - LENGTH);
}

/* It retires; CPL 0 from here on. */
static void enter_kernel(struct cpu *cpu, uint64_t rip, uint64_t cs)
{
	oracle_settle(cpu, rip + LENGTH, false);
	held_settle(cpu, rip + LENGTH);
	cpu->count.current = NULL;
	count_fold(cpu);
	if (cpu->count.cpl == PV_CPL_USER)
		count_enter_kernel(cpu);
	reg_set(cpu->uc, UC_X86_REG_CS, cs & 0xfffc);
	reg_set(cpu->uc, UC_X86_REG_SS, (cs & 0xfffc) + 8);
}

void on_syscall(uc_engine *uc, void *data)
{
	struct cpu *cpu = data;
	uint64_t rip = rip_of_last(cpu), rflags = reg_get(cpu->uc, UC_X86_REG_EFLAGS);

	(void)uc;
	if (!(msr_get(cpu, MSR_EFER) & EFER_SCE)) {
		refuse(cpu, VECTOR_UD, rip);
		return;
	}
	enter_kernel(cpu, rip, msr_get(cpu, MSR_STAR) >> 32);
	reg_set(cpu->uc, UC_X86_REG_RCX, rip + LENGTH);
	reg_set(cpu->uc, UC_X86_REG_R11, rflags);
	reg_set(cpu->uc, UC_X86_REG_EFLAGS, (rflags & ~msr_get(cpu, MSR_FMASK)) | 2);
	rip_set_in_block(cpu->uc, msr_get(cpu, MSR_LSTAR) - LENGTH);
}

void on_sysenter(uc_engine *uc, void *data)
{
	struct cpu *cpu = data;
	uint64_t rip = rip_of_last(cpu), cs = msr_get(cpu, MSR_SYSENTER_CS);

	(void)uc;
	if (!(cs & 0xfffc)) {
		refuse(cpu, VECTOR_GP, rip);
		return;
	}
	enter_kernel(cpu, rip, cs);
	reg_set(cpu->uc, UC_X86_REG_EFLAGS, reg_get(cpu->uc, UC_X86_REG_EFLAGS) & ~(uint64_t)(RFLAGS_IF | RFLAGS_VM));
	reg_set(cpu->uc, UC_X86_REG_RSP, msr_get(cpu, MSR_SYSENTER_ESP));
	rip_set_in_block(cpu->uc, msr_get(cpu, MSR_SYSENTER_EIP) - LENGTH);
}
