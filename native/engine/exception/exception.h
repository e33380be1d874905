/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Delivers exceptions and software interrupts through the guest's IDT (Intel SDM
 * vol. 3, 6.14), which Unicorn leaves to its hooks.
 */
#ifndef PV_EXCEPTION_H
#define PV_EXCEPTION_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

/* One that is no int n, at `rip`: what was counted from there on has been taken back. */
void exception_raise(struct cpu *cpu, unsigned vector, uint32_t error, uint64_t rip);
/* The same for an NMI, which is no exception. */
void exception_deliver_nmi(struct cpu *cpu, uint64_t rip);
/* And for an interrupt from outside. */
void exception_deliver_interrupt(struct cpu *cpu, uint8_t vector, uint64_t rip);
/* One that Unicorn reports, between blocks: RIP is the faulting instruction, or the one behind an int n. False: it is not
 * to be seen by the guest. */
bool exception_take(struct cpu *cpu, uint32_t vector);

#endif
