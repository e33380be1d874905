/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hooks that some counters need, which are there only while the host wants one of those.
 * A hook is seen by code that is translated after it was set, and is gone from what is
 * translated after it was removed: so a change takes effect with a flush, in front of the first block
 * after the entry that brought it (for a kick: the second). Caches and predictor are empty when the first of their
 * counters becomes wanted.
 */
#ifndef PV_HOOKS_H
#define PV_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

#include "abi/run_page.h"
#include "engine/count/held.h"
#include "engine/models/cache.h"
#include "engine/models/predictor.h"

struct cpu;

enum {
	HOOKS_CACHES = 1 << PV_COUNT_L1D_LOADS | 1 << PV_COUNT_L1D_LOAD_MISSES | 1 << PV_COUNT_L1D_STORES |
		       1 << PV_COUNT_CACHE_REFERENCES | 1 << PV_COUNT_CACHE_MISSES,
	HOOKS_BRANCHES = 1 << PV_COUNT_BRANCH_MISSES,
};

struct hooks {
	bool never; /* the host wants nothing of this CPU counted */
	uint32_t wanted; /* pv_run.wanted and pv_run.breakpoint, as the hooks are set for */
	bool memory;     /* accesses are reported */
	struct pv_breakpoint breakpoint[PV_BREAKPOINTS];
	uc_hook on_memory;
	struct caches caches;
	struct predictor predictor;
	struct held held;
};

static inline bool hooks_breakpoint(const struct hooks *hooks, unsigned slot)
{
	return hooks->wanted >> (PV_COUNT_BREAKPOINT + slot) & 1;
}

static inline bool hooks_code_breakpoint(const struct hooks *hooks, unsigned slot)
{
	return hooks_breakpoint(hooks, slot) && (hooks->breakpoint[slot].type & PV_BP_X);
}

static inline bool hooks_data_breakpoint(const struct hooks *hooks, unsigned slot)
{
	return hooks_breakpoint(hooks, slot) && (hooks->breakpoint[slot].type & (PV_BP_R | PV_BP_W));
}

/* 0, or a negative errno and a sentence in `why`. */
int hooks_create(struct cpu *cpu, const char **why);
void hooks_destroy(struct cpu *cpu);
/* After an entry: asks for a change, if the host wants other counters now. */
void hooks_entered(struct cpu *cpu);
/* The change, first part, inside Unicorn and before it stops: what is removed with Unicorn stopped makes
 * code that is translated in the next run as slow as if it were there. */
void hooks_remove(struct cpu *cpu);
/* Second part, with Unicorn stopped and about to drop all translated code. */
void hooks_change(struct cpu *cpu);

#endif
