/* SPDX-License-Identifier: GPL-2.0-only */
/* Opcodes behind VEX, of maps 0F 38 and 0F 3A: AVX, AVX2, FMA, F16C, BMI and what came with them; FMA4. */
#include "engine/x86/rows.h"

#define AVX2 VEX | NEEDS(AVX2)

#define ROW(when, operands, what) ROWS({ P66 | RM | (when), operands, what })
#define INTEGERS ROW(0, "Vx= Hx Wx", VEX | AVX2_256)
#define EXTEND(operands) ROW(0, operands, VEX | AVX2_256)
#define FMA_PACKED ROW(0, "Vx+ Hx Wx", VEX | NEEDS(FMA) | MX)
#define FMA_SCALAR                                                                                   \
	ROWS({ P66 | RM | W0, "Vx+ Hx Wd", VEX | NEEDS(FMA) | MX },                                  \
	     { P66 | RM | W1, "Vx+ Hx Wq", VEX | NEEDS(FMA) | MX })
#define VECTOR_AES(operands) ROWS({ P66 | RM | L0, operands, VEX | NEEDS(AES) }, { P66 | RM | L1, operands, VEX | NEEDS(VAES) })
#define MASKED(operands, feature) ROWS({ P66 | MEM | W0, operands, feature | KIND(MASKED) })
#define MASKED_INTEGERS(operands) ROWS({ P66 | MEM, operands, AVX2 | KIND(MASKED) })
#define GATHER ROWS({ P66 | MEM, "Vx+ Hx+ Mr", AVX2 | KIND(GATHER) | VSIB })

