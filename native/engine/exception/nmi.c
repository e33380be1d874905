/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NMIs of the guest (Intel SDM vol. 3, 6.7): through its IDT, one in service from
 * delivery to IRET, one more latched meanwhile. Counters stand still in between.
 */
#include "engine/run/state.h"

void nmi_inject(struct pv_engine *e)
{
	if (e->nmi.pending)
		e->config.run->nmis_coalesced++;
	e->nmi.pending = true;
	count_attend(e, ATTEND_INJECT);
}

bool nmi_deliver(struct pv_engine *e, uint64_t rip, bool in_block)
{
	if (!e->nmi.pending || e->nmi.in_service)
		return false;
	if (hidden_in_shadow(e)) {
		e->attend |= ATTEND_INJECT;
		return false;
	}
	if (e->config.oracle)
		oracle_settle(e, rip, false);
	count_leave_block(e, rip);
	count_freeze(e);
	e->nmi = (struct nmi){ .in_service = true };
	e->config.run->nmis++;
	exception_deliver_nmi(e, rip);
	if (in_block)
		rip_set_in_block(e, reg_get(e, UC_X86_REG_RIP));
	return true;
}

bool nmi_is_due(const struct pv_engine *e)
{
	return e->agent.pending || (e->nmi.pending && !e->nmi.in_service);
}

void nmi_end(struct pv_engine *e)
{
	e->attend &= ~(uint32_t)ATTEND_IRET;
	e->nmi.in_service = false;
	if (e->nmi.pending)
		e->attend |= ATTEND_INJECT;
	count_thaw(e);
}

void nmi_abandon(struct pv_engine *e)
{
	if (e->nmi.in_service)
		nmi_end(e);
	e->nmi.pending = false;
}
