/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers, by Unicorn's numbers. */
#ifndef PV_REGISTERS_H
#define PV_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

uint64_t reg_get(uc_engine *uc, int reg);
void reg_set(uc_engine *uc, int reg, uint64_t value);
/* RIP, from inside a hook of the running block: the block is left at once. */
void rip_set_in_block(uc_engine *uc, uint64_t rip);
/* RIP, from a hook that is called between blocks, or with Unicorn stopped. */
void rip_set(uc_engine *uc, uint64_t rip);
/* May the guest be kept from executing what it may write? */
bool may_be_no_execute(uc_engine *uc);

#endif
