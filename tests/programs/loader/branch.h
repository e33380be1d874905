/* SPDX-License-Identifier: GPL-2.0-only */
/* What a branch is and what repeats, by the manual's opcode map (SDM vol. 2, appendix A); for code that is valid. */
#ifndef BRANCH_H
#define BRANCH_H

#include <stdbool.h>
#include <stdint.h>

/* Where the opcode lies behind prefixes; REP or REPNE is among them. */
static inline const uint8_t *branch_opcode(const uint8_t *code, bool *rep)
{
	for (*rep = false;; code++) {
		switch (*code) {
		case 0xf2:
		case 0xf3:
			*rep = true;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64 ... 0x67:
		case 0xf0:
		case 0x40 ... 0x4f: /* REX */
			break;
		default:
			return code;
		}
	}
}

static inline bool branch_repeats(const uint8_t *code)
{
	bool rep;
	const uint8_t *opcode = branch_opcode(code, &rep);

	return rep && ((*opcode >= 0xa4 && *opcode <= 0xa7) || (*opcode >= 0xaa && *opcode <= 0xaf));
}

/* Jumps taken or not, calls, returns, loops. */
static inline bool branch_is(const uint8_t *code)
{
	bool rep;
	const uint8_t *opcode = branch_opcode(code, &rep);

	switch (*opcode) {
	case 0x70 ... 0x7f: /* jcc */
	case 0xc2:
	case 0xc3: /* ret */
	case 0xca:
	case 0xcb:          /* lret */
	case 0xe0 ... 0xe3: /* loop, jrcxz */
	case 0xe8 ... 0xe9:
	case 0xeb: /* call, jmp */
		return true;
	case 0x0f:
		return opcode[1] >= 0x80 && opcode[1] <= 0x8f;
	case 0xff:
		return (opcode[1] >> 3 & 7) >= 2 && (opcode[1] >> 3 & 7) <= 5;
	default:
		return false;
	}
}

#endif
