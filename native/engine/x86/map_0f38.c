/* SPDX-License-Identifier: GPL-2.0-only */
/* Opcodes behind 0F 38 and 0F 3A. */
#include "engine/x86/rows.h"

#define MMX_OR_SSE(mmx, sse) ROWS({ NP | RM, mmx, MMX | NEEDS(SSSE3) }, { P66 | RM, sse, SSE | NEEDS(SSSE3) })
#define SSE_ROW(prefix, operands, flags, feature) ROWS({ (prefix) | RM, operands, SSE | (flags) | NEEDS(feature) })

x86_map x86_0f38 = {
	[0x00 ... 0x0b] = MMX_OR_SSE("Pq+ Qq", "Vx+ Wx"),
	[0x10] = SSE_ROW(P66, "Vx+ Wx vx", 0, SSE41), /* pblendvb, blendvps, blendvpd */
	[0x14 ... 0x15] = SSE_ROW(P66, "Vx+ Wx vx", 0, SSE41),
	[0x17] = SSE_ROW(P66, "Vx Wx", FW, SSE41), /* ptest */
	[0x1c ... 0x1e] = MMX_OR_SSE("Pq= Qq", "Vx= Wx"),
	[0x20] = SSE_ROW(P66, "Vx= Wh", 0, SSE41), /* pmovsx */
	[0x21] = SSE_ROW(P66, "Vx= Wf", 0, SSE41),
	[0x22] = SSE_ROW(P66, "Vx= We", 0, SSE41),
	[0x23] = SSE_ROW(P66, "Vx= Wh", 0, SSE41),
	[0x24] = SSE_ROW(P66, "Vx= Wf", 0, SSE41),
	[0x25] = SSE_ROW(P66, "Vx= Wh", 0, SSE41),
	[0x28 ... 0x29] = SSE_ROW(P66, "Vx+ Wx", 0, SSE41),
	[0x2a] = ROWS({ P66 | MEM, "Vx= Wx", SSE | NEEDS(SSE41) }), /* movntdqa */
	[0x2b] = SSE_ROW(P66, "Vx+ Wx", 0, SSE41),
	[0x30] = SSE_ROW(P66, "Vx= Wh", 0, SSE41), /* pmovzx */
	[0x31] = SSE_ROW(P66, "Vx= Wf", 0, SSE41),
	[0x32] = SSE_ROW(P66, "Vx= We", 0, SSE41),
	[0x33] = SSE_ROW(P66, "Vx= Wh", 0, SSE41),
	[0x34] = SSE_ROW(P66, "Vx= Wf", 0, SSE41),
	[0x35] = SSE_ROW(P66, "Vx= Wh", 0, SSE41),
	[0x37] = SSE_ROW(P66, "Vx+ Wx", 0, SSE42),
	[0x38 ... 0x40] = SSE_ROW(P66, "Vx+ Wx", 0, SSE41),
	[0x41] = SSE_ROW(P66, "Vx= Wx", 0, SSE41), /* phminposuw */
	[0x80 ... 0x81] = ROWS({ P66 | MEM, "Gq Mo", NEEDS(VMX) | FW }), /* invept, invvpid */
	[0x82] = ROWS({ P66 | MEM, "Gq Mo", NEEDS(INVPCID) }),
	[0xc8] = SSE_ROW(NP, "Vx+ Wx", 0, SHA),
	[0xc9 ... 0xca] = SSE_ROW(NP, "Vx+ Wx", 0, SHA),
	[0xcb] = SSE_ROW(NP, "Vx+ Wx vx", 0, SHA), /* sha256rnds2 */
	[0xcc ... 0xcd] = SSE_ROW(NP, "Vx+ Wx", 0, SHA),
	[0xcf] = SSE_ROW(P66, "Vx+ Wx", 0, GFNI),
	[0xdb] = SSE_ROW(P66, "Vx= Wx", 0, AES), /* aesimc */
	[0xdc ... 0xdf] = SSE_ROW(P66, "Vx+ Wx", 0, AES),
	[0xf0] = ROWS({ NP | P66 | MEM, "Gv= Mv", NEEDS(MOVBE) }, { PF2 | RM, "Gg+ Eb", NEEDS(SSE42) }), /* movbe, crc32 */
	[0xf1] = ROWS({ NP | P66 | MEM, "Mv= Gv", NEEDS(MOVBE) }, { PF2 | RM, "Gg+ Ev", NEEDS(SSE42) }),
	[0xf5] = ROWS({ P66 | MEM, "Mg= Gg", NEEDS(CET) }), /* wruss, wrss */
	[0xf6] = ROWS({ NP | MEM, "Mg= Gg", NEEDS(CET) }, { P66 | PF3 | RM, "Gg+ Eg", NEEDS(ADX) | FR | FW }), /* adcx, adox */
};

x86_map x86_0f3a = {
	[0x08 ... 0x09] = SSE_ROW(P66, "Vx= Wx Ib", MX, SSE41), /* round */
	[0x0a] = SSE_ROW(P66, "Vx+ Wd Ib", MX, SSE41),
	[0x0b] = SSE_ROW(P66, "Vx+ Wq Ib", MX, SSE41),
	[0x0c ... 0x0e] = SSE_ROW(P66, "Vx+ Wx Ib", 0, SSE41),
	[0x0f] = MMX_OR_SSE("Pq+ Qq Ib", "Vx+ Wx Ib"),
	[0x14] = ROWS({ P66 | MEM, "Mb= Vx Ib", SSE | NEEDS(SSE41) }, { P66 | REG, "Rd= Vx Ib", SSE | NEEDS(SSE41) }),
	[0x15] = ROWS({ P66 | MEM, "Mw= Vx Ib", SSE | NEEDS(SSE41) }, { P66 | REG, "Rd= Vx Ib", SSE | NEEDS(SSE41) }),
	[0x16] = SSE_ROW(P66, "Eg= Vx Ib", 0, SSE41),
	[0x17] = SSE_ROW(P66, "Ed= Vx Ib", 0, SSE41),
	[0x20] = ROWS({ P66 | MEM, "Vx+ Mb Ib", SSE | NEEDS(SSE41) }, { P66 | REG, "Vx+ Rd Ib", SSE | NEEDS(SSE41) }),
	[0x21] = SSE_ROW(P66, "Vx+ Wd Ib", 0, SSE41), /* insertps */
	[0x22] = SSE_ROW(P66, "Vx+ Eg Ib", 0, SSE41),
	[0x40 ... 0x41] = SSE_ROW(P66, "Vx+ Wx Ib", MX, SSE41),
	[0x42] = SSE_ROW(P66, "Vx+ Wx Ib", 0, SSE41),
	[0x44] = SSE_ROW(P66, "Vx+ Wx Ib", 0, PCLMULQDQ),
	[0x60] = SSE_ROW(P66, "Vx Wu Ib ag dg vx=", FW, SSE42), /* pcmpestrm, pcmpestri, pcmpistrm, pcmpistri */
	[0x61] = SSE_ROW(P66, "Vx Wu Ib ag dg cd=", FW, SSE42),
	[0x62] = SSE_ROW(P66, "Vx Wu Ib vx=", FW, SSE42),
	[0x63] = SSE_ROW(P66, "Vx Wu Ib cd=", FW, SSE42),
	[0xcc] = SSE_ROW(NP, "Vx+ Wx Ib", 0, SHA),
	[0xce ... 0xcf] = SSE_ROW(P66, "Vx+ Wx Ib", 0, GFNI),
	[0xdf] = SSE_ROW(P66, "Vx= Wx Ib", 0, AES),
};
