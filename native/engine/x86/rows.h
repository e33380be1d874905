/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The opcode maps, as tables: for each opcode, rows, of which the first is taken that an instruction fulfils and whose
 * feature the processor has; #UD if there is none, once what the first one says has been fetched. Operands are spelt like
 * those of the Intel SDM, vol. 2, appendix A.
 */
#ifndef PV_ROWS_H
#define PV_ROWS_H

#include <stdint.h>

#include "engine/x86/insn.h"

struct x86_row {
	uint32_t when;        /* what it is chosen by, below */
	/*
	 * Operands: a letter for where, a letter for how much, and `=` if it is written, `+` if it is read and written.
	 * Where: of ModRM E a general register or memory, G the other general register, M memory, R a general register,
	 *        W a vector or memory, V the other vector, U a vector, Q an MMX register or memory, P the other, N an MMX register,
	 *        S a segment, C a control register, D a debug register; B a general register and H a vector by VEX.vvvv,
	 *        L a vector by an immediate's upper half; Z a general register by the opcode;
	 *        I an immediate, J one to be added to RIP, O memory by an immediate; X what RSI points to, which moves, Y what RDI
	 *        points to, K the same, which stays; a, c, d, b, s, p RAX, RCX, RDX, RBX, RSP, RBP; v XMM0.
	 * How much: b, w, d, q, t, o 1, 2, 4, 8, 10, 16 bytes; v what the operand size says, z that, but at most 4, g 8 with W and
	 *        else 4, p a far pointer; x a vector (in memory aligned, if there is no VEX), u a vector that need not be
	 *        aligned, h, f, e half, a quarter and an eighth of one; k, l the x87's environment and state, m FXSAVE's 512;
	 *        r more than one number says, n none.
	 */
	const char *operands;
	uint64_t what;        /* what else is to be known of it, below */
};

typedef const struct x86_row *const x86_map[256];

#define ROWS(...) (const struct x86_row[]) { __VA_ARGS__, { 0 } }

/* Of `when`: prefixes (none of these: any); ModRM; what VEX says. */
#define NP  0x1u
#define P66 0x2u
#define PF3 0x4u
#define PF2 0x8u
#define RM  0x10u                          /* has a ModRM byte */
#define MEM (RM | 0x20u)
#define REG (RM | 0x40u)
#define DIGIT(n) (RM | 0x80u | (n) << 8)   /* ModRM's reg field */
#define LOW(n) (REG | 0x800u | (n) << 12)  /* ModRM's rm field */
#define BYTE(n) (DIGIT((n) >> 3 & 7u) | LOW((n) & 7u))
#define W0  0x10000u
#define W1  0x20000u
#define L0  0x40000u
#define L1  0x80000u
#define B0  0x100000u                      /* no REX.B */
#define INTEL 0x400000u                    /* by vendor */
#define AMD 0x800000u
#define NO_MOD (RM | 0x200000u)            /* a register whatever ModRM's mod field says */

/* Of `what`. */
#define KIND(name) ((uint64_t)X86_##name)
#define UNIT(name) ((uint64_t)X86_##name << 8)
#define NEEDS(feature) (((uint64_t)X86_##feature + 1) << 16)
#define LOCKABLE (1ull << 24)              /* if its operand is memory */
#define FR       (1ull << 25)              /* reads arithmetic flags */
#define FW       (1ull << 26)              /* writes some */
#define MX       (1ull << 27)              /* rounds, or sets flags in MXCSR */
#define STACK64  (1ull << 28)              /* operand size is 64 bits, or 16 */
#define NEAR     (1ull << 29)              /* of a near branch: 64 bits; AMD's may be 16 */
#define PUSHES   (1ull << 30)              /* writes to the stack */
#define AVX2_256 (1ull << 31)              /* with 256 bits it is AVX2 */
#define ALIGNED  (1ull << 32)              /* VEX, and yet in memory aligned */
#define ALIGN16  (1ull << 33)
#define ALIGN64  (1ull << 34)
#define VSIB     (1ull << 35)              /* the index is a vector */
#define ALL_VECTORS (1ull << 36)           /* writes all */
#define LOCK_CR8 (1ull << 37)              /* LOCK says CR8, where there is that */
#define NEVER    (1ull << 38)              /* #UD, though all of it is fetched */

#define X87 UNIT(X87)
#define MMX UNIT(MMX)
#define SSE UNIT(SSE)
#define VEX UNIT(VEX) /* needs AVX, beside whatever it NEEDS */

extern x86_map x86_one_byte, x86_0f, x86_0f38, x86_0f3a, x86_vex_0f, x86_vex_0f38, x86_vex_0f3a;
extern x86_map x86_xop_8, x86_xop_9, x86_xop_a;
extern x86_map x86_3dnow;                           /* by the byte behind the operands */
extern const struct x86_row *const x86_escape[8];   /* D8 to DF: the x87 */

struct x86_operand {
	char where, size;
	bool read, written;
};

/* Takes the next one off a row's operands, which tells whether there is one. */
bool x86_next_operand(const char **operands, struct x86_operand *ret);
/* Of `what` a row says and the prefixes: 2, 4 or 8. */
unsigned x86_operand_size(const struct x86_cpu *cpu, const struct x86_insn *insn, uint64_t what);
/* Fills in what the operands read and write, once all else is decoded. */
void x86_fill_operands(const struct x86_cpu *cpu, const struct x86_row *row, struct x86_insn *insn);

#endif
