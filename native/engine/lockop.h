/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest LOCK-prefixed instructions, and xchg with memory, done with the host's own
 * locked instructions, so that they are atomic between vCPU processes and between
 * a vCPU and the host. Unicorn translates them to a plain load, operation and store.
 */
#ifndef PV_LOCKOP_H
#define PV_LOCKOP_H

#include <stdbool.h>
#include <stdint.h>

#include <capstone/capstone.h>

/* One decoded locked instruction; address and length are its own. */
struct lockop {
	uint64_t address;
	uint8_t length;
	uint8_t op;       /* enum in lockop.c */
	uint8_t width;    /* of the memory operand, bytes: 1, 2, 4, 8, 16 */
	uint8_t source;   /* how the source operand is given, enum in lockop.c */
	uint8_t base, index, scale, segment; /* register numbers: 0..15, LOCKOP_NONE, LOCKOP_RIP */
	uint8_t address_bits; /* 32 or 64 */
	uint8_t reg;      /* register operand; high-byte registers are named apart */
	int64_t displacement;
	int64_t immediate;
};

/* The vCPU's registers as the operation sees them: in and out. */
struct lockop_registers {
	uint64_t gpr[16]; /* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15: hardware order */
	uint64_t rip;     /* of the instruction */
	uint64_t rflags;
	uint64_t fs_base, gs_base;
};

/* Is this instruction one that lockop must do: a valid LOCK form, or xchg with memory? */
bool lockop_matches(const cs_insn *insn);
/* Decodes one for which lockop_matches() holds (capstone detail on). False: a form that is not known. */
bool lockop_decode(const cs_insn *insn, struct lockop *ret);
/* Effective virtual address of the memory operand. A bit offset in a register (bt*) is included. */
uint64_t lockop_address(const struct lockop *op, const struct lockop_registers *regs);
/* Does it on host memory at `at` (unaligned and line-crossing too): registers and flags in
 * *regs are updated as the instruction would, RIP excepted. */
void lockop_execute(const struct lockop *op, void *at, struct lockop_registers *regs);

#endif
