/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FXSAVE, FXRSTOR and the XSAVE family (Intel SDM vol. 1, 10.5 and 13): x87, SSE and AVX. What is in its initial state is
 * said to be so exactly when it is.
 */
#include <string.h>

#include "engine/interposed/inside.h"
#include "engine/native/native.h"

enum {
	VECTOR_UD = 6, VECTOR_NM = 7, VECTOR_GP = 13,
	RAX = 0, RDX = 2, VECTORS = 16, HALF = 16,
	X87 = 1, SSE = 2, AVX = 4,
	LEGACY_BYTES = 512, HEADER_BYTES = 64, AVX_AT = LEGACY_BYTES + HEADER_BYTES, AVX_BYTES = VECTORS * HALF,
	LEGACY_USED = 416, /* all of it must be there */
	MXCSR_AT = 24, XMM_AT = 160,
	MXCSR_INITIAL = 0x1f80, MXCSR_MASK = 0xffff,
	X87_CONTROL_INITIAL = 0x37f, X87_CONTROL_KNOWN = 0x1f3f, X87_CONTROL_ALWAYS = 0x40,
	X87_EXCEPTIONS = 0x3f, X87_STATUS_PENDING = 0x8080, /* ES and B */
	HFLAGS_EM = 1 << 10, HFLAGS_TS = 1 << 11, CR4_OSXSAVE = 1 << 18,
};
#define COMPACT (1ull << 63)

/* The first 24 bytes. */
struct legacy {
	uint16_t control, status;
	uint8_t valid, zero;
	uint16_t opcode;
	uint64_t ip, dp;
};

struct header {
	uint64_t saved, compact, zero[6];
};

_Static_assert(sizeof(struct legacy) == MXCSR_AT && sizeof(struct header) == HEADER_BYTES, "as the processor has them");

static struct inside_state *state_of(const struct native *native)
{
	return native->translation.env;
}

static uint64_t in_use(const struct inside_state *state)
{
	static const uint8_t zero[HALF];
	uint64_t used = 0;

	if (state->x87_control != X87_CONTROL_INITIAL || state->x87_status || state->x87_top || state->x87_ip || state->x87_dp ||
	    state->x87_opcode)
		used |= X87;
	for (unsigned i = 0; i < 8; i++)
		if (!state->x87_empty[i] || state->x87[i].significand || state->x87[i].exponent)
			used |= X87;
	for (unsigned i = 0; i < VECTORS; i++) {
		if (memcmp(state->vector[i], zero, HALF))
			used |= SSE;
		if (memcmp(state->vector[i] + HALF, zero, HALF))
			used |= AVX;
	}
	return used;
}

static void save_x87(struct inside_state *state, uint8_t *area, bool wide)
{
	uint8_t fx[LEGACY_BYTES];
	struct legacy legacy;

	x87_load(state, fx);
	memcpy(&legacy, fx, sizeof(legacy));
	legacy.zero = 0;
	legacy.opcode = state->x87_opcode;
	legacy.ip = wide ? state->x87_ip : (uint32_t)state->x87_ip | (uint64_t)state->x87_cs << 32;
	legacy.dp = wide ? state->x87_dp : (uint32_t)state->x87_dp | (uint64_t)state->x87_ds << 32;
	memcpy(area, &legacy, sizeof(legacy));
	for (unsigned i = 0; i < 8; i++) {
		memcpy(area + 32 + 16 * i, fx + 32 + 16 * i, 10);
		memset(area + 32 + 16 * i + 10, 0, 6);
	}
}

