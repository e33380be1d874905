/* SPDX-License-Identifier: GPL-2.0-only */
/* Opcodes behind 0F. What is missing is #UD: ud2, ud1 and ud0 (0B, B9, FF), rsm (AA) outside of SMM, getsec (37). */
#include "engine/x86/rows.h"

#define HINT ROWS({ RM, "En", KIND(NOP) }) /* or a nop that is reserved for one */

/* Of vectors alone: of 32 bits without prefix, of 64 bits with 66. */
#define PACKED(operands, flags) ROWS({ NP | P66 | RM, operands, SSE | (flags) })
/* That, and with F3 and F2 of one number: operands but for the last one. */
#define FLOATS(packed, scalar, rest)                                                                 \
	ROWS({ NP | P66 | RM, packed " Wx" rest, SSE | MX }, { PF3 | RM, scalar " Wd" rest, SSE | MX }, \
	     { PF2 | RM, scalar " Wq" rest, SSE | MX })
/* rsqrt and rcp. */
#define ESTIMATE ROWS({ NP | RM, "Vx= Wx", SSE }, { PF3 | RM, "Vx+ Wd", SSE })
#define MMX_OR_SSE ROWS({ NP | RM, "Pq+ Qq", MMX }, { P66 | RM, "Vx+ Wx", SSE })
#define SSE2(operands) ROWS({ P66 | RM, operands, SSE })
#define UNPACK_LOW ROWS({ NP | RM, "Pq+ Qd", MMX }, { P66 | RM, "Vx+ Wx", SSE })
#define SHIFT(digit) { NP | REG | DIGIT(digit), "Nq+ Ib", MMX }, { P66 | REG | DIGIT(digit), "Ux+ Ib", SSE }
#define SVM(byte) { BYTE(byte), "", NEEDS(SVM) }
#define VMX(byte) { NP | BYTE(byte), "", NEEDS(VMX) }

static const struct x86_row group_01[] = {
	{ MEM | DIGIT(0), "Mt=", 0 }, /* sgdt, sidt, lgdt, lidt */
	{ MEM | DIGIT(1), "Mt=", 0 },
	{ MEM | DIGIT(2), "Mt", 0 },
	{ MEM | DIGIT(3), "Mt", 0 },
	{ MEM | DIGIT(4), "Mw=", 0 }, /* smsw, lmsw */
	{ REG | DIGIT(4), "Rv=", 0 },
	{ DIGIT(6), "Ew", 0 },
	{ MEM | DIGIT(7), "Mn", KIND(INVLPG) },
	{ PF3 | MEM | DIGIT(5), "Mq+", NEEDS(CET) }, /* rstorssp */
	{ BYTE(0xc1), "", KIND(HYPERCALL) },
	VMX(0xc2), VMX(0xc3), VMX(0xc4), VMX(0xd4), /* vmlaunch, vmresume, vmxoff, vmfunc */
	{ NP | BYTE(0xc8), "aq cd dd", NEEDS(MONITOR) },
	{ NP | BYTE(0xc9), "ad cd", NEEDS(MONITOR) },
	{ NP | BYTE(0xca), "", NEEDS(SMAP) },
	{ NP | BYTE(0xcb), "", NEEDS(SMAP) },
	{ NP | BYTE(0xd0), "ad= dd= cd", NEEDS(XSAVE) | KIND(XSAVE_OP) },
	{ NP | BYTE(0xd1), "ad dd cd", NEEDS(XSAVE) | KIND(XSAVE_OP) },
	{ NP | BYTE(0xd5), "", NEEDS(RTM) },      /* xend, xtest */
	{ NP | BYTE(0xd6), "", NEEDS(RTM) | FW },
	SVM(0xd8), /* vmrun */
	{ BYTE(0xd9), "", KIND(HYPERCALL) },
	SVM(0xda), SVM(0xdb), SVM(0xdc), SVM(0xdd), SVM(0xde), SVM(0xdf), /* vmload to invlpga */
	{ PF3 | BYTE(0xe8), "", NEEDS(CET) }, /* setssbsy, saveprevssp */
	{ PF3 | BYTE(0xea), "", NEEDS(CET) },
	{ NP | BYTE(0xee), "ad= dd= cd", NEEDS(PKU) },
	{ NP | BYTE(0xef), "ad dd cd", NEEDS(PKU) },
	{ AMD | BYTE(0xee), "ad= dd= cd", NEEDS(PKU) },
	{ AMD | BYTE(0xef), "ad dd cd", NEEDS(PKU) },
	{ BYTE(0xf8), "", 0 }, /* swapgs */
	{ BYTE(0xf9), "ad= cd= dd=", NEEDS(RDTSCP) },
	{ 0 }
};

