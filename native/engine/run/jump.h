/* SPDX-License-Identifier: GPL-2.0-only */
/* A CPU begins anew. */
#ifndef PV_JUMP_H
#define PV_JUMP_H

#include <stdbool.h>

#include "abi/run_page.h"

struct cpu;

/* All of its architectural state is as the jump says, and nothing is left of what it was. */
void jump_load(struct cpu *cpu, const struct pv_jump *jump, bool in_block);

#endif
