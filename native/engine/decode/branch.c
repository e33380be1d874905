/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/decode/branch.h"

bool branch_is(const struct x86_insn *insn)
{
	switch (insn->kind) {
	case X86_JCC: case X86_JMP: case X86_JMP_INDIRECT: case X86_CALL: case X86_CALL_INDIRECT: case X86_RET:
	case X86_FAR: case X86_IRET: case X86_INT:
	case X86_SYSCALL: case X86_SYSRET: case X86_SYSENTER_OP: case X86_SYSEXIT:
		return true;
	default:
		return false;
	}
}

/* xbegin, which is a branch, has no predictor. */
static bool is_xbegin(const struct x86_insn *insn)
{
	return insn->map == 0 && insn->opcode == 0xc7;
}

enum branch_kind branch_kind_of(const struct x86_insn *insn)
{
	switch (insn->kind) {
	case X86_JCC: return is_xbegin(insn) ? BRANCH_NONE : BRANCH_CONDITIONAL;
	case X86_JMP: return BRANCH_JUMP;
	case X86_JMP_INDIRECT: return BRANCH_JUMP_INDIRECT;
	case X86_CALL: return BRANCH_CALL;
	case X86_CALL_INDIRECT: return BRANCH_CALL_INDIRECT;
	case X86_RET: return BRANCH_RETURN;
	default: return BRANCH_NONE;
	}
}
