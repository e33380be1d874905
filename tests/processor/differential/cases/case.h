/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One case of the differential tester: an instruction with the state that it finds. Case n of a seed is the same wherever it is
 * made: natively (native.c) and in a guest (guest.c), which are compiled from the same sources.
 */
#ifndef DIFFERENTIAL_CASE_H
#define DIFFERENTIAL_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PAGE = 4096,

	/* What an instruction may touch, at the same addresses in both: absent, two pages to write, one to read, absent. */
	DATA = 0x10000000,
	DATA_WRITABLE = 2,
	DATA_PAGES = 3,
	DATA_BYTES = DATA_PAGES * PAGE,
	DATA_END = DATA + DATA_BYTES,
	/* Where it lies: two pages to execute and read, filled with int3, and absent ones around. */
	CODE = 0x20000000,
	CODE_PAGES = 2,
	CODE_BYTES = CODE_PAGES * PAGE,
	CODE_END = CODE + CODE_BYTES,
	LOW_BYTES = 64 << 20, /* the guest's own RAM lies there for CPL 0; natively there is nothing */

	FS_BASE = 0x1238,
	GS_BASE = 0x30000010,

	REGISTERS = 16,
	VECTOR_REGISTERS = 16,
	XSTATE_BYTES = 832, /* FXSAVE's 512 bytes, the header, upper halves of the vectors */
	XSTATE_XMM = 160,
	XSTATE_HEADER = 512,
	XSTATE_YMM = 576,
	CODE_MOST = 20,     /* bytes of an instruction: more than a processor takes */
	OPERAND_BYTES = 64, /* put where the memory operand lies */
	INT3 = 0xcc,
};

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

enum {
	FLAG_CF = 1 << 0, FLAG_PF = 1 << 2, FLAG_AF = 1 << 4, FLAG_ZF = 1 << 6, FLAG_SF = 1 << 7, FLAG_TF = 1 << 8,
	FLAG_IF = 1 << 9, FLAG_DF = 1 << 10, FLAG_OF = 1 << 11, FLAG_RF = 1 << 16, FLAG_AC = 1 << 18, FLAG_ID = 1 << 21,
	FLAGS_ARITHMETIC = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};

/* Registers, in the processor's order. */
struct state {
	uint64_t gpr[REGISTERS];
	uint64_t rip, rflags, fs_base, gs_base;
	uint8_t xstate[XSTATE_BYTES] __attribute__((aligned(64))); /* as XSAVE lays it out */
};

enum map { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A, MAP_X87, MAP_VEX1, MAP_VEX2, MAP_VEX3, MAP_XOP, MAP_EVEX, MAPS };

enum { PP_NONE, PP_66, PP_F3, PP_F2 };

/* What was made up, and what it is for whoever has to know what it does. */
struct form {
	uint8_t map, opcode, modrm;
	bool has_modrm, memory;
	uint8_t prefix[CODE_MOST];
	uint8_t prefixes;
	bool p66, p67, lock; /* present */
	uint8_t rep;         /* the last of F2 and F3, 0: none */
	uint8_t segment;     /* the last of 64 and 65, 0: none */
	uint8_t rex;         /* that counts, 0: none */
	bool w, l;
	uint8_t r, x, b;     /* 0 or 8 */
	uint8_t pp;          /* VEX.pp, or what the mandatory prefix is */
	uint8_t vvvv;
	uint8_t sib;
	int64_t displacement;
	uint8_t displacement_bytes;
	uint8_t immediate[8], immediates;
};

struct test_case {
	uint64_t number, simplify;
	struct form form;
	uint8_t code[CODE_MOST];
	unsigned length;
	uint64_t address;  /* of its first byte */
	uint64_t target;   /* of its memory operand, 0: none */
	uint8_t operand[OPERAND_BYTES];
	bool has_header; /* of an XSAVE area that is loaded: */
	uint8_t header[OPERAND_BYTES];
	struct state state;
};

/* What is left behind, as far as it is defined. */
struct result {
	struct state state; /* RIP: of the exception, relative to the instruction */
	uint32_t vector;
	uint64_t error, cr2;
};

/*
 * A bit of `simplify` makes a case simpler after it was made: GPR n is 0, vector n is 0, then these, then prefix n is left out.
 */
enum {
	SIMPLE_VECTOR = 16,
	SIMPLE_FLAGS = 32,
	SIMPLE_MXCSR,
	SIMPLE_X87,
	SIMPLE_OPERAND,
	SIMPLE_ADDRESS, /* the operand is aligned and far from any border */
	SIMPLE_CODE,    /* so is the code */
	SIMPLE_IMMEDIATE,
	SIMPLE_PREFIX = 40,
};

/* What cases are made of: 0 for all. */
struct filter {
	uint64_t seed;
	uint32_t maps;   /* bit per enum map */
	int opcode;      /* -1: any */
	uint64_t features; /* enum feature that the guest's CPUID offers */
};

/* make.c */
void case_make(const struct filter *filter, uint64_t number, uint64_t simplify, struct test_case *ret);

#endif
