/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions that a code hook executes in Unicorn's place, or adds to. */
#ifndef PV_TRAP_H
#define PV_TRAP_H

#include <stdint.h>

#include <unicorn/unicorn.h>

/* Unicorn's hook before each instruction from the first trap of a block to its last; `data` is the engine. */
void on_trap(uc_engine *uc, uint64_t address, uint32_t size, void *data);

#endif
