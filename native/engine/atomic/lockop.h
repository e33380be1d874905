/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest LOCK-prefixed instructions, and xchg with memory, done with the host's own
 * locked instructions, so that they are atomic between vCPU processes and between
 * a vCPU and the host. For one CPU Unicorn translates them to a plain load, operation and store.
 */
#ifndef PV_LOCKOP_H
#define PV_LOCKOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LOCKOP_RIP = 16,       /* as base: the address of the next instruction */
	LOCKOP_HIGH_BYTE = 16, /* as register operand: + 0..3 are AH CH DH BH */
	LOCKOP_FS = 4,         /* as segment: hardware's numbers */
	LOCKOP_GS = 5,
	LOCKOP_NONE = 0xff,
};

/* One decoded locked instruction; address and length are its own. */
struct lockop {
	uint64_t address;
	uint8_t length;
	uint8_t op;       /* enum operation in lockop.c */
	uint8_t width;    /* of the memory operand, bytes: 1, 2, 4, 8, 16 */
	uint8_t source;   /* how the source operand is given, enum source in lockop.c */
	uint8_t base;     /* 0..15, LOCKOP_RIP, LOCKOP_NONE */
	uint8_t index;    /* 0..15, LOCKOP_NONE */
	uint8_t scale;    /* 1, 2, 4, 8 */
	uint8_t segment;  /* LOCKOP_FS, LOCKOP_GS, LOCKOP_NONE */
	bool null_segment; /* it has the override of another one, too, which is void */
	uint8_t address_bits; /* 32 or 64 */
	uint8_t reg;      /* register operand: 0..15, LOCKOP_HIGH_BYTE.., LOCKOP_NONE */
	uint16_t reads;   /* bit n: gpr[n] must hold the guest's before address and execute */
	uint16_t writes;  /* bit n: execute may change gpr[n], and no other */
	bool flags;       /* rflags must hold the guest's, and execute may change them */
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

/*
 * Decodes, from `size` bytes of code at guest address `address`, an instruction that lockop must do: a valid LOCK form, or xchg
 * with memory. What follows the instruction is not looked at. False for any other; an invalid LOCK is the processor's to raise
 * #UD for.
 */
bool lockop_decode_bytes(const uint8_t *bytes, size_t size, uint64_t address, struct lockop *ret);
/* Does Unicorn's own code for guests with several CPUs do it, atomically and with all that the processor changes?
 * Its XCHG is mended (exchange.h), or not. */
bool lockop_in_block(const struct lockop *op, bool exchanges);
/* Virtual address (linear, segment base added) of the lowest byte of the memory
 * operand. A bit offset in a register (bt*) is included. */
uint64_t lockop_address(const struct lockop *op, const struct lockop_registers *regs);
/* Would the processor raise #GP(0) for the operand's alignment? Then it must not be executed. */
bool lockop_misaligned(const struct lockop *op, uint64_t address);
/* Does it on host memory at `at` (unaligned and line-crossing too): registers and flags in
 * *regs are updated as the instruction would, RIP excepted. All `width` bytes must be writable;
 * 16 bytes must be aligned (lockop_misaligned) at `at` too. */
void lockop_execute(const struct lockop *op, void *at, struct lockop_registers *regs);

#endif
