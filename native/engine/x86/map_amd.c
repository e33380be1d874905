/* SPDX-License-Identifier: GPL-2.0-only */
/* What only some processors of AMD had: XOP with TBM, and 3DNow!. */
#include "engine/x86/rows.h"

#define XOP_ROW(when, operands) { NP | RM | (when), operands, VEX | NEEDS(XOP) }
#define XOP(when, operands) ROWS(XOP_ROW(when, operands))
#define TBM(digit) { NP | DIGIT(digit) | L0, "Bg= Eg", NEEDS(TBM) | FW }
#define SHIFT ROWS(XOP_ROW(W0 | L0, "Vx= Wx Hx"), XOP_ROW(W1 | L0, "Vx= Hx Wx"))

x86_map x86_xop_8 = {
	[0x85 ... 0x87] = XOP(W0 | L0, "Vx= Hx Wx Lx"), /* vpmacs */
	[0x8e ... 0x8f] = XOP(W0 | L0, "Vx= Hx Wx Lx"),
	[0x95 ... 0x97] = XOP(W0 | L0, "Vx= Hx Wx Lx"),
	[0x9e ... 0x9f] = XOP(W0 | L0, "Vx= Hx Wx Lx"),
	[0xa2] = ROWS(XOP_ROW(W0, "Vx= Hx Wx Lx"), XOP_ROW(W1, "Vx= Hx Lx Wx")),           /* vpcmov */
	[0xa3] = ROWS(XOP_ROW(W0 | L0, "Vx= Hx Wx Lx"), XOP_ROW(W1 | L0, "Vx= Hx Lx Wx")), /* vpperm */
	[0xa6] = XOP(W0 | L0, "Vx= Hx Wx Lx"), /* vpmadcs */
	[0xb6] = XOP(W0 | L0, "Vx= Hx Wx Lx"),
	[0xc0 ... 0xc3] = XOP(W0 | L0, "Vx= Wx Ib"), /* vprot */
	[0xcc ... 0xcf] = XOP(W0 | L0, "Vx= Hx Wx Ib"), /* vpcom */
	[0xec ... 0xef] = XOP(W0 | L0, "Vx= Hx Wx Ib"),
};

x86_map x86_xop_9 = {
	[0x01] = ROWS(TBM(1), TBM(2), TBM(3), TBM(4), TBM(5), TBM(6), TBM(7)),
	[0x02] = ROWS(TBM(1), TBM(6)),
	[0x80 ... 0x81] = ROWS({ NP | RM | W0, "Vx= Wx", VEX | NEEDS(XOP) | MX }), /* vfrcz */
	[0x82] = ROWS({ NP | RM | W0 | L0, "Vx= Wd", VEX | NEEDS(XOP) | MX }),
	[0x83] = ROWS({ NP | RM | W0 | L0, "Vx= Wq", VEX | NEEDS(XOP) | MX }),
	[0x90 ... 0x9b] = SHIFT,
	[0xc1 ... 0xc3] = XOP(W0 | L0, "Vx= Wx"), /* vphadd, vphsub */
	[0xc6 ... 0xc7] = XOP(W0 | L0, "Vx= Wx"),
	[0xcb] = XOP(W0 | L0, "Vx= Wx"),
	[0xd1 ... 0xd3] = XOP(W0 | L0, "Vx= Wx"),
	[0xd6 ... 0xd7] = XOP(W0 | L0, "Vx= Wx"),
	[0xdb] = XOP(W0 | L0, "Vx= Wx"),
	[0xe1 ... 0xe3] = XOP(W0 | L0, "Vx= Wx"),
};

x86_map x86_xop_a = {
	[0x10] = ROWS({ NP | RM | L0, "Gg= Eg Id", NEEDS(TBM) | FW }), /* bextr */
};

#define NOW ROWS({ RM, "Pq+ Qq", MMX | NEEDS(3DNOW) })

x86_map x86_3dnow = {
	[0x0c ... 0x0d] = NOW,
	[0x1c ... 0x1d] = NOW,
	[0x8a] = NOW,
	[0x8e] = NOW,
	[0x90] = NOW,
	[0x94] = NOW,
	[0x96 ... 0x97] = NOW,
	[0x9a] = NOW,
	[0x9e] = NOW,
	[0xa0] = NOW,
	[0xa4] = NOW,
	[0xa6 ... 0xa7] = NOW,
	[0xaa] = NOW,
	[0xae] = NOW,
	[0xb0] = NOW,
	[0xb4] = NOW,
	[0xb6 ... 0xb7] = NOW,
	[0xbb] = NOW,
	[0xbf] = NOW,
};
