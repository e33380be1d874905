/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters stand still while a handler of NMIs is in service, the guest's or the
 * agent's, so that sampling does not sample itself. Counting goes on as ever, and is
 * then thrown away; the run page has what the counters stood at.
 */
#include "engine/run/state.h"

#include <string.h>

void count_freeze(struct pv_engine *e)
{
	count_fold(e);
	if (e->freeze.depth++)
		return;
	count_publish_all(e);
	memcpy(e->freeze.total, e->total, sizeof(e->total));
	e->oracle.pending = false;
	e->attend &= ~(uint32_t)ATTEND_ALARM;
	count_fold(e); /* no alarm is near any more */
}

void count_thaw(struct pv_engine *e)
{
	if (e->freeze.depth > 1) {
		e->freeze.depth--;
		return;
	}
	count_fold(e);
	memcpy(e->freeze.total[PV_COUNT_GUEST_TSC], e->total[PV_COUNT_GUEST_TSC], sizeof(e->total[0]));
	memcpy(e->total, e->freeze.total, sizeof(e->total));
	e->freeze.depth = 0;
	count_fold(e); /* alarms are back */
}