static const struct x86_row group_ae[] = {
	{ NP | MEM | DIGIT(0), "Mm=", KIND(XSAVE_OP) | ALIGN16 }, /* fxsave, fxrstor */
	{ NP | MEM | DIGIT(1), "Mm", KIND(XSAVE_OP) | ALIGN16 },
	{ NP | MEM | DIGIT(2), "Md", KIND(MXCSR) | SSE },
	{ NP | MEM | DIGIT(3), "Md=", KIND(MXCSR) | SSE },
	{ NP | MEM | DIGIT(4), "Mr= ad dd", NEEDS(XSAVE) | KIND(XSAVE_OP) | ALIGN64 },
	{ NP | MEM | DIGIT(5), "Mr ad dd", NEEDS(XSAVE) | KIND(XSAVE_OP) | ALIGN64 },
	{ NP | MEM | DIGIT(6), "Mr= ad dd", NEEDS(XSAVEOPT) | KIND(XSAVE_OP) | ALIGN64 },
	{ NP | MEM | DIGIT(7), "Mn", KIND(CACHE_LINE) },          /* clflush */
	{ P66 | MEM | DIGIT(6), "Mn", NEEDS(CLWB) | KIND(CACHE_LINE) },
	{ P66 | MEM | DIGIT(7), "Mn", NEEDS(CLFLUSHOPT) | KIND(CACHE_LINE) },
	{ PF3 | MEM | DIGIT(6), "Mq+", NEEDS(CET) | FW },         /* clrssbsy */
	{ PF3 | REG | DIGIT(0), "Rg=", NEEDS(FSGSBASE) },
	{ PF3 | REG | DIGIT(1), "Rg=", NEEDS(FSGSBASE) },
	{ PF3 | REG | DIGIT(2), "Rg", NEEDS(FSGSBASE) },
	{ PF3 | REG | DIGIT(3), "Rg", NEEDS(FSGSBASE) },
	{ PF3 | REG | DIGIT(5), "Rg", NEEDS(CET) },               /* incssp */
	{ NP | REG | DIGIT(5), "", 0 },                           /* fences, whatever the rm field */
	{ NP | REG | DIGIT(6), "", KIND(MFENCE) },
	{ NP | REG | DIGIT(7), "", 0 },
	{ 0 }
};

static const struct x86_row group_c7[] = {
	{ MEM | DIGIT(1) | W0, "Mq+ aq+ dq+ bq cq", FW | LOCKABLE }, /* cmpxchg8b, cmpxchg16b */
	{ MEM | DIGIT(1) | W1, "Mo+ aq+ dq+ bq cq", FW | LOCKABLE | ALIGN16 | NEEDS(CX16) },
	{ NP | MEM | DIGIT(3), "Mr ad dd", NEEDS(XSAVES) | KIND(XSAVE_OP) | ALIGN64 },
	{ NP | MEM | DIGIT(4), "Mr= ad dd", NEEDS(XSAVEC) | KIND(XSAVE_OP) | ALIGN64 },
	{ NP | MEM | DIGIT(5), "Mr= ad dd", NEEDS(XSAVES) | KIND(XSAVE_OP) | ALIGN64 },
	{ MEM | DIGIT(6) | NP, "Mq", NEEDS(VMX) | FW },  /* vmptrld, vmclear, vmxon, vmptrst */
	{ MEM | DIGIT(6) | P66, "Mq", NEEDS(VMX) | FW },
	{ MEM | DIGIT(6) | PF3, "Mq", NEEDS(VMX) | FW },
	{ MEM | DIGIT(7) | NP, "Mq=", NEEDS(VMX) | FW },
	{ NP | P66 | REG | DIGIT(6), "Rv=", NEEDS(RDRAND) | FW },
	{ NP | P66 | REG | DIGIT(7), "Rv=", NEEDS(RDSEED) | FW },
	{ PF3 | REG | DIGIT(7), "Rq=", NEEDS(RDPID) },
	{ 0 }
};

