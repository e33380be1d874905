/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest LOCK-prefixed instructions, and xchg with memory, done with the host's own
 * locked instructions, so that they are atomic between vCPU processes and between
 * a vCPU and the host. For one CPU Unicorn translates them to a plain load, operation and store.
 */
#ifndef PV_LOCKOP_H
#define PV_LOCKOP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/x86/insn.h"

enum {
	LOCKOP_HIGH_BYTE = 16, /* as register operand: + 0..3 are AH CH DH BH */
	LOCKOP_NONE = 0xff,
};

/* One locked instruction: executing it changes the registers insn.gpr_written, and the flags if insn.writes_flags. */
struct lockop {
	struct x86_insn insn;
	uint64_t address; /* its own */
	uint8_t op;       /* enum operation in lockop.c */
	uint8_t reg;      /* register operand: 0..15, LOCKOP_HIGH_BYTE.., LOCKOP_NONE */
	uint16_t reads;   /* bit n: gpr[n] must hold the guest's before address and execute */
	int64_t immediate;
};

/* The vCPU's registers as the operation sees them: in and out. */
struct lockop_registers {
	uint64_t gpr[16]; /* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15: hardware order */
	uint64_t rip;     /* of the instruction */
	uint64_t rflags;
	uint64_t fs_base, gs_base;
};

/* Is this instruction, whose bytes these are, one that lockop must do: with LOCK, or xchg with memory? */
bool lockop_is(const struct x86_insn *insn, const uint8_t *bytes, uint64_t address, struct lockop *ret);
/* Does Unicorn's own code for guests with several CPUs do it, atomically and with all that the processor changes?
 * Its XCHG is mended (exchange.h), or not. */
bool lockop_in_block(const struct lockop *op, bool exchanges);
/* Virtual address (linear, segment base added) of the lowest byte of the memory
 * operand. A bit offset in a register (bt*) is included. */
uint64_t lockop_address(const struct lockop *op, const struct lockop_registers *regs);
/* Would the processor raise #GP(0) for the operand's alignment? Then it must not be executed. */
bool lockop_misaligned(const struct lockop *op, uint64_t address);
/* Does it on host memory at `at` (unaligned and line-crossing too): registers and flags in
 * *regs are updated as the instruction would, RIP excepted. All its bytes must be writable;
 * 16 bytes must be aligned (lockop_misaligned) at `at` too. */
void lockop_execute(const struct lockop *op, void *at, struct lockop_registers *regs);

#endif
