/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs one instruction on the processor with chosen registers and flags. This is
 * the oracle: what lockop does is compared with what happens here.
 */
#ifndef LOCKOP_NATIVE_H
#define LOCKOP_NATIVE_H

#include <stdint.h>

#include "engine/atomic/lockop.h"

/* Memory that operands live in: ARENA_BYTES around a page boundary. */
enum { ARENA_BYTES = 256 };

extern uint8_t *arena_low;  /* below 2 GiB: a 32-bit address reaches it */
extern uint8_t *arena_high; /* far above 4 GiB */

/* Maps the arenas and the code page, and catches the signals of native_run(). */
void native_create(void);
void native_destroy(void);
/* Where the next instruction will be; changes with each native_load(). */
uint64_t native_address(void);
void native_load(const uint8_t *bytes, unsigned length);
/* Runs what was loaded. Of rflags only the arithmetic flags go in, all come out; fs_base
 * and gs_base are put in force if not 0. The signal it raised, or 0. */
int native_run(struct lockop_registers *regs);

#endif
