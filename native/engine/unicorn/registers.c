/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/unicorn/registers.h"

uint64_t reg_get(uc_engine *uc, int reg)
{
	uint64_t value = 0;

	uc_reg_read(uc, reg, &value);
	return value;
}

void reg_set(uc_engine *uc, int reg, uint64_t value)
{
	uc_reg_write(uc, reg, &value);
}

void rip_set_in_block(uc_engine *uc, uint64_t rip)
{
	/* The single write, unlike the batch, keeps Unicorn from restoring RIP and
	 * the flags from the block that it leaves. */
	reg_set(uc, UC_X86_REG_RIP, rip);
}

void rip_set(uc_engine *uc, uint64_t rip)
{
	int reg = UC_X86_REG_RIP;
	void *value = &rip;

	uc_reg_write_batch(uc, &reg, &value, 1);
}

bool may_be_no_execute(uc_engine *uc)
{
	enum { MSR_EFER = 0xc0000080, EFER_NXE = 1 << 11, CR4_SMEP = 1 << 20 };
	uc_x86_msr efer = { .rid = MSR_EFER };

	uc_reg_read(uc, UC_X86_REG_MSR, &efer);
	return (efer.value & EFER_NXE) || (reg_get(uc, UC_X86_REG_CR4) & CR4_SMEP);
}
