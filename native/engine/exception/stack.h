/* SPDX-License-Identifier: GPL-2.0-only */
/* #SS or #GP? Unicorn knows the second alone for an address that is not canonical (Intel SDM vol. 3, 6.15, interrupt 12). */
#ifndef PV_STACK_H
#define PV_STACK_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

/* The instruction at `rip` has raised #GP(0): for an address of the stack? */
bool stack_is_to_blame(struct cpu *cpu, uint64_t rip);
/* It has met an absent page, the last one of the lower half, at this address: the vector of what comes before that as it
 * goes on beyond, or 0. */
unsigned stack_ends_behind(struct cpu *cpu, uint64_t rip, uint64_t address);

/* It has met an absent page at `behind`, which is to be the second of an operand that it reads and writes: may the first one not
 * be written? That would come before. *address: of the operand. */
bool operand_begins_read_only(struct cpu *cpu, uint64_t rip, uint64_t behind, uint64_t *address);

#endif
