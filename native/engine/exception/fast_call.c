/* SPDX-License-Identifier: GPL-2.0-only */
/* SYSCALL and SYSENTER (Intel SDM vol. 2): of either, Unicorn only adds the length to RIP afterwards. */
#include "engine/run/state.h"

enum {
	LENGTH = 2,
	VECTOR_UD = 6, VECTOR_GP = 13,
	MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176,
	MSR_EFER = 0xc0000080, MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082, MSR_FMASK = 0xc0000084,
	EFER_SCE = 1,
	RFLAGS_IF = 1 << 9, RFLAGS_VM = 1 << 17,
};

static uint64_t msr_get(struct pv_engine *e, uint32_t number)
{
	uc_x86_msr msr = { .rid = number };

	uc_reg_read(e->uc, UC_X86_REG_MSR, &msr);
	return msr.value;
}

static uint64_t rip_of_last(struct pv_engine *e)
{
	return e->current ? e->current->address + e->current->last_offset : reg_get(e, UC_X86_REG_RIP);
}

static void refuse(struct pv_engine *e, unsigned vector, uint64_t rip)
{
	count_leave_block(e, rip);
	exception_raise(e, vector, 0, rip);
	rip_set_in_block(e, reg_get(e, UC_X86_REG_RIP) - LENGTH);
}

/* It retires; CPL 0 from here on. */
static void enter_kernel(struct pv_engine *e, uint64_t rip, uint64_t cs)
{
	if (e->config.oracle)
		oracle_settle(e, rip + LENGTH, false);
	held_settle(e, rip + LENGTH);
	e->current = NULL;
	count_fold(e);
	if (e->cpl == PV_CPL_USER)
		hidden_enter_kernel(e);
	reg_set(e, UC_X86_REG_CS, cs & 0xfffc);
	reg_set(e, UC_X86_REG_SS, (cs & 0xfffc) + 8);
}

void on_syscall(uc_engine *uc, void *data)
{
	struct pv_engine *e = data;
	uint64_t rip = rip_of_last(e), rflags = reg_get(e, UC_X86_REG_EFLAGS);

	(void)uc;
	if (!(msr_get(e, MSR_EFER) & EFER_SCE)) {
		refuse(e, VECTOR_UD, rip);
		return;
	}
	enter_kernel(e, rip, msr_get(e, MSR_STAR) >> 32);
	reg_set(e, UC_X86_REG_RCX, rip + LENGTH);
	reg_set(e, UC_X86_REG_R11, rflags);
	reg_set(e, UC_X86_REG_EFLAGS, (rflags & ~msr_get(e, MSR_FMASK)) | 2);
	rip_set_in_block(e, msr_get(e, MSR_LSTAR) - LENGTH);
}

void on_sysenter(uc_engine *uc, void *data)
{
	struct pv_engine *e = data;
	uint64_t rip = rip_of_last(e), cs = msr_get(e, MSR_SYSENTER_CS);

	(void)uc;
	if (!(cs & 0xfffc)) {
		refuse(e, VECTOR_GP, rip);
		return;
	}
	enter_kernel(e, rip, cs);
	reg_set(e, UC_X86_REG_EFLAGS, reg_get(e, UC_X86_REG_EFLAGS) & ~(uint64_t)(RFLAGS_IF | RFLAGS_VM));
	reg_set(e, UC_X86_REG_RSP, msr_get(e, MSR_SYSENTER_ESP));
	rip_set_in_block(e, msr_get(e, MSR_SYSENTER_EIP) - LENGTH);
}
