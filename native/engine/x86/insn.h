/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One instruction of 64-bit mode, decoded from its bytes: its length, whether a processor with these features has it, and
 * what executing it needs to know. Intel SDM vol. 2 (chapter 2, appendices A and B), AMD APM vol. 3 where they differ.
 */
#ifndef PV_INSN_H
#define PV_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { X86_MAX_LENGTH = 15 };

/* What CPUID offers beyond the x86-64 of 2003 (SSE2 included), which is always there. */
enum x86_feature {
	X86_SSE3, X86_PCLMULQDQ, X86_SSSE3, X86_FMA, X86_CX16, X86_SSE41, X86_SSE42, X86_MOVBE, X86_POPCNT, X86_AES, X86_XSAVE,
	X86_AVX, X86_F16C, X86_RDRAND, X86_LAHF, X86_LZCNT, X86_SSE4A, X86_PREFETCHW, X86_XOP, X86_FMA4, X86_TBM, X86_3DNOW,
	X86_FSGSBASE, X86_BMI1, X86_AVX2, X86_BMI2, X86_INVPCID, X86_RTM, X86_RDSEED, X86_ADX, X86_SMAP, X86_CLFLUSHOPT,
	X86_CLWB, X86_SHA, X86_VAES, X86_VPCLMULQDQ, X86_GFNI, X86_RDPID, X86_RDTSCP, X86_XSAVEOPT, X86_XSAVEC, X86_XGETBV1,
	X86_MONITOR, X86_SVM, X86_VMX, X86_PKU, X86_CET, X86_SYSENTER, X86_CR8_LEGACY, X86_XSAVES, X86_FEATURES
};

struct x86_cpu {
	uint64_t features; /* bits of enum x86_feature */
	bool intel;        /* as the vendor that CPUID names: near branches ignore 66 */
};

enum x86_verdict {
	X86_OK,
	X86_UD,    /* no instruction that this processor has: #UD; length is that of the bytes that it fetches before it says so */
	X86_GP,    /* longer than 15 bytes: #GP(0) */
	X86_SHORT, /* it goes on behind the bytes that are there */
};

enum { X86_NONE = 0xff, X86_RIP = 16, X86_FS = 4, X86_GS = 5 }; /* of base, index, segment */

/* What executes it. */
enum x86_unit { X86_INTEGER, X86_X87, X86_MMX, X86_SSE, X86_VEX /* vectors by VEX; BMI is INTEGER */ };

enum x86_encoding { X86_LEGACY, X86_VEX2, X86_VEX3, X86_XOP_ENCODING };

/* What it is, as far as anyone asks. */
enum x86_kind {
	X86_OTHER,
	/* branches, as "branch instructions retired" counts them */
	X86_JCC, X86_JMP, X86_JMP_INDIRECT, X86_CALL, X86_CALL_INDIRECT, X86_RET,
	X86_FAR,      /* far jmp, call, ret */
	X86_IRET, X86_INT /* int n, int3, int1, into */, X86_SYSCALL, X86_SYSRET, X86_SYSENTER_OP, X86_SYSEXIT,
	/* others that end a block, or need a hand */
	X86_HLT, X86_PAUSE, X86_MOV_CR /* write */, X86_INVLPG, X86_WRMSR, X86_IN, X86_OUT, X86_INS, X86_OUTS, X86_MFENCE,
	X86_CPUID, X86_HYPERCALL /* vmcall, vmmcall */, X86_STRING /* movs, stos, lods, cmps, scas */, X86_NOP,
	X86_XSAVE_OP /* xsave*, xrstor*, fxsave, fxrstor, xgetbv, xsetbv */, X86_MXCSR /* ldmxcsr, stmxcsr and their VEX forms */,
	X86_CACHE_LINE /* clflush, clflushopt, clwb */, X86_ENTER,
	X86_VZERO /* vzeroupper, vzeroall */, X86_GATHER, X86_MASKED /* (v)maskmov*, vpmaskmov* */,
};

enum { X86_READ = 1, X86_WRITE = 2 };

struct x86_insn {
	uint8_t length;
	uint8_t verdict;     /* enum x86_verdict; unless X86_OK, length alone is filled */
	uint8_t kind;        /* enum x86_kind */
	uint8_t unit;        /* enum x86_unit */
	uint8_t encoding;    /* enum x86_encoding */
	uint8_t map;         /* 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A; of XOP 8, 9, 10 */
	uint8_t opcode;
	uint8_t pp;          /* mandatory prefix or VEX.pp: 0, 1: 66, 2: F3, 3: F2 */
	bool lock, operand16 /* 66 */, address32 /* 67 */;
	uint8_t rep;         /* the last of F2 and F3; 0: none */
	bool rex;            /* a REX prefix that counts */
	bool w, r, x, b;     /* of REX, or of VEX, not inverted */
	uint8_t vvvv;        /* not inverted; 0 where there is none */
	bool vex_l;          /* 256 bits */
	uint8_t segment;     /* X86_FS, X86_GS, X86_NONE */
	bool void_segment;   /* an override of another segment, which does nothing, stands in front, too */
	bool has_modrm;
	uint8_t modrm;
	uint8_t opcode_at, modrm_at, displacement_at, immediate_at; /* offsets; 0: there is none */
	uint8_t displacement_bytes, immediate_bytes; /* of two immediates, both */
	uint8_t is4;         /* the upper half of the last immediate: a vector's number, in some instructions */
	/* The memory operand of ModRM, of A0 to A3 (no base, 64 bits of displacement), and of maskmovq and maskmovdqu (RDI): */
	bool memory;
	uint8_t base;        /* 0..15, X86_RIP, X86_NONE */
	uint8_t index;       /* 0..15 (a vector for X86_GATHER), X86_NONE */
	uint8_t scale;
	int64_t displacement;
	uint16_t memory_bytes; /* that it accesses, if nothing is masked; 0: none (lea, nop, prefetch), or how many depends on more
				* than its bytes (XSAVE_OP, GATHER); of bt and its like by a register those at offset 0 */
	uint8_t memory_access; /* X86_READ, X86_WRITE, or 0 */
	uint8_t alignment;     /* #GP unless the operand is aligned to this; 0: any */
	bool writes_memory;    /* in whatever way: push, call and strings, too */
	/* Right for what may be executed natively: x87, MMX, SSE, VEX, BMI, and what x86_decode() says so of. */
	uint16_t gpr_read, gpr_written; /* registers that are operands, not those of the address; bit n. What may not be written, or
					 * not whole (8 or 16 bits), is read as well. */
	uint16_t vector_read, vector_written; /* the same; SSE writes the lower 128 bits */
	uint8_t mmx_read, mmx_written;
	bool reads_flags, writes_flags; /* arithmetic flags; what is written may be some of them, or none */
	bool mxcsr;                     /* rounds, or sets flags in MXCSR */
};

/* Decodes from up to `size` bytes. ret->verdict says whether it is one. */
void x86_decode(const struct x86_cpu *cpu, const uint8_t *bytes, size_t size, struct x86_insn *ret);
/* Of the instruction at `rip`, where its memory operand begins in its segment; `more`: what is added to that by a vector's index,
 * or by the offset of a bit. */
uint64_t x86_address(const struct x86_insn *insn, const uint64_t gpr[16], uint64_t rip, uint64_t more);

#endif
