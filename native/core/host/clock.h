/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's clock, and what a tick of the time-stamp counter is worth on it. */
#ifndef PV_CLOCK_H
#define PV_CLOCK_H

#include "core/locks/pv_sync.h"

struct pv_vm;

struct pv_clock {
	uint64_t first_ns, first_ticks; /* both at vm_create() */
	pv_u64 ns_per_tick;             /* times 2^32; 0: not measured yet */
};

void clock_init(struct pv_vm *vm);
/* ns of CLOCK_MONOTONIC, or of the clock that a test injects. */
uint64_t clock_now(const struct pv_vm *vm);
/* CLOCK_MONOTONIC itself, for time-outs. */
uint64_t clock_host_ns(void);
/* Makes clock_ticks_to_ns() usable; takes up to 2 ms the first time. */
void clock_calibrate(struct pv_vm *vm);
uint64_t clock_ticks_to_ns(const struct pv_vm *vm, uint64_t ticks);

#endif
