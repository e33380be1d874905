/* SPDX-License-Identifier: GPL-2.0-only */
/* Opcodes of one byte. What is missing is #UD in 64-bit mode, or no opcode: a prefix, 0F, x87. */
#include "engine/x86/rows.h"

#define ARITHMETIC(first, flags)                                                                     \
	[(first) + 0] = ROWS({ RM, "Eb+ Gb", (flags) | LOCKABLE }),                                  \
	[(first) + 1] = ROWS({ RM, "Ev+ Gv", (flags) | LOCKABLE }),                                  \
	[(first) + 2] = ROWS({ RM, "Gb+ Eb", flags }),                                               \
	[(first) + 3] = ROWS({ RM, "Gv+ Ev", flags }),                                               \
	[(first) + 4] = ROWS({ 0, "ab+ Ib", flags }),                                                \
	[(first) + 5] = ROWS({ 0, "av+ Iz", flags })

/* adc and sbb have digits 2 and 3, cmp 7. */
#define ARITHMETIC_IMMEDIATE(operand, immediate)                                                     \
	ROWS({ DIGIT(7), operand " " immediate, FW },                                                \
	     { DIGIT(2), operand "+ " immediate, FR | FW | LOCKABLE },                               \
	     { DIGIT(3), operand "+ " immediate, FR | FW | LOCKABLE },                               \
	     { RM, operand "+ " immediate, FW | LOCKABLE })

/* rcl and rcr have digits 2 and 3; 6 is an alias of 4. */
#define SHIFT(operand, count)                                                                        \
	ROWS({ DIGIT(2), operand "+" count, FR | FW },                                               \
	     { DIGIT(3), operand "+" count, FR | FW },                                               \
	     { RM, operand "+" count, FW })

#define STRING(operands, flags) ROWS({ 0, operands, KIND(STRING) | (flags) })