static void restore_x87(struct inside_state *state, const uint8_t *area, bool wide)
{
	struct legacy legacy;

	memcpy(&legacy, area, sizeof(legacy));
	x87_store(state, area);
	state->x87_control = (legacy.control & X87_CONTROL_KNOWN) | X87_CONTROL_ALWAYS;
	state->x87_status &= (uint16_t)~X87_STATUS_PENDING; /* which follows from the others */
	if (state->x87_status & ~state->x87_control & X87_EXCEPTIONS)
		state->x87_status |= X87_STATUS_PENDING;
	state->x87_opcode = legacy.opcode & 0x7ff;
	state->x87_ip = wide ? legacy.ip : (uint32_t)legacy.ip;
	state->x87_cs = wide ? 0 : (uint16_t)(legacy.ip >> 32);
	state->x87_dp = wide ? legacy.dp : (uint32_t)legacy.dp;
	state->x87_ds = wide ? 0 : (uint16_t)(legacy.dp >> 32);
}

static void initialise_x87(struct inside_state *state)
{
	uint8_t fx[LEGACY_BYTES] = { 0 };
	uint16_t control = X87_CONTROL_INITIAL;

	memcpy(fx, &control, sizeof(control));
	restore_x87(state, fx, true);
}

static void save_mxcsr(const struct inside_state *state, uint8_t *area)
{
	const uint32_t values[2] = { state->mxcsr, MXCSR_MASK };

	memcpy(area + MXCSR_AT, values, sizeof(values));
}

static uint32_t mxcsr_in(const uint8_t *area)
{
	uint32_t value;

	memcpy(&value, area + MXCSR_AT, sizeof(value));
	return value;
}

/* `from` and `to` the state: the lower halves at half 0, the upper ones at HALF. */
static void save_halves(const struct inside_state *state, unsigned half, uint8_t *area)
{
	for (unsigned i = 0; i < VECTORS; i++)
		memcpy(area + i * HALF, state->vector[i] + half, HALF);
}

static void restore_halves(struct inside_state *state, unsigned half, const uint8_t *area)
{
	for (unsigned i = 0; i < VECTORS; i++)
		if (area)
			memcpy(state->vector[i] + half, area + i * HALF, HALF);
		else
			memset(state->vector[i] + half, 0, HALF);
}

static void fxsave(struct native *native, uint64_t address, const struct reaching *by)
{
	struct reached reached;

	native_reach(native, &reached, address, LEGACY_BYTES, X86_WRITE, by);
	save_x87(state_of(native), reached.at, by->op->insn.w);
	save_mxcsr(state_of(native), reached.at);
	save_halves(state_of(native), 0, reached.at + XMM_AT);
	native_reached(&reached);
}

static void fxrstor(struct native *native, uint64_t address, const struct reaching *by)
{
	struct inside_state *state = state_of(native);
	struct reached reached;
	uint8_t area[LEGACY_BYTES];

	native_reach(native, &reached, address, LEGACY_BYTES, X86_READ, by);
	memcpy(area, reached.at, sizeof(area));
	if (mxcsr_in(area) & ~(uint32_t)MXCSR_MASK)
		native_raise(native, VECTOR_GP, 0, by->retaddr);
	restore_x87(state, area, by->op->insn.w);
	state->mxcsr = mxcsr_in(area);
	restore_halves(state, 0, area + XMM_AT);
}

enum saving { SAVING, SAVING_OPTIMISED, SAVING_COMPACT };

static void xsave(struct native *native, uint64_t address, uint64_t wanted, enum saving how, const struct reaching *by)
{
	struct inside_state *state = state_of(native);
	uint64_t used = in_use(state), written;
	struct reached reached;
	struct header header;

	if (how == SAVING_COMPACT && state->mxcsr != MXCSR_INITIAL)
		used |= SSE; /* of which MXCSR is a part there */
	written = how == SAVING ? wanted : wanted & used;
	native_reach(native, &reached, address, written & AVX ? AVX_AT + AVX_BYTES : AVX_AT, X86_WRITE, by);
	if (written & X87)
		save_x87(state, reached.at, by->op->insn.w);
	if (how == SAVING_COMPACT ? written & SSE : wanted & (SSE | AVX))
		save_mxcsr(state, reached.at);
	if (written & SSE)
		save_halves(state, 0, reached.at + XMM_AT);
	if (written & AVX)
		save_halves(state, HALF, reached.at + AVX_AT);
	memcpy(&header, reached.at + LEGACY_BYTES, sizeof(header));
	header.saved = how == SAVING_COMPACT ? wanted & used : (header.saved & ~wanted) | (wanted & used);
	if (how == SAVING_COMPACT)
		header.compact = wanted | COMPACT;
	memcpy(reached.at + LEGACY_BYTES, &header, sizeof(header));
	native_reached(&reached);
}

