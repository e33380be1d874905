/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Code of 16 and 32 bits, by which a vCPU of a platform comes from STARTUP to 64-bit mode. It is short, so each instruction
 * is a block of its own: how long it is, Unicorn knows.
 */
#ifndef PV_NARROW_H
#define PV_NARROW_H

#include <stdint.h>

#include <unicorn/unicorn.h>

struct block;

/* Fills `block`, of one instruction. 0, or a negative errno and a reason. */
int narrow_decode(uc_engine *uc, struct block *block, uint64_t address, uint32_t size, const char **why);

#endif