x86_map x86_vex_0f38 = {
	[0x00 ... 0x0b] = INTEGERS,
	[0x0c ... 0x0d] = ROW(W0, "Vx= Hx Wx", VEX), /* vpermilps, vpermilpd */
	[0x0e ... 0x0f] = ROW(W0, "Vx Wx", VEX | FW), /* vtestps, vtestpd */
	[0x13] = ROW(W0, "Vx= Wh", VEX | NEEDS(F16C) | MX),
	[0x16] = ROW(W0 | L1, "Vx= Hx Wx", AVX2), /* vpermps */
	[0x17] = ROW(0, "Vx Wx", VEX | FW), /* vptest */
	[0x18] = ROWS({ P66 | MEM | W0, "Vx= Wd", VEX }, { P66 | REG | W0, "Vx= Wd", AVX2 }), /* vbroadcastss, sd, f128 */
	[0x19] = ROWS({ P66 | MEM | W0 | L1, "Vx= Wq", VEX }, { P66 | REG | W0 | L1, "Vx= Wq", AVX2 }),
	[0x1a] = ROW(MEM | W0 | L1, "Vx= Wo", VEX),
	[0x1c ... 0x1e] = EXTEND("Vx= Wx"), /* vpabs */
	[0x20] = EXTEND("Vx= Wh"), /* vpmovsx */
	[0x21] = EXTEND("Vx= Wf"),
	[0x22] = EXTEND("Vx= We"),
	[0x23] = EXTEND("Vx= Wh"),
	[0x24] = EXTEND("Vx= Wf"),
	[0x25] = EXTEND("Vx= Wh"),
	[0x28 ... 0x29] = INTEGERS,
	[0x2a] = ROW(MEM, "Vx= Wx", VEX | AVX2_256 | ALIGNED), /* vmovntdqa */
	[0x2b] = INTEGERS,
	[0x2c ... 0x2d] = MASKED("Vx= Hx Mx", VEX),
	[0x2e ... 0x2f] = MASKED("Mx= Hx Vx", VEX),
	[0x30] = EXTEND("Vx= Wh"), /* vpmovzx */
	[0x31] = EXTEND("Vx= Wf"),
	[0x32] = EXTEND("Vx= We"),
	[0x33] = EXTEND("Vx= Wh"),
	[0x34] = EXTEND("Vx= Wf"),
	[0x35] = EXTEND("Vx= Wh"),
	[0x36] = ROW(W0 | L1, "Vx= Hx Wx", AVX2), /* vpermd */
	[0x37 ... 0x40] = INTEGERS,
	[0x41] = ROW(L0, "Vx= Wx", VEX),
	[0x45] = ROW(0, "Vx= Hx Wx", AVX2),
	[0x46] = ROW(W0, "Vx= Hx Wx", AVX2),
	[0x47] = ROW(0, "Vx= Hx Wx", AVX2),
	[0x58] = ROW(W0, "Vx= Wd", AVX2), /* vpbroadcast */
	[0x59] = ROW(W0, "Vx= Wq", AVX2),
	[0x5a] = ROW(MEM | W0 | L1, "Vx= Wo", AVX2),
	[0x78] = ROW(W0, "Vx= Wb", AVX2),
	[0x79] = ROW(W0, "Vx= Ww", AVX2),
	[0x8c] = MASKED_INTEGERS("Vx= Hx Mx"),
	[0x8e] = MASKED_INTEGERS("Mx= Hx Vx"),
	[0x90 ... 0x93] = GATHER,
	[0x96 ... 0x98] = FMA_PACKED,
	[0x99] = FMA_SCALAR,
	[0x9a] = FMA_PACKED,
	[0x9b] = FMA_SCALAR,
	[0x9c] = FMA_PACKED,
	[0x9d] = FMA_SCALAR,
	[0x9e] = FMA_PACKED,
	[0x9f] = FMA_SCALAR,
	[0xa6 ... 0xa8] = FMA_PACKED,
	[0xa9] = FMA_SCALAR,
	[0xaa] = FMA_PACKED,
	[0xab] = FMA_SCALAR,
	[0xac] = FMA_PACKED,
	[0xad] = FMA_SCALAR,
	[0xae] = FMA_PACKED,
	[0xaf] = FMA_SCALAR,
	[0xb6 ... 0xb8] = FMA_PACKED,
	[0xb9] = FMA_SCALAR,
	[0xba] = FMA_PACKED,
	[0xbb] = FMA_SCALAR,
	[0xbc] = FMA_PACKED,
	[0xbd] = FMA_SCALAR,
	[0xbe] = FMA_PACKED,
	[0xbf] = FMA_SCALAR,
	[0xcf] = ROW(W0, "Vx= Hx Wx", VEX | NEEDS(GFNI)),
	[0xdb] = ROW(L0, "Vx= Wx", VEX | NEEDS(AES)),
	[0xdc ... 0xdf] = VECTOR_AES("Vx= Hx Wx"),

	[0xf2] = ROWS({ NP | RM | L0, "Gg= Bg Eg", NEEDS(BMI1) | FW }), /* andn */
	[0xf3] = ROWS({ NP | DIGIT(1) | L0, "Bg= Eg", NEEDS(BMI1) | FW }, /* blsr, blsmsk, blsi */
		      { NP | DIGIT(2) | L0, "Bg= Eg", NEEDS(BMI1) | FW }, { NP | DIGIT(3) | L0, "Bg= Eg", NEEDS(BMI1) | FW }),
	[0xf5] = ROWS({ NP | RM | L0, "Gg= Eg Bg", NEEDS(BMI2) | FW }, /* bzhi; pext, pdep */
		      { PF3 | PF2 | RM | L0, "Gg= Bg Eg", NEEDS(BMI2) }),
	[0xf6] = ROWS({ PF2 | RM | L0, "Gg= Bg= Eg dg", NEEDS(BMI2) }), /* mulx */
	[0xf7] = ROWS({ NP | RM | L0, "Gg= Eg Bg", NEEDS(BMI1) | FW }, /* bextr; shlx, sarx, shrx */
		      { P66 | PF3 | PF2 | RM | L0, "Gg= Eg Bg", NEEDS(BMI2) }),
};

#define FMA4(size)                                                                                   \
	ROWS({ P66 | RM | W0, "Vx= Hx W" size " Lx", VEX | NEEDS(FMA4) | MX },                       \
	     { P66 | RM | W1, "Vx= Hx Lx W" size, VEX | NEEDS(FMA4) | MX })
/* Two packed, a single and a double one, by number. */
#define FMA4_SCALARS(first) [(first) + 2] = FMA4("d"), [(first) + 3] = FMA4("q")
#define FMA4_ALL(first) [(first) + 0] = FMA4("x"), [(first) + 1] = FMA4("x"), FMA4_SCALARS(first)
#define EXTRACT(when, operands) { P66 | (when) | L0, operands, VEX }

