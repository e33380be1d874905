/* SPDX-License-Identifier: GPL-2.0-only */
/* What may come between two blocks: the end of an NMI, the doorbell, an alarm, an NMI. */
#include "engine/run/state.h"

static uint64_t retired(const struct pv_engine *e, uint64_t rip)
{
	struct charged ahead = count_ahead(e, rip);

	return count_value(e, PV_COUNT_INSTRUCTIONS, PV_CPL_KERNEL, &ahead) +
	       count_value(e, PV_COUNT_INSTRUCTIONS, PV_CPL_USER, &ahead);
}

/* An alarm that is left as it is goes off after each block, but the guest gets on. */
static bool attend_alarm(struct pv_engine *e, uint64_t rip, bool in_block)
{
	uint64_t now = retired(e, rip);

	e->attend &= ~(uint32_t)ATTEND_ALARM;
	if (!alarm_reached(e, rip) || e->overflowed_at == now)
		return true;
	e->overflowed_at = now;
	if (!vmexit_overflow(e, rip, in_block))
		return false;
	if (!alarm_reached(e, rip)) /* moved: the next iteration of a rep may reach it again */
		e->overflowed_at = UINT64_MAX;
	return true;
}

static bool attend_inject(struct pv_engine *e, uint64_t rip, bool in_block)
{
	e->attend &= ~(uint32_t)ATTEND_INJECT;
	return agent_nmi_serve(e, rip, in_block) && !nmi_deliver(e, rip, in_block);
}

/* Translated code can be dropped outside of Unicorn alone; this boundary then comes again. */
static void leave_to_flush(struct pv_engine *e, uint64_t rip)
{
	e->attend &= ~(uint32_t)ATTEND_FLUSH;
	count_leave_block(e, rip);
	hooks_remove(e);
	e->flush = true;
	uc_emu_stop(e->uc);
}

bool boundary_attend(struct pv_engine *e, uint64_t rip, bool in_block)
{
	if (e->attend & ATTEND_IRET)
		nmi_end(e);
	if (e->attend & ATTEND_ENTRY) {
		if (in_block)
			vmexit_late_entry(e, rip, true);
		return false;
	}
	e->unlooked = 0;
	if (handover_doorbell(e->config.run) && !vmexit_kick(e, rip, in_block))
		return false;
	if ((e->attend & ATTEND_ALARM) && !attend_alarm(e, rip, in_block))
		return false;
	if ((e->attend & ATTEND_INJECT) && !attend_inject(e, rip, in_block))
		return false;
	if ((e->attend & ATTEND_FLUSH) && in_block) {
		leave_to_flush(e, rip);
		return false;
	}
	count_fold(e); /* what was attended to needs no look any more */
	return true;
}

bool boundary_attend_inside(struct pv_engine *e, uint64_t rip)
{
	const uint32_t at_its_end = e->attend & (ATTEND_IRET | ATTEND_FLUSH);
	bool on;

	if (likely(!(e->attend & (ATTEND_ALARM | ATTEND_INJECT))))
		return true;
	e->attend &= ~at_its_end;
	on = boundary_attend(e, rip, true);
	if (at_its_end)
		count_attend(e, on ? at_its_end : at_its_end & ATTEND_FLUSH);
	return on;
}

void boundary_leave_inside(struct pv_engine *e, uint64_t rip)
{
	e->attend &= ~(uint32_t)ATTEND_IRET;
	count_leave_block(e, rip);
	rip_set_in_block(e, rip);
}
