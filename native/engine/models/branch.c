/* SPDX-License-Identifier: GPL-2.0-only */
/* Which predictor a branch instruction belongs to. */
#include "engine/models/branch.h"

#include "engine/models/predictor.h"

enum { OPCODE_CALL = 0xe8, OPCODE_GROUP_5 = 0xff, GROUP_5_CALL = 2, GROUP_5_JUMP = 4 };

static bool is_conditional(const uint8_t *opcode)
{
	return (opcode[0] & 0xf0) == 0x70 || (opcode[0] == 0x0f && (opcode[1] & 0xf0) == 0x80) ||
	       (opcode[0] & 0xfc) == 0xe0; /* loopne, loope, loop, jrcxz */
}

enum branch_kind branch_kind(const cs_insn *insn)
{
	const uint8_t *opcode = insn->detail->x86.opcode;
	unsigned extension = insn->detail->x86.modrm >> 3 & 7;

	if (is_conditional(opcode))
		return BRANCH_CONDITIONAL;
	switch (opcode[0]) {
	case 0xe9: case 0xeb:
		return BRANCH_JUMP;
	case OPCODE_CALL:
		return BRANCH_CALL;
	case 0xc2: case 0xc3:
		return BRANCH_RETURN;
	case OPCODE_GROUP_5:
		return extension == GROUP_5_CALL ? BRANCH_CALL_INDIRECT :
		       extension == GROUP_5_JUMP ? BRANCH_JUMP_INDIRECT : BRANCH_NONE;
	default:
		return BRANCH_NONE;
	}
}
