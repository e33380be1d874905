/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters stand still while depth is not 0; what goes to the totals meanwhile is thrown away. */
#ifndef PV_FREEZE_H
#define PV_FREEZE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/run_page.h"

struct cpu;

struct freeze {
	unsigned depth; /* handlers in service, one interrupting the other */
	uint64_t total[PV_COUNTS][PV_CPLS];
};

/* All counters but PV_COUNT_GUEST_TSC, with the totals exact. May be nested. */
void count_freeze(struct cpu *cpu);
void count_thaw(struct cpu *cpu);

static inline bool count_frozen(const struct freeze *freeze)
{
	return freeze->depth;
}

#endif
