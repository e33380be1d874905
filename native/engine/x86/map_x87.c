/* SPDX-License-Identifier: GPL-2.0-only */
/* The x87: D8 to DF. Aliases that no manual has are executed by every processor (AMD APM vol. 3, table A-7). */
#include "engine/x86/rows.h"

const struct x86_row *const x86_escape[8] = {
	[0] = ROWS({ MEM, "Md", X87 }, { REG, "", X87 }),
	[1] = ROWS({ MEM | DIGIT(0), "Md", X87 },         /* fld */
		   { MEM | DIGIT(2), "Md=", X87 },        /* fst */
		   { MEM | DIGIT(3), "Md=", X87 },
		   { MEM | DIGIT(4), "Mk", X87 },         /* fldenv */
		   { MEM | DIGIT(5), "Mw", X87 },         /* fldcw */
		   { MEM | DIGIT(6), "Mk=", X87 },        /* fnstenv */
		   { MEM | DIGIT(7), "Mw=", X87 },        /* fnstcw */
		   { REG | DIGIT(0), "", X87 },           /* fld */
		   { REG | DIGIT(1), "", X87 },           /* fxch */
		   { BYTE(0xd0), "", X87 },               /* fnop */
		   { REG | DIGIT(3), "", X87 },           /* alias of fstp */
		   { BYTE(0xe0), "", X87 },               /* fchs */
		   { BYTE(0xe1), "", X87 },               /* fabs */
		   { BYTE(0xe4), "", X87 },               /* ftst */
		   { BYTE(0xe5), "", X87 },               /* fxam */
		   { BYTE(0xe8), "", X87 },               /* constants */
		   { BYTE(0xe9), "", X87 },
		   { BYTE(0xea), "", X87 },
		   { BYTE(0xeb), "", X87 },
		   { BYTE(0xec), "", X87 },
		   { BYTE(0xed), "", X87 },
		   { BYTE(0xee), "", X87 },
		   { REG | DIGIT(6), "", X87 },           /* f2xm1 to fincstp */
		   { REG | DIGIT(7), "", X87 }),          /* fprem to fcos */
	[2] = ROWS({ MEM, "Md", X87 },
		   { REG | DIGIT(0), "", X87 | FR },      /* fcmov */
		   { REG | DIGIT(1), "", X87 | FR },
		   { REG | DIGIT(2), "", X87 | FR },
		   { REG | DIGIT(3), "", X87 | FR },
		   { BYTE(0xe9), "", X87 }),              /* fucompp */
	[3] = ROWS({ MEM | DIGIT(0), "Md", X87 },         /* fild */
		   { MEM | DIGIT(1), "Md=", X87 | NEEDS(SSE3) }, /* fisttp */
		   { MEM | DIGIT(2), "Md=", X87 },        /* fist */
		   { MEM | DIGIT(3), "Md=", X87 },
		   { MEM | DIGIT(5), "Mt", X87 },         /* fld */
		   { MEM | DIGIT(7), "Mt=", X87 },        /* fstp */
		   { REG | DIGIT(0), "", X87 | FR },      /* fcmovn */
		   { REG | DIGIT(1), "", X87 | FR },
		   { REG | DIGIT(2), "", X87 | FR },
		   { REG | DIGIT(3), "", X87 | FR },
		   { BYTE(0xe0), "", X87 },               /* feni, fdisi, which do nothing since the 287 */
		   { BYTE(0xe1), "", X87 },
		   { BYTE(0xe2), "", X87 },               /* fnclex */
		   { BYTE(0xe3), "", X87 },               /* fninit */
		   { BYTE(0xe4), "", X87 },               /* fsetpm, which does nothing since the 387 */
		   { REG | DIGIT(5), "", X87 | FW },      /* fucomi */
		   { REG | DIGIT(6), "", X87 | FW }),     /* fcomi */
	[4] = ROWS({ MEM, "Mq", X87 }, { REG, "", X87 }),
	[5] = ROWS({ MEM | DIGIT(0), "Mq", X87 },         /* fld */
		   { MEM | DIGIT(1), "Mq=", X87 | NEEDS(SSE3) }, /* fisttp */
		   { MEM | DIGIT(2), "Mq=", X87 },        /* fst */
		   { MEM | DIGIT(3), "Mq=", X87 },
		   { MEM | DIGIT(4), "Ml", X87 },         /* frstor */
		   { MEM | DIGIT(6), "Ml=", X87 },        /* fnsave */
		   { MEM | DIGIT(7), "Mw=", X87 },        /* fnstsw */
		   { REG | DIGIT(0), "", X87 },           /* ffree */
		   { REG | DIGIT(1), "", X87 },           /* alias of fxch */
		   { REG | DIGIT(2), "", X87 },           /* fst */
		   { REG | DIGIT(3), "", X87 },
		   { REG | DIGIT(4), "", X87 },           /* fucom */
		   { REG | DIGIT(5), "", X87 }),
	[6] = ROWS({ MEM, "Mw", X87 },
		   { REG | DIGIT(0), "", X87 },           /* faddp */
		   { REG | DIGIT(1), "", X87 },           /* fmulp */
		   { REG | DIGIT(2), "", X87 },           /* alias of fcomp */
		   { BYTE(0xd9), "", X87 },               /* fcompp */
		   { REG | DIGIT(4), "", X87 },           /* fsubp, fdivp, and reversed */
		   { REG | DIGIT(5), "", X87 },
		   { REG | DIGIT(6), "", X87 },
		   { REG | DIGIT(7), "", X87 }),
	[7] = ROWS({ MEM | DIGIT(0), "Mw", X87 },         /* fild */
		   { MEM | DIGIT(1), "Mw=", X87 | NEEDS(SSE3) }, /* fisttp */
		   { MEM | DIGIT(2), "Mw=", X87 },        /* fist */
		   { MEM | DIGIT(3), "Mw=", X87 },
		   { MEM | DIGIT(4), "Mt", X87 },         /* fbld */
		   { MEM | DIGIT(5), "Mq", X87 },         /* fild */
		   { MEM | DIGIT(6), "Mt=", X87 },        /* fbstp */
		   { MEM | DIGIT(7), "Mq=", X87 },        /* fistp */
		   { REG | DIGIT(0), "", X87 },           /* ffreep */
		   { REG | DIGIT(1), "", X87 },           /* aliases of fxch and fstp */
		   { REG | DIGIT(2), "", X87 },
		   { REG | DIGIT(3), "", X87 },
		   { BYTE(0xe0), "aw=", X87 },            /* fnstsw */
		   { REG | DIGIT(5), "", X87 | FW },      /* fucomip */
		   { REG | DIGIT(6), "", X87 | FW }),     /* fcomip */
};
