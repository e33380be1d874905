/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest sets of its processor: MSRs, control and debug registers, XCR0, MXCSR. Unicorn keeps most of it, and knows
 * less than a processor of what may be set: interposed/system.h asks here first.
 */
#ifndef PV_SYSTEM_H
#define PV_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

#include "engine/interposed/system.h"
#include "engine/system/debug.h"

struct cpu;
struct platform;

struct system {
	struct system_calls calls;
	struct cpu *cpu;
	struct platform *platform;
	uint64_t cr8; /* of a guest without a platform */
	struct debug debug;
};

void system_create(struct system *system, struct cpu *cpu, struct platform *platform);
/* Finds out, on this page, whether this Unicorn asks: 0, or -EOPNOTSUPP. It need not if nobody has loaded what asks. */
int system_calibrate(uc_engine *uc, uint64_t page);
/* Around Unicorn's execution, on its thread. */
struct system_calls *system_enter(struct system *system);
void system_leave(struct system_calls *before);
/* All debug registers have been set past Unicorn's instructions. */
void system_debug_registers_set(struct system *system);

/* msr.c: as system_calls.ask, of an MSR by its number. */
int msr_ask(struct system *system, bool write, uint32_t number, uint64_t *value);
/* For rdtsc and rdtscp, with RIP there; a bare guest has the host's TSC. */
int msr_ask_tsc(struct system *system, uint64_t *value);
uint32_t msr_tsc_aux(struct cpu *cpu);
/* control.c */
int control_ask_cr(struct system *system, bool write, unsigned number, uint64_t *value);
int control_ask_xcr(struct system *system, uint64_t number, uint64_t value);
int control_ask_fs_gs(struct system *system, bool may_fault);

enum { SYSTEM_DB = 1, SYSTEM_UD = 6, SYSTEM_GP = 13 };

static inline bool system_is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

#endif