x86_map x86_one_byte = {
	ARITHMETIC(0x00, FW),
	ARITHMETIC(0x08, FW),
	ARITHMETIC(0x10, FR | FW),
	ARITHMETIC(0x18, FR | FW),
	ARITHMETIC(0x20, FW),
	ARITHMETIC(0x28, FW),
	ARITHMETIC(0x30, FW),
	[0x38] = ROWS({ RM, "Eb Gb", FW }),
	[0x39] = ROWS({ RM, "Ev Gv", FW }),
	[0x3a] = ROWS({ RM, "Gb Eb", FW }),
	[0x3b] = ROWS({ RM, "Gv Ev", FW }),
	[0x3c] = ROWS({ 0, "ab Ib", FW }),
	[0x3d] = ROWS({ 0, "av Iz", FW }),

	[0x50 ... 0x57] = ROWS({ 0, "Zv sq+", STACK64 | PUSHES }),
	[0x58 ... 0x5f] = ROWS({ 0, "Zv= sq+", STACK64 }),
	[0x62] = ROWS({ RM, "", NEVER }), /* EVEX, which no processor has that this knows: fetched like the bound of old */
	[0x63] = ROWS({ RM | INTEL, "Gv= Ez", 0 }, { RM, "Gv= Ed", 0 }), /* movsxd */
	[0x68] = ROWS({ 0, "Iz sq+", STACK64 | PUSHES }),
	[0x69] = ROWS({ RM, "Gv= Ev Iz", FW }),
	[0x6a] = ROWS({ 0, "Ib sq+", STACK64 | PUSHES }),
	[0x6b] = ROWS({ RM, "Gv= Ev Ib", FW }),
	[0x6c] = ROWS({ 0, "Yb= dw", KIND(INS) }),
	[0x6d] = ROWS({ 0, "Yz= dw", KIND(INS) }),
	[0x6e] = ROWS({ 0, "dw Xb", KIND(OUTS) }),
	[0x6f] = ROWS({ 0, "dw Xz", KIND(OUTS) }),
	[0x70 ... 0x7f] = ROWS({ 0, "Jb", KIND(JCC) | FR | NEAR }),

	[0x80] = ARITHMETIC_IMMEDIATE("Eb", "Ib"),
	[0x81] = ARITHMETIC_IMMEDIATE("Ev", "Iz"),
	[0x82] = ROWS({ RM, "Ib", NEVER }),
	[0x83] = ARITHMETIC_IMMEDIATE("Ev", "Ib"),
	[0x84] = ROWS({ RM, "Eb Gb", FW }),
	[0x85] = ROWS({ RM, "Ev Gv", FW }),
	[0x86] = ROWS({ RM, "Eb+ Gb+", LOCKABLE }),
	[0x87] = ROWS({ RM, "Ev+ Gv+", LOCKABLE }),
	[0x88] = ROWS({ RM, "Eb= Gb", 0 }),
	[0x89] = ROWS({ RM, "Ev= Gv", 0 }),
	[0x8a] = ROWS({ RM, "Gb= Eb", 0 }),
	[0x8b] = ROWS({ RM, "Gv= Ev", 0 }),
	[0x8c] = ROWS({ MEM, "Mw= Sw", 0 }, { REG, "Rv= Sw", 0 }),
	[0x8d] = ROWS({ MEM, "Gv= Mn", 0 }),
	[0x8e] = ROWS({ RM, "Sw= Ew", 0 }),
	[0x8f] = ROWS({ DIGIT(0), "Ev= sq+", STACK64 }),

	[0x90] = ROWS({ PF3 | INTEL, "", KIND(PAUSE) }, { PF3 | B0, "", KIND(PAUSE) }, { B0, "", KIND(NOP) }, { 0, "av+ Zv+", 0 }),
	[0x91 ... 0x97] = ROWS({ 0, "av+ Zv+", 0 }),
	[0x98] = ROWS({ 0, "av+", 0 }),
	[0x99] = ROWS({ 0, "dv= av", 0 }),
	[0x9a] = ROWS({ 0, "Iz Iw", NEVER }),
	[0x9b] = ROWS({ 0, "", X87 }),
	[0x9c] = ROWS({ 0, "sq+", STACK64 | PUSHES | FR }),
	[0x9d] = ROWS({ 0, "sq+", STACK64 | FW }),
	[0x9e] = ROWS({ 0, "ab", NEEDS(LAHF) | FW }),
	[0x9f] = ROWS({ 0, "ab=", NEEDS(LAHF) | FR }),

	[0xa0] = ROWS({ 0, "ab= Ob", 0 }),
	[0xa1] = ROWS({ 0, "av= Ov", 0 }),
	[0xa2] = ROWS({ 0, "Ob= ab", 0 }),
	[0xa3] = ROWS({ 0, "Ov= av", 0 }),
	[0xa4] = STRING("Yb= Xb", 0),
	[0xa5] = STRING("Yv= Xv", 0),
	[0xa6] = STRING("Xb Yb", FW),
	[0xa7] = STRING("Xv Yv", FW),
	[0xa8] = ROWS({ 0, "ab Ib", FW }),
	[0xa9] = ROWS({ 0, "av Iz", FW }),
	[0xaa] = STRING("Yb= ab", 0),
	[0xab] = STRING("Yv= av", 0),
	[0xac] = STRING("ab= Xb", 0),
	[0xad] = STRING("av= Xv", 0),
	[0xae] = STRING("ab Yb", FW),
	[0xaf] = STRING("av Yv", FW),

	[0xb0 ... 0xb7] = ROWS({ 0, "Zb= Ib", 0 }),
	[0xb8 ... 0xbf] = ROWS({ 0, "Zv= Iv", 0 }),

	[0xc0] = SHIFT("Eb", " Ib"),
	[0xc1] = SHIFT("Ev", " Ib"),
	[0xc2] = ROWS({ 0, "Iw sq+", KIND(RET) | NEAR }),
	[0xc3] = ROWS({ 0, "sq+", KIND(RET) | NEAR }),
	[0xc4 ... 0xc5] = ROWS({ RM, "", NEVER }),
	[0xc6] = ROWS({ DIGIT(0), "Eb= Ib", 0 }, { BYTE(0xf8), "Ib", NEEDS(RTM) }),
	[0xc7] = ROWS({ DIGIT(0), "Ev= Iz", 0 }, { BYTE(0xf8), "Jz", NEEDS(RTM) | KIND(JCC) }),
	[0xc8] = ROWS({ 0, "Iw Ib sq+ pq+", STACK64 | PUSHES | KIND(ENTER) }),
	[0xc9] = ROWS({ 0, "sq= pq+", STACK64 }),
	[0xca] = ROWS({ 0, "Iw sq+", KIND(FAR) }),
	[0xcb] = ROWS({ 0, "sq+", KIND(FAR) }),
	[0xcc] = ROWS({ 0, "", KIND(INT) }),
	[0xcd] = ROWS({ 0, "Ib", KIND(INT) }),
	[0xcf] = ROWS({ 0, "sq+", KIND(IRET) | FW }),

	[0xd0] = SHIFT("Eb", ""),
	[0xd1] = SHIFT("Ev", ""),
	[0xd2] = SHIFT("Eb", " cb"),
	[0xd3] = SHIFT("Ev", " cb"),
	[0xd4 ... 0xd5] = ROWS({ 0, "Ib", NEVER }),
	[0xd7] = ROWS({ 0, "ab+ bq", 0 }),

	[0xe0 ... 0xe1] = ROWS({ 0, "Jb cq+", KIND(JCC) | FR | NEAR }),
	[0xe2] = ROWS({ 0, "Jb cq+", KIND(JCC) | NEAR }),
	[0xe3] = ROWS({ 0, "Jb cq", KIND(JCC) | NEAR }),
	[0xe4] = ROWS({ 0, "ab= Ib", KIND(IN) }),
	[0xe5] = ROWS({ 0, "az= Ib", KIND(IN) }),
	[0xe6] = ROWS({ 0, "Ib ab", KIND(OUT) }),
	[0xe7] = ROWS({ 0, "Ib az", KIND(OUT) }),
	[0xe8] = ROWS({ 0, "Jz sq+", KIND(CALL) | NEAR | PUSHES }),
	[0xe9] = ROWS({ 0, "Jz", KIND(JMP) | NEAR }),
	[0xea] = ROWS({ 0, "Iz Iw", NEVER }),
	[0xeb] = ROWS({ 0, "Jb", KIND(JMP) | NEAR }),
	[0xec] = ROWS({ 0, "ab= dw", KIND(IN) }),
	[0xed] = ROWS({ 0, "az= dw", KIND(IN) }),
	[0xee] = ROWS({ 0, "dw ab", KIND(OUT) }),
	[0xef] = ROWS({ 0, "dw az", KIND(OUT) }),

	[0xf1] = ROWS({ 0, "", KIND(INT) }),
	[0xf4] = ROWS({ 0, "", KIND(HLT) }),
	[0xf5] = ROWS({ 0, "", FR | FW }),
	[0xf6] = ROWS({ DIGIT(0), "Eb Ib", FW }, { DIGIT(1), "Eb Ib", FW }, { DIGIT(2), "Eb+", LOCKABLE },
		      { DIGIT(3), "Eb+", FW | LOCKABLE }, { RM, "Eb aw+", FW }),
	[0xf7] = ROWS({ DIGIT(0), "Ev Iz", FW }, { DIGIT(1), "Ev Iz", FW }, { DIGIT(2), "Ev+", LOCKABLE },
		      { DIGIT(3), "Ev+", FW | LOCKABLE }, { DIGIT(4), "Ev av+ dv=", FW }, { DIGIT(5), "Ev av+ dv=", FW },
		      { RM, "Ev av+ dv+", FW }),
	[0xf8 ... 0xf9] = ROWS({ 0, "", FW }), /* clc, stc */
	[0xfa ... 0xfd] = ROWS({ 0, "", 0 }),  /* cli, sti, cld, std */
	[0xfe] = ROWS({ DIGIT(0), "Eb+", FW | LOCKABLE }, { DIGIT(1), "Eb+", FW | LOCKABLE }),
	[0xff] = ROWS({ DIGIT(0), "Ev+", FW | LOCKABLE }, { DIGIT(1), "Ev+", FW | LOCKABLE },
		      { DIGIT(2), "Ev sq+", KIND(CALL_INDIRECT) | NEAR | PUSHES },
		      { MEM | DIGIT(3), "Mp sq+", KIND(FAR) | PUSHES },
		      { DIGIT(4), "Ev", KIND(JMP_INDIRECT) | NEAR }, { MEM | DIGIT(5), "Mp", KIND(FAR) },
		      { DIGIT(6), "Ev sq+", STACK64 | PUSHES }),
};