x86_map x86_0f = {
	[0x00] = ROWS({ MEM | DIGIT(0), "Mw=", 0 }, { REG | DIGIT(0), "Rv=", 0 }, { MEM | DIGIT(1), "Mw=", 0 },
		      { REG | DIGIT(1), "Rv=", 0 }, { DIGIT(2), "Ew", 0 }, { DIGIT(3), "Ew", 0 }, { DIGIT(4), "Ew", FW },
		      { DIGIT(5), "Ew", FW }),
	[0x01] = group_01,
	[0x02 ... 0x03] = ROWS({ RM, "Gv+ Ew", FW }), /* lar, lsl */
	[0x05] = ROWS({ 0, "", KIND(SYSCALL) | FR }),
	[0x06] = ROWS({ 0, "", 0 }), /* clts */
	[0x07] = ROWS({ 0, "", KIND(SYSRET) | FW }),
	[0x08 ... 0x09] = ROWS({ 0, "", 0 }), /* invd, wbinvd */
	[0x0d] = ROWS({ MEM, "Mn", KIND(NOP) }, { REG | INTEL, "", KIND(NOP) }), /* prefetch */
	[0x0e] = ROWS({ 0, "", MMX | NEEDS(3DNOW) }),
	[0x0f] = ROWS({ RM, "Ib", NEVER }), /* 3DNow!, looked up elsewhere */

	[0x10] = ROWS({ NP | P66 | RM, "Vx= Wu", SSE }, { PF3 | MEM, "Vx= Wd", SSE }, { PF3 | REG, "Vx+ Wd", SSE },
		      { PF2 | MEM, "Vx= Wq", SSE }, { PF2 | REG, "Vx+ Wq", SSE }),
	[0x11] = ROWS({ NP | P66 | RM, "Wu= Vx", SSE }, { PF3 | MEM, "Wd= Vx", SSE }, { PF3 | REG, "Wd+ Vx", SSE },
		      { PF2 | MEM, "Wq= Vx", SSE }, { PF2 | REG, "Wq+ Vx", SSE }),
	[0x12] = ROWS({ NP | RM, "Vx+ Wq", SSE }, { P66 | MEM, "Vx+ Wq", SSE }, { PF3 | RM, "Vx= Wx", SSE | NEEDS(SSE3) },
		      { PF2 | RM, "Vx= Wq", SSE | NEEDS(SSE3) }),
	[0x13] = ROWS({ NP | P66 | MEM, "Wq= Vx", SSE }),
	[0x14 ... 0x15] = PACKED("Vx+ Wx", 0),
	[0x16] = ROWS({ NP | RM, "Vx+ Wq", SSE }, { P66 | MEM, "Vx+ Wq", SSE }, { PF3 | RM, "Vx= Wx", SSE | NEEDS(SSE3) }),
	[0x17] = ROWS({ NP | P66 | MEM, "Wq= Vx", SSE }),
	[0x18 ... 0x1d] = HINT,
	[0x1e] = ROWS({ PF3 | REG | DIGIT(1), "Rg+", NEEDS(CET) }, { RM, "En", KIND(NOP) }), /* rdssp */
	[0x1f] = HINT,

	[0x20] = ROWS({ NO_MOD, "Rq= Cq", LOCK_CR8 }),
	[0x21] = ROWS({ NO_MOD, "Rq= Dq", 0 }),
	[0x22] = ROWS({ NO_MOD, "Cq= Rq", KIND(MOV_CR) | LOCK_CR8 }),
	[0x23] = ROWS({ NO_MOD, "Dq= Rq", 0 }),
	[0x28] = PACKED("Vx= Wx", 0),
	[0x29] = PACKED("Wx= Vx", 0),
	[0x2a] = ROWS({ NP | RM, "Vx+ Qq", MMX | MX }, { P66 | RM, "Vx= Qq", MMX }, { PF3 | PF2 | RM, "Vx+ Eg", SSE | MX }),
	[0x2b] = ROWS({ NP | P66 | MEM, "Wx= Vx", SSE }, { PF3 | MEM, "Wd= Vx", SSE | NEEDS(SSE4A) },
		      { PF2 | MEM, "Wq= Vx", SSE | NEEDS(SSE4A) }),
	[0x2c ... 0x2d] = ROWS({ NP | RM, "Pq= Wq", MMX | MX }, { P66 | RM, "Pq= Wx", MMX | MX }, { PF3 | RM, "Gg= Wd", SSE | MX },
			       { PF2 | RM, "Gg= Wq", SSE | MX }),
	[0x2e ... 0x2f] = ROWS({ NP | RM, "Vx Wd", SSE | MX | FW }, { P66 | RM, "Vx Wq", SSE | MX | FW }),

	[0x30] = ROWS({ 0, "ad dd cd", KIND(WRMSR) }),
	[0x31] = ROWS({ 0, "ad= dd=", 0 }), /* rdtsc */
	[0x32 ... 0x33] = ROWS({ 0, "ad= dd= cd", 0 }), /* rdmsr, rdpmc */
	[0x34] = ROWS({ 0, "", KIND(SYSENTER_OP) | NEEDS(SYSENTER) }),
	[0x35] = ROWS({ 0, "", KIND(SYSEXIT) | NEEDS(SYSENTER) }),
	[0x40 ... 0x4f] = ROWS({ RM, "Gv+ Ev", FR }), /* cmov */

	[0x50] = ROWS({ NP | P66 | REG, "Gd= Ux", SSE }),
	[0x51] = FLOATS("Vx=", "Vx+", ""),
	[0x52 ... 0x53] = ESTIMATE,
	[0x54 ... 0x57] = PACKED("Vx+ Wx", 0),
	[0x58 ... 0x59] = FLOATS("Vx+", "Vx+", ""),
	[0x5a] = ROWS({ NP | RM, "Vx= Wq", SSE | MX }, { P66 | RM, "Vx= Wx", SSE | MX }, { PF3 | RM, "Vx+ Wd", SSE | MX },
		      { PF2 | RM, "Vx+ Wq", SSE | MX }),
	[0x5b] = ROWS({ NP | P66 | PF3 | RM, "Vx= Wx", SSE | MX }),
	[0x5c ... 0x5f] = FLOATS("Vx+", "Vx+", ""),

	[0x60 ... 0x62] = UNPACK_LOW,
	[0x63 ... 0x6b] = MMX_OR_SSE,
	[0x6c ... 0x6d] = SSE2("Vx+ Wx"),
	[0x6e] = ROWS({ NP | RM, "Pq= Eg", MMX }, { P66 | RM, "Vx= Eg", SSE }),
	[0x6f] = ROWS({ NP | RM, "Pq= Qq", MMX }, { P66 | RM, "Vx= Wx", SSE }, { PF3 | RM, "Vx= Wu", SSE }),
	[0x70] = ROWS({ NP | RM, "Pq= Qq Ib", MMX }, { P66 | PF3 | PF2 | RM, "Vx= Wx Ib", SSE }),
	[0x71 ... 0x72] = ROWS(SHIFT(2), SHIFT(4), SHIFT(6)),
	[0x73] = ROWS(SHIFT(2), SHIFT(6), { P66 | REG | DIGIT(3), "Ux+ Ib", SSE }, { P66 | REG | DIGIT(7), "Ux+ Ib", SSE }),
	[0x74 ... 0x76] = MMX_OR_SSE,
	[0x77] = ROWS({ NP, "", MMX }), /* emms */
	[0x78] = ROWS({ P66 | REG | DIGIT(0), "Ux+ Ib Ib", SSE | NEEDS(SSE4A) }, { PF2 | REG, "Vx+ Ux Ib Ib", SSE | NEEDS(SSE4A) },
		      { NP | RM, "Eq= Gq", NEEDS(VMX) | FW }),
	[0x79] = ROWS({ NP | RM, "Gq Eq", NEEDS(VMX) | FW }, { P66 | PF2 | REG, "Vx+ Ux", SSE | NEEDS(SSE4A) }),
	[0x7c ... 0x7d] = ROWS({ P66 | PF2 | RM, "Vx+ Wx", SSE | MX | NEEDS(SSE3) }),
	[0x7e] = ROWS({ NP | RM, "Eg= Pq", MMX }, { P66 | RM, "Eg= Vx", SSE }, { PF3 | RM, "Vx= Wq", SSE }),
	[0x7f] = ROWS({ NP | RM, "Qq= Pq", MMX }, { P66 | RM, "Wx= Vx", SSE }, { PF3 | RM, "Wu= Vx", SSE }),

	[0x80 ... 0x8f] = ROWS({ 0, "Jz", KIND(JCC) | FR | NEAR }),
	[0x90 ... 0x9f] = ROWS({ RM, "Eb=", FR }),
	[0xa0] = ROWS({ 0, "sq+", STACK64 | PUSHES }), /* push and pop of FS and GS */
	[0xa1] = ROWS({ 0, "sq+", STACK64 }),
	[0xa2] = ROWS({ 0, "ad+ cd+ dd= bd=", KIND(CPUID) }),
	[0xa3] = ROWS({ RM, "Ev Gv", FW }),
	[0xa4] = ROWS({ RM, "Ev+ Gv Ib", FW }),
	[0xa5] = ROWS({ RM, "Ev+ Gv cb", FW }),
	[0xa8] = ROWS({ 0, "sq+", STACK64 | PUSHES }),
	[0xa9] = ROWS({ 0, "sq+", STACK64 }),
	[0xab] = ROWS({ RM, "Ev+ Gv", FW | LOCKABLE }),
	[0xac] = ROWS({ RM, "Ev+ Gv Ib", FW }),
	[0xad] = ROWS({ RM, "Ev+ Gv cb", FW }),
	[0xae] = group_ae,
	[0xaf] = ROWS({ RM, "Gv+ Ev", FW }),
	[0xb0] = ROWS({ RM, "Eb+ Gb ab+", FW | LOCKABLE }), /* cmpxchg */
	[0xb1] = ROWS({ RM, "Ev+ Gv av+", FW | LOCKABLE }),
	[0xb2] = ROWS({ MEM, "Gv= Mp", 0 }),
	[0xb3] = ROWS({ RM, "Ev+ Gv", FW | LOCKABLE }),
	[0xb4 ... 0xb5] = ROWS({ MEM, "Gv= Mp", 0 }),
	[0xb6] = ROWS({ RM, "Gv= Eb", 0 }),
	[0xb7] = ROWS({ RM, "Gv= Ew", 0 }),
	[0xb8] = ROWS({ PF3 | RM, "Gv= Ev", NEEDS(POPCNT) | FW }),
	[0xba] = ROWS({ DIGIT(4), "Ev Ib", FW }, { DIGIT(5), "Ev+ Ib", FW | LOCKABLE }, { DIGIT(6), "Ev+ Ib", FW | LOCKABLE },
		      { DIGIT(7), "Ev+ Ib", FW | LOCKABLE }),
	[0xbb] = ROWS({ RM, "Ev+ Gv", FW | LOCKABLE }),
	/* bsf and bsr leave their destination alone if the source is 0. */
	[0xbc] = ROWS({ PF3 | RM, "Gv= Ev", NEEDS(BMI1) | FW }, { RM, "Gv+ Ev", FW }),
	[0xbd] = ROWS({ PF3 | RM, "Gv= Ev", NEEDS(LZCNT) | FW }, { RM, "Gv+ Ev", FW }),
	[0xbe] = ROWS({ RM, "Gv= Eb", 0 }),
	[0xbf] = ROWS({ RM, "Gv= Ew", 0 }),

	[0xc0] = ROWS({ RM, "Eb+ Gb+", FW | LOCKABLE }),
	[0xc1] = ROWS({ RM, "Ev+ Gv+", FW | LOCKABLE }),
	[0xc2] = FLOATS("Vx+", "Vx+", " Ib"),
	[0xc3] = ROWS({ NP | MEM, "Mg= Gg", 0 }), /* movnti */
	[0xc4] = ROWS({ NP | MEM, "Pq+ Mw Ib", MMX }, { NP | REG, "Pq+ Rd Ib", MMX }, { P66 | MEM, "Vx+ Mw Ib", SSE },
		      { P66 | REG, "Vx+ Rd Ib", SSE }),
	[0xc5] = ROWS({ NP | REG, "Gd= Nq Ib", MMX }, { P66 | REG, "Gd= Ux Ib", SSE }),
	[0xc6] = PACKED("Vx+ Wx Ib", 0),
	[0xc7] = group_c7,
	[0xc8 ... 0xcf] = ROWS({ 0, "Zv+", 0 }), /* bswap */

	[0xd0] = ROWS({ P66 | PF2 | RM, "Vx+ Wx", SSE | MX | NEEDS(SSE3) }),
	[0xd1 ... 0xd5] = MMX_OR_SSE,
	[0xd6] = ROWS({ P66 | RM, "Wq= Vx", SSE }, { PF3 | REG, "Vx= Nq", MMX }, { PF2 | REG, "Pq= Ux", MMX }),
	[0xd7] = ROWS({ NP | REG, "Gd= Nq", MMX }, { P66 | REG, "Gd= Ux", SSE }),
	[0xd8 ... 0xe5] = MMX_OR_SSE,
	[0xe6] = ROWS({ P66 | PF2 | RM, "Vx= Wx", SSE | MX }, { PF3 | RM, "Vx= Wq", SSE }),
	[0xe7] = ROWS({ NP | MEM, "Qq= Pq", MMX }, { P66 | MEM, "Wx= Vx", SSE }),
	[0xe8 ... 0xef] = MMX_OR_SSE,
	[0xf0] = ROWS({ PF2 | MEM, "Vx= Wu", SSE | NEEDS(SSE3) }),
	[0xf1 ... 0xf6] = MMX_OR_SSE,
	[0xf7] = ROWS({ NP | REG, "Kq= Pq Nq", MMX | KIND(MASKED) }, { P66 | REG, "Ko= Vx Ux", SSE | KIND(MASKED) }),
	[0xf8 ... 0xfe] = MMX_OR_SSE,
};
