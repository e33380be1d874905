/* SPDX-License-Identifier: GPL-2.0-only */
/* Opcodes behind VEX, of map 0F: AVX and AVX2. */
#include "engine/x86/rows.h"

#define PACKED(operands, flags) ROWS({ NP | P66 | RM, operands, VEX | (flags) })
#define FLOATS(packed, scalar, rest)                                                                 \
	ROWS({ NP | P66 | RM, packed " Wx" rest, VEX | MX }, { PF3 | RM, scalar " Wd" rest, VEX | MX }, \
	     { PF2 | RM, scalar " Wq" rest, VEX | MX })
#define ESTIMATE ROWS({ NP | RM, "Vx= Wx", VEX }, { PF3 | RM, "Vx= Hx Wd", VEX })
#define INTEGERS ROWS({ P66 | RM, "Vx= Hx Wx", VEX | AVX2_256 })
#define INTEGERS_COUNT ROWS({ P66 | RM, "Vx= Hx Wo", VEX | AVX2_256 }) /* 128 bits that say how far to shift */
#define SHIFT(digit) { P66 | REG | DIGIT(digit), "Hx= Ux Ib", VEX | AVX2_256 }

x86_map x86_vex_0f = {
	[0x10] = ROWS({ NP | P66 | RM, "Vx= Wx", VEX }, { PF3 | MEM, "Vx= Wd", VEX }, { PF2 | MEM, "Vx= Wq", VEX },
		      { PF3 | PF2 | REG, "Vx= Hx Ux", VEX }),
	[0x11] = ROWS({ NP | P66 | RM, "Wx= Vx", VEX }, { PF3 | MEM, "Wd= Vx", VEX }, { PF2 | MEM, "Wq= Vx", VEX },
		      { PF3 | PF2 | REG, "Ux= Hx Vx", VEX }),
	[0x12] = ROWS({ NP | RM | L0, "Vx= Hx Wq", VEX }, { P66 | MEM | L0, "Vx= Hx Wq", VEX }, { PF3 | RM, "Vx= Wx", VEX },
		      { PF2 | RM | L0, "Vx= Wq", VEX }, { PF2 | RM | L1, "Vx= Wx", VEX }),
	[0x13] = ROWS({ NP | P66 | MEM | L0, "Wq= Vx", VEX }),
	[0x14 ... 0x15] = PACKED("Vx= Hx Wx", 0),
	[0x16] = ROWS({ NP | RM | L0, "Vx= Hx Wq", VEX }, { P66 | MEM | L0, "Vx= Hx Wq", VEX }, { PF3 | RM, "Vx= Wx", VEX }),
	[0x17] = ROWS({ NP | P66 | MEM | L0, "Wq= Vx", VEX }),
	[0x28] = PACKED("Vx= Wx", ALIGNED),
	[0x29] = PACKED("Wx= Vx", ALIGNED),
	[0x2a] = ROWS({ PF3 | PF2 | RM, "Vx= Hx Eg", VEX | MX }),
	[0x2b] = ROWS({ NP | P66 | MEM, "Wx= Vx", VEX | ALIGNED }),
	[0x2c ... 0x2d] = ROWS({ PF3 | RM, "Gg= Wd", VEX | MX }, { PF2 | RM, "Gg= Wq", VEX | MX }),
	[0x2e ... 0x2f] = ROWS({ NP | RM, "Vx Wd", VEX | MX | FW }, { P66 | RM, "Vx Wq", VEX | MX | FW }),

	[0x50] = ROWS({ NP | P66 | REG, "Gd= Ux", VEX }),
	[0x51] = FLOATS("Vx=", "Vx= Hx", ""),
	[0x52 ... 0x53] = ESTIMATE,
	[0x54 ... 0x57] = PACKED("Vx= Hx Wx", 0),
	[0x58 ... 0x59] = FLOATS("Vx= Hx", "Vx= Hx", ""),
	[0x5a] = ROWS({ NP | RM, "Vx= Wh", VEX | MX }, { P66 | RM, "Vx= Wx", VEX | MX }, { PF3 | RM, "Vx= Hx Wd", VEX | MX },
		      { PF2 | RM, "Vx= Hx Wq", VEX | MX }),
	[0x5b] = ROWS({ NP | P66 | PF3 | RM, "Vx= Wx", VEX | MX }),
	[0x5c ... 0x5f] = FLOATS("Vx= Hx", "Vx= Hx", ""),

	[0x60 ... 0x6d] = INTEGERS,
	[0x6e] = ROWS({ P66 | RM | L0, "Vx= Eg", VEX }),
	[0x6f] = ROWS({ P66 | RM, "Vx= Wx", VEX | ALIGNED }, { PF3 | RM, "Vx= Wx", VEX }),
	[0x70] = ROWS({ P66 | PF3 | PF2 | RM, "Vx= Wx Ib", VEX | AVX2_256 }),
	[0x71 ... 0x72] = ROWS(SHIFT(2), SHIFT(4), SHIFT(6)),
	[0x73] = ROWS(SHIFT(2), SHIFT(3), SHIFT(6), SHIFT(7)),
	[0x74 ... 0x76] = INTEGERS,
	[0x77] = ROWS({ NP, "", VEX | KIND(VZERO) | ALL_VECTORS }),
	[0x7c ... 0x7d] = ROWS({ P66 | PF2 | RM, "Vx= Hx Wx", VEX | MX }),
	[0x7e] = ROWS({ P66 | RM | L0, "Eg= Vx", VEX }, { PF3 | RM | L0, "Vx= Wq", VEX }),
	[0x7f] = ROWS({ P66 | RM, "Wx= Vx", VEX | ALIGNED }, { PF3 | RM, "Wx= Vx", VEX }),

	[0xae] = ROWS({ NP | MEM | DIGIT(2) | L0, "Md", VEX | KIND(MXCSR) },
		      { NP | MEM | DIGIT(3) | L0, "Md=", VEX | KIND(MXCSR) }),
	[0xc2] = FLOATS("Vx= Hx", "Vx= Hx", " Ib"),
	[0xc4] = ROWS({ P66 | MEM | L0, "Vx= Hx Mw Ib", VEX }, { P66 | REG | L0, "Vx= Hx Rd Ib", VEX }),
	[0xc5] = ROWS({ P66 | REG | L0, "Gd= Ux Ib", VEX }),
	[0xc6] = PACKED("Vx= Hx Wx Ib", 0),

	[0xd0] = ROWS({ P66 | PF2 | RM, "Vx= Hx Wx", VEX | MX }),
	[0xd1 ... 0xd3] = INTEGERS_COUNT,
	[0xd4 ... 0xd5] = INTEGERS,
	[0xd6] = ROWS({ P66 | RM | L0, "Wq= Vx", VEX }),
	[0xd7] = ROWS({ P66 | REG, "Gd= Ux", VEX | AVX2_256 }),
	[0xd8 ... 0xe0] = INTEGERS,
	[0xe1 ... 0xe2] = INTEGERS_COUNT,
	[0xe3 ... 0xe5] = INTEGERS,
	[0xe6] = ROWS({ P66 | PF2 | RM, "Vx= Wx", VEX | MX }, { PF3 | RM, "Vx= Wh", VEX }),
	[0xe7] = ROWS({ P66 | MEM, "Wx= Vx", VEX | ALIGNED }),
	[0xe8 ... 0xef] = INTEGERS,
	[0xf0] = ROWS({ PF2 | MEM, "Vx= Wx", VEX }),
	[0xf1 ... 0xf3] = INTEGERS_COUNT,
	[0xf4 ... 0xf6] = INTEGERS,
	[0xf7] = ROWS({ P66 | REG | L0, "Ko= Vx Ux", VEX | KIND(MASKED) }),
	[0xf8 ... 0xfe] = INTEGERS,
};
