/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PV_BLOCK_HOOK_H
#define PV_BLOCK_HOOK_H

#include <stdint.h>

#include <unicorn/unicorn.h>

#include "abi/run_page.h"

/* What only the block hook knows, beside what it counts. */
struct block_hook {
	uint32_t known_cs[PV_CPLS]; /* selectors seen to be of 64-bit code */
	uint64_t rep_iterations;
	uint32_t pauses;
};

/* Unicorn's hook before every block, which is `data`. */
void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *data);

#endif
