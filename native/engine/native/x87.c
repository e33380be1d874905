/* SPDX-License-Identifier: GPL-2.0-only */
/* The x87 state as Unicorn keeps it, and as FXSAVE64 lays it out (Intel SDM vol. 1, table 10-2). */
#include <string.h>

#include "engine/native/native.h"

enum {
	REGISTERS = 8,
	STATUS_TOP = 7 << 11,
	MXCSR_DEFAULT = 0x1f80,
};

/* The part that matters here. */
struct fx {
	uint16_t control, status;
	uint8_t valid, zero; /* by physical register */
	uint16_t opcode;
	uint64_t ip, dp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t st[REGISTERS][16]; /* from the top */
};

void x87_load(struct inside_state *state, uint8_t to[512])
{
	struct fx *fx = (struct fx *)(void *)to;
	unsigned top = state->x87_top % REGISTERS;

	fx->control = state->x87_control;
	fx->status = (uint16_t)((state->x87_status & ~STATUS_TOP) | top << 11);
	fx->valid = 0;
	fx->mxcsr = MXCSR_DEFAULT;
	for (unsigned i = 0; i < REGISTERS; i++) {
		fx->valid |= (uint8_t)(!state->x87_empty[i] << i);
		memcpy(fx->st[i], &state->x87[(top + i) % REGISTERS], 10);
	}
}

void x87_store(struct inside_state *state, const uint8_t from[512])
{
	const struct fx *fx = (const struct fx *)(const void *)from;
	unsigned top = fx->status >> 11 & 7;

	state->x87_control = fx->control;
	state->x87_status = (uint16_t)(fx->status & ~STATUS_TOP);
	state->x87_top = top;
	for (unsigned i = 0; i < REGISTERS; i++) {
		state->x87_empty[i] = !(fx->valid >> i & 1);
		memcpy(&state->x87[(top + i) % REGISTERS], fx->st[i], 10);
	}
}

void x87_enter_mmx(struct inside_state *state, uint8_t written, bool leaves)
{
	enum { EXPONENT = 0xffff };

	state->x87_top = 0;
	memset(state->x87_empty, leaves, sizeof(state->x87_empty));
	for (unsigned i = 0; i < REGISTERS; i++)
		if (written >> i & 1)
			state->x87[i].exponent = EXPONENT;
}

/* FNSTENV's and FLDENV's area, of which FNSAVE's and FRSTOR's begin with one: 32-bit, or 16-bit with 66. */
static void pointers_move(struct inside_state *state, bool narrow, uint8_t *area, bool out)
{
	uint32_t ip = (uint32_t)state->x87_ip, dp = (uint32_t)state->x87_dp;
	unsigned at = narrow ? 6 : 12, size = narrow ? 2 : 4;
	uint16_t cs, ds;

	if (out) {
		memcpy(area + at, &ip, size);
		memset(area + at + size, 0, size);
		memcpy(area + at + 2 * size, &dp, size);
		memset(area + at + 3 * size, 0, size);
		return;
	}
	ip = dp = 0;
	memcpy(&ip, area + at, size);
	memcpy(&cs, area + at + size, sizeof(cs));
	memcpy(&dp, area + at + 2 * size, size);
	memcpy(&ds, area + at + 3 * size, sizeof(ds));
	state->x87_ip = ip;
	state->x87_cs = cs;
	state->x87_dp = dp;
	state->x87_ds = ds;
	state->x87_opcode = 0;
}

static void pointers_clear(struct inside_state *state)
{
	state->x87_ip = state->x87_dp = 0;
	state->x87_cs = state->x87_ds = state->x87_opcode = 0;
}

void x87_executed(struct inside_state *state, const struct native_op *op, uint64_t address, uint8_t *memory)
{
	const struct x86_insn *insn = &op->insn;
	unsigned digit = insn->modrm >> 3 & 7;
	bool whole = insn->memory && (insn->opcode == 0xd9 || insn->opcode == 0xdd) && (digit == 4 || digit == 6);

	if (whole) {
		pointers_move(state, insn->operand16, memory, digit == 6);
		if (insn->opcode == 0xdd && digit == 6)
			pointers_clear(state);
	} else if (!insn->memory && insn->opcode == 0xdb && (insn->modrm & ~1u) == 0xe2) {
		if (insn->modrm == 0xe3)
			pointers_clear(state);
	} else if (!(insn->memory && ((insn->opcode == 0xd9 && (digit == 5 || digit == 7)) || (insn->opcode == 0xdd && digit == 7)))) {
		state->x87_ip = op->address;
		state->x87_cs = 0;
		if (!insn->memory)
			return;
		state->x87_dp = address;
		state->x87_ds = 0;
	}
}
