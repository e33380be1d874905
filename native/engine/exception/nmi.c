/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/exception/nmi.h"

#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/freeze.h"
#include "engine/count/oracle.h"
#include "engine/exception/exception.h"
#include "engine/unicorn/hidden.h"
#include "engine/unicorn/registers.h"

void nmi_inject(struct nmi *nmi, struct cpu *cpu)
{
	if (nmi->pending)
		cpu->config.run->nmis_coalesced++;
	nmi->pending = true;
	count_attend(cpu, ATTEND_INJECT);
}

bool nmi_deliver(struct nmi *nmi, struct cpu *cpu, uint64_t rip, bool in_block)
{
	if (!nmi->pending || nmi->in_service)
		return false;
	if (hidden_in_shadow(&cpu->hidden)) {
		cpu->count.attend |= ATTEND_INJECT;
		return false;
	}
	oracle_settle(cpu, rip, false);
	count_leave_block(cpu, rip);
	count_freeze(cpu);
	*nmi = (struct nmi){ .in_service = true };
	cpu->config.run->nmis++;
	exception_deliver_nmi(cpu, rip);
	if (in_block)
		rip_set_in_block(cpu->uc, reg_get(cpu->uc, UC_X86_REG_RIP));
	return true;
}

void nmi_end(struct nmi *nmi, struct cpu *cpu)
{
	cpu->count.attend &= ~(uint32_t)ATTEND_IRET;
	nmi->in_service = false;
	if (nmi->pending)
		cpu->count.attend |= ATTEND_INJECT;
	count_thaw(cpu);
}

void nmi_abandon(struct nmi *nmi, struct cpu *cpu)
{
	if (nmi->in_service)
		nmi_end(nmi, cpu);
	nmi->pending = false;
}
