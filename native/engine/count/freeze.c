/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters stand still while a handler of NMIs is in service, the guest's or the
 * agent's, so that sampling does not sample itself. Counting goes on as ever, and is
 * then thrown away; the run page has what the counters stood at.
 */
#include "engine/count/freeze.h"

#include <string.h>

#include "engine/count/count.h"
#include "engine/count/cpu.h"

void count_freeze(struct cpu *cpu)
{
	count_fold(cpu);
	if (cpu->freeze.depth++)
		return;
	count_publish_all(cpu);
	memcpy(cpu->freeze.total, cpu->count.total, sizeof(cpu->count.total));
	cpu->oracle.pending = false;
	cpu->count.attend &= ~(uint32_t)ATTEND_ALARM;
	count_fold(cpu); /* no alarm is near any more */
}

void count_thaw(struct cpu *cpu)
{
	uint64_t elapsed;

	if (cpu->freeze.depth > 1) {
		cpu->freeze.depth--;
		return;
	}
	count_fold(cpu);
	elapsed = count_elapsed(cpu);
	memcpy(cpu->freeze.total[PV_COUNT_GUEST_TSC], cpu->count.total[PV_COUNT_GUEST_TSC], sizeof(cpu->count.total[0]));
	memcpy(cpu->count.total, cpu->freeze.total, sizeof(cpu->count.total));
	cpu->count.discarded += elapsed - count_elapsed(cpu);
	cpu->freeze.depth = 0;
	count_fold(cpu); /* alarms are back */
}
