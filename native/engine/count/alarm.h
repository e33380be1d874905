/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PV_ALARM_H
#define PV_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/run_page.h"

struct cpu;

/* Instructions, at most `most`, that can be charged before any alarm may be reached. 0 and
 * ATTEND_ALARM: one is, if all that was charged retires. */
int64_t alarm_chunk(struct cpu *cpu, int64_t most);
/* The host may have armed others. */
void alarm_entered(struct cpu *cpu);
/* Is one reached by what has retired in front of `rip`? */
bool alarm_reached(const struct cpu *cpu, uint64_t rip);
/* The same for one counter alone, which has just been added to: asks for a look. */
void alarm_look(struct cpu *cpu, unsigned counter);

static inline bool alarm_is_armed(const struct pv_run *run, unsigned counter)
{
	return run->armed >> (counter * PV_ALARM_LEVELS) & ((1u << PV_ALARM_LEVELS) - 1);
}

#endif