x86_map x86_vex_0f3a = {
	[0x00 ... 0x01] = ROW(W1 | L1, "Vx= Wx Ib", AVX2), /* vpermq, vpermpd */
	[0x02] = ROW(W0, "Vx= Hx Wx Ib", AVX2), /* vpblendd */
	[0x04 ... 0x05] = ROW(W0, "Vx= Wx Ib", VEX), /* vpermilps, vpermilpd */
	[0x06] = ROW(W0 | L1, "Vx= Hx Wx Ib", VEX), /* vperm2f128 */
	[0x08 ... 0x09] = ROW(0, "Vx= Wx Ib", VEX | MX), /* vround */
	[0x0a] = ROW(0, "Vx= Hx Wd Ib", VEX | MX),
	[0x0b] = ROW(0, "Vx= Hx Wq Ib", VEX | MX),
	[0x0c ... 0x0d] = ROW(0, "Vx= Hx Wx Ib", VEX),
	[0x0e ... 0x0f] = ROW(0, "Vx= Hx Wx Ib", VEX | AVX2_256),
	[0x14] = ROWS(EXTRACT(MEM, "Mb= Vx Ib"), EXTRACT(REG, "Rd= Vx Ib")),
	[0x15] = ROWS(EXTRACT(MEM, "Mw= Vx Ib"), EXTRACT(REG, "Rd= Vx Ib")),
	[0x16] = ROWS(EXTRACT(RM, "Eg= Vx Ib")),
	[0x17] = ROWS(EXTRACT(RM, "Ed= Vx Ib")),
	[0x18] = ROW(W0 | L1, "Vx= Hx Wo Ib", VEX), /* vinsertf128, vextractf128 */
	[0x19] = ROW(W0 | L1, "Wo= Vx Ib", VEX),
	[0x1d] = ROW(W0, "Wh= Vx Ib", VEX | NEEDS(F16C) | MX),
	[0x20] = ROWS(EXTRACT(MEM, "Vx= Hx Mb Ib"), EXTRACT(REG, "Vx= Hx Rd Ib")),
	[0x21] = ROWS(EXTRACT(RM, "Vx= Hx Wd Ib")),
	[0x22] = ROWS(EXTRACT(RM, "Vx= Hx Eg Ib")),
	[0x38] = ROW(W0 | L1, "Vx= Hx Wo Ib", AVX2), /* vinserti128, vextracti128 */
	[0x39] = ROW(W0 | L1, "Wo= Vx Ib", AVX2),
	[0x40] = ROW(0, "Vx= Hx Wx Ib", VEX | MX), /* vdpps, vdppd */
	[0x41] = ROW(L0, "Vx= Hx Wx Ib", VEX | MX),
	[0x42] = ROW(0, "Vx= Hx Wx Ib", VEX | AVX2_256),
	[0x44] = ROWS({ P66 | RM | L0, "Vx= Hx Wx Ib", VEX | NEEDS(PCLMULQDQ) },
		      { P66 | RM | L1, "Vx= Hx Wx Ib", VEX | NEEDS(VPCLMULQDQ) }),
	[0x46] = ROW(W0 | L1, "Vx= Hx Wx Ib", AVX2), /* vperm2i128 */
	[0x48 ... 0x49] = ROWS({ P66 | RM | W0, "Vx= Hx Wx Lx", VEX | NEEDS(XOP) }, /* vpermil2ps, vpermil2pd */
			       { P66 | RM | W1, "Vx= Hx Lx Wx", VEX | NEEDS(XOP) }),
	[0x4a ... 0x4b] = ROW(W0, "Vx= Hx Wx Lx", VEX), /* vblendvps, vblendvpd, vpblendvb */
	[0x4c] = ROW(W0, "Vx= Hx Wx Lx", VEX | AVX2_256),
	[0x5c ... 0x5f] = FMA4("x"), /* vfmaddsub, vfmsubadd */
	[0x60] = ROW(L0, "Vx Wx Ib ag dg vx=", VEX | FW), /* vpcmpestrm, vpcmpestri, vpcmpistrm, vpcmpistri */
	[0x61] = ROW(L0, "Vx Wx Ib ag dg cd=", VEX | FW),
	[0x62] = ROW(L0, "Vx Wx Ib vx=", VEX | FW),
	[0x63] = ROW(L0, "Vx Wx Ib cd=", VEX | FW),
	FMA4_ALL(0x68),
	FMA4_ALL(0x6c),
	FMA4_ALL(0x78),
	FMA4_ALL(0x7c),
	[0xce ... 0xcf] = ROW(W1, "Vx= Hx Wx Ib", VEX | NEEDS(GFNI)),
	[0xdf] = ROW(L0, "Vx= Wx Ib", VEX | NEEDS(AES)),
	[0xf0] = ROWS({ PF2 | RM | L0, "Gg= Eg Ib", NEEDS(BMI2) }), /* rorx */
};