/* What XRSTOR does not take. */
static bool is_bad(const struct native *native, const struct header *header)
{
	uint64_t xcr0 = state_of(native)->xcr0, layout = header->compact & ~COMPACT;
	bool compact = header->compact & COMPACT;

	if (header->saved & ~xcr0)
		return true;
	if (!compact)
		return header->compact || header->zero[0];
	for (unsigned i = 0; i < 6; i++)
		if (header->zero[i])
			return true;
	return !(native->model.features >> X86_XSAVEC & 1) || layout & ~xcr0 || header->saved & ~layout;
}

static void xrstor(struct native *native, uint64_t address, uint64_t wanted, const struct reaching *by)
{
	struct inside_state *state = state_of(native);
	uint8_t area[AVX_AT + AVX_BYTES];
	struct reached reached;
	struct header header;
	bool compact, mxcsr;

	native_reach(native, &reached, address, AVX_AT, X86_READ, by);
	memcpy(area, reached.at, AVX_AT);
	memcpy(&header, area + LEGACY_BYTES, sizeof(header));
	compact = header.compact & COMPACT;
	if (is_bad(native, &header))
		native_raise(native, VECTOR_GP, 0, by->retaddr);
	if (wanted & header.saved & AVX) {
		native_reach(native, &reached, address, sizeof(area), X86_READ, by);
		memcpy(area, reached.at, sizeof(area));
	}
	mxcsr = compact ? wanted & header.saved & SSE : wanted & (SSE | AVX);
	if (mxcsr && mxcsr_in(area) & ~(uint32_t)MXCSR_MASK)
		native_raise(native, VECTOR_GP, 0, by->retaddr);
	if (wanted & header.saved & X87)
		restore_x87(state, area, by->op->insn.w);
	else if (wanted & X87)
		initialise_x87(state);
	if (mxcsr)
		state->mxcsr = mxcsr_in(area);
	else if (compact && wanted & SSE)
		state->mxcsr = MXCSR_INITIAL;
	if (wanted & SSE)
		restore_halves(state, 0, header.saved & SSE ? area + XMM_AT : NULL);
	if (wanted & AVX)
		restore_halves(state, HALF, header.saved & AVX ? area + AVX_AT : NULL);
}

/* Of one that a model has: 0F AE /0, /1, /4, /5, /6 and 0F C7 /4. */
void native_save(struct native *native, const struct reaching *by)
{
	const struct x86_insn *insn = &by->op->insn;
	struct inside_state *state = state_of(native);
	unsigned digit = insn->modrm >> 3 & 7;
	bool legacy = insn->opcode == 0xae && digit < 2;
	uint64_t address = native_address(native, by->op, 0);
	uint64_t wanted = ((uint32_t)state->gpr[RAX] | state->gpr[RDX] << 32) & state->xcr0;

	if (!legacy && !(state->cr[4] & CR4_OSXSAVE))
		native_raise(native, VECTOR_UD, 0, by->retaddr);
	if (state->hflags & HFLAGS_TS || (legacy && state->hflags & HFLAGS_EM))
		native_raise(native, VECTOR_NM, 0, by->retaddr);
	if (address % (legacy ? 16 : 64))
		native_raise(native, VECTOR_GP, 0, by->retaddr);
	if (legacy)
		(digit ? fxrstor : fxsave)(native, address, &(struct reaching){ by->op, by->retaddr, LEGACY_USED });
	else if (insn->opcode == 0xc7)
		xsave(native, address, wanted, SAVING_COMPACT, by);
	else if (digit == 5)
		xrstor(native, address, wanted, by);
	else
		xsave(native, address, wanted, digit == 6 ? SAVING_OPTIMISED : SAVING, by);
}
