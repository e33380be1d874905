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
