/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * x87 instructions of which is known what they do to the stack, while all exceptions are masked: only the registers that they
 * have are loaded and stored, where FXRSTOR and FXSAVE would cost several times what the instruction does. Stacks that overflow
 * or underflow, and all that is rare, are executed in that way.
 */
#include <string.h>

#include "engine/native/emit.h"
#include "engine/native/native.h"

enum {
	REGISTERS = 8, ESCAPE = 0xd8,
	C1 = 1 << 9, C2 = 1 << 10, CONDITIONS = 0x4700,
	EXCEPTIONS = 0x3f, STATUS_ES = 1 << 7, STATUS_BUSY = 1 << 15,
	HOST_CONTROL = 0x37f, CONTROL_KNOWN = 0x1f3f, CONTROL_ALWAYS = 0x40,
	SIGN = 1 << 15,
};

enum { D8, D9, DA, DB, DC, DD, DE, DF }; /* opcodes, less ESCAPE */

static void shape_memory(const struct x86_insn *insn, unsigned escape, unsigned digit, struct x87_shape *shape)
{
	bool stores = insn->memory_access & X86_WRITE;

	if (escape == D9 && digit >= 4) {
		shape->how = digit == 5 || digit == 7 ? X87_IN_C : X87_WHOLE;
	} else if (escape == DD && digit >= 4) {
		shape->how = digit == 7 ? X87_IN_C : X87_WHOLE;
	} else if (!(escape & 1)) { /* arithmetic */
		shape->reads_top = true;
		shape->result = digit == 2 || digit == 3 ? X87_NO_RESULT : X87_TO_TOP;
		shape->pops = digit == 3;
		shape->conditions = digit == 2 || digit == 3 ? CONDITIONS : C1;
	} else if (stores) {
		shape->reads_top = true;
		shape->pops = digit != 2;
	} else {
		shape->result = X87_PUSHED;
	}
}

/* D8, DC and DE with a register. */
static void shape_arithmetic(unsigned escape, unsigned digit, struct x87_shape *shape)
{
	bool compares = digit == 2 || digit == 3;

	shape->reads_top = shape->reads_other = shape->named = true;
	shape->conditions = compares ? CONDITIONS : C1;
	if (compares)
		shape->pops = escape == DE ? 1 + (digit == 3) : digit == 3;
	else
		shape->result = escape == D8 ? X87_TO_TOP : X87_TO_OTHER;
	if (!compares && escape == DE) {
		shape->pops = 1;
		shape->how = shape->other ? X87_FAST : X87_WHOLE;
	}
}

/* D9 E0 to D9 FF: the stack's top, and what is below it. */
static void shape_function(uint8_t modrm, struct x87_shape *shape)
{
	shape->other = 1;
	shape->reads_top = true;
	shape->result = X87_TO_TOP;
	switch (modrm) {
	case 0xe0: case 0xe1: /* fchs, fabs */
		shape->how = X87_IN_C;
		break;
	case 0xe4: case 0xe5: /* ftst, fxam */
		shape->result = X87_NO_RESULT;
		shape->conditions = CONDITIONS;
		break;
	case 0xe8: case 0xe9: case 0xea: case 0xeb: case 0xec: case 0xed: case 0xee: /* constants */
		shape->reads_top = false;
		shape->result = X87_PUSHED;
		break;
	case 0xf1: case 0xf3: case 0xf9: /* fyl2x, fpatan, fyl2xp1 */
		shape->reads_other = true;
		shape->result = X87_TO_OTHER;
		shape->pops = 1;
		break;
	case 0xfd: /* fscale */
		shape->reads_other = true;
		break;
	case 0xfe: case 0xff: /* fsin, fcos */
		shape->conditions = C1 | C2;
		break;
	case 0xf0: case 0xfa: case 0xfc: /* f2xm1, fsqrt, frndint */
		break;
	default: /* fprem and fprem1 among them, which may leave conditions as they are */
		shape->how = X87_WHOLE;
	}
}

static void shape_register(const struct x86_insn *insn, unsigned escape, unsigned digit, struct x87_shape *shape)
{
	bool compares_i = digit == 5 || digit == 6; /* fcomi and its like */

	if (escape == D8 || escape == DC || escape == DE) {
		shape_arithmetic(escape, digit, shape);
	} else if (escape == D9 && insn->modrm >= 0xe0) {
		shape_function(insn->modrm, shape);
	} else if (escape == D9) {
		shape->how = digit < 2 ? X87_IN_C : X87_WHOLE; /* fld, fxch */
	} else if (escape == DD && (digit == 2 || digit == 3)) {
		shape->how = X87_IN_C; /* fst, fstp */
	} else if ((escape == DB || escape == DF) && compares_i) {
		shape->reads_top = shape->reads_other = shape->named = true;
		shape->pops = escape == DF;
		shape->keeps_c1 = true;
	} else if ((escape == DD && digit >= 4) || (escape == DA && digit == 5)) { /* fucom, fucomp; fucompp */
		shape->reads_top = shape->reads_other = shape->named = true;
		shape->conditions = CONDITIONS;
		shape->pops = escape == DA ? 2 : digit == 5;
	} else {
		shape->how = X87_WHOLE;
	}
}

void x87_shape_of(const struct x86_insn *insn, struct x87_shape *shape)
{
	unsigned escape = insn->opcode - ESCAPE, digit = insn->modrm >> 3 & 7;

	*shape = (struct x87_shape){ .how = X87_FAST, .other = insn->modrm & 7, .conditions = C1 };
	if (insn->unit != X86_X87)
		shape->how = X87_WHOLE;
	else if (insn->memory)
		shape_memory(insn, escape, digit, shape);
	else
		shape_register(insn, escape, digit, shape);
}

/* 80 bits at the first argument, the top or what is pushed, or at the last, the other register: /5 loads, /7 stores. */
static void move_register(struct emitter *e, unsigned digit, unsigned base)
{
	emit_byte(e, 0xdb);
	emit_byte(e, digit << 3 | base);
}

static void instruction(struct emitter *e, const struct x87_shape *shape)
{
	uint8_t modrm = e->insn->modrm;

	if (e->insn->memory)
		modrm = (modrm & 0x38) | RSI;
	else if (shape->named)
		modrm = (uint8_t)((modrm & ~7u) | (shape->other != 0));
	emit_byte(e, e->insn->opcode);
	emit_byte(e, modrm);
}

/* Its arguments are the top, or what is to become it; the operand in memory; what is passed; and the other register. */
x87_fn *x87_make(struct stub_arena *arena, const struct x86_insn *insn, const struct x87_shape *shape)
{
	uint8_t *code = arena->code + arena->used;
	struct emitter e = { .at = code, .insn = insn, .pass = RDX };
	bool other = shape->reads_other && shape->other;
	unsigned left = shape->reads_top + other + (shape->result == X87_PUSHED) - shape->pops;
	unsigned result = shape->result == X87_TO_OTHER && other && !shape->pops;

	if (other)
		move_register(&e, 5, RCX);
	if (shape->reads_top)
		move_register(&e, 5, RDI);
	instruction(&e, shape);
	emit_byte(&e, 0xdd); /* fnstsw status(pass) */
	memory_at(&e, 7, RDX, offsetof(struct stub_pass, status));
	if (insn->writes_flags)
		store_flags(&e);
	for (unsigned i = 0; i < left; i++)
		if (shape->result != X87_NO_RESULT && i == result) {
			move_register(&e, 7, shape->result == X87_TO_OTHER ? RCX : RDI);
		} else { /* fstp %st(0) */
			emit_byte(&e, 0xdd);
			emit_byte(&e, 0xd8);
		}
	emit_byte(&e, 0xc3);
	arena->used = (uint32_t)(e.at - arena->code + 15) & ~15u;
	return (x87_fn *)(void *)code;
}

static struct inside_x87 *at(struct inside_state *state, unsigned place)
{
	return &state->x87[(state->x87_top + place) % REGISTERS];
}

static uint8_t *empty_at(struct inside_state *state, unsigned place)
{
	return &state->x87_empty[(state->x87_top + place) % REGISTERS];
}

static void pop(struct inside_state *state)
{
	*empty_at(state, 0) = 1;
	state->x87_top = (state->x87_top + 1) % REGISTERS;
}

static void push(struct inside_state *state)
{
	state->x87_top = (state->x87_top + REGISTERS - 1) % REGISTERS;
	*empty_at(state, 0) = 0;
}

/* Control and status, which no exception that waits keeps from being stored. */
static bool control(struct inside_state *state, const struct x86_insn *insn, uint8_t *memory)
{
	bool control = insn->opcode == 0xd9;
	uint16_t value = (uint16_t)(state->x87_status | state->x87_top % REGISTERS << 11);

	if (insn->memory_access & X86_WRITE) {
		memcpy(memory, control ? &state->x87_control : &value, sizeof(value));
		return true;
	}
	memcpy(&value, memory, sizeof(value));
	if (state->x87_status & ~value & EXCEPTIONS)
		return false;
	state->x87_control = (value & CONTROL_KNOWN) | CONTROL_ALWAYS;
	return true;
}

static bool exchange(struct inside_state *state, unsigned other)
{
	struct inside_x87 top = *at(state, 0);

	if (*empty_at(state, 0) || *empty_at(state, other))
		return false;
	*at(state, 0) = *at(state, other);
	*at(state, other) = top;
	return true;
}

static bool load(struct inside_state *state, unsigned other)
{
	struct inside_x87 value = *at(state, other);

	if (*empty_at(state, other) || !*empty_at(state, REGISTERS - 1))
		return false;
	push(state);
	*at(state, 0) = value;
	return true;
}

static bool store(struct inside_state *state, unsigned other, bool pops)
{
	if (*empty_at(state, 0))
		return false;
	*at(state, other) = *at(state, 0);
	*empty_at(state, other) = 0;
	if (pops)
		pop(state);
	return true;
}

static bool change_sign(struct inside_state *state, bool positive)
{
	if (*empty_at(state, 0))
		return false;
	at(state, 0)->exponent = (uint16_t)(positive ? at(state, 0)->exponent & ~SIGN : at(state, 0)->exponent ^ SIGN);
	return true;
}

/* What moves bits alone. */
static bool move(struct inside_state *state, const struct x86_insn *insn)
{
	unsigned digit = insn->modrm >> 3 & 7, other = insn->modrm & 7;
	bool done;

	if (insn->opcode == 0xdd)
		done = store(state, other, digit == 3);
	else if (insn->modrm >= 0xe0)
		done = change_sign(state, insn->modrm == 0xe1);
	else
		done = digit ? exchange(state, other) : load(state, other);
	if (done)
		state->x87_status &= (uint16_t)~C1;
	return done;
}

/* Are those there that it reads, and is there room for what it pushes? */
static bool finds_registers(struct inside_state *state, const struct x87_shape *shape)
{
	return !(shape->reads_top && *empty_at(state, 0)) && !(shape->reads_other && *empty_at(state, shape->other)) &&
	       !(shape->result == X87_PUSHED && !*empty_at(state, REGISTERS - 1));
}

/* Flags of exceptions stay: those that this processor has from before must be among the guest's. */
static void forget_exceptions(uint16_t guests)
{
	uint16_t status;

	__asm__ volatile("fnstsw %0" : "=a"(status));
	if (status & EXCEPTIONS & ~guests)
		__asm__ volatile("fnclex");
}

static void set_control(uint16_t value)
{
	__asm__ volatile("fldcw %0" : : "m"(value));
}

bool x87_fast(struct native *native, const struct native_op *op, uint8_t *memory)
{
	struct inside_state *state = native->translation.env;
	const struct x87_shape *shape = &op->x87;
	const uint16_t guests = state->x87_control;

	if (shape->how == X87_IN_C && op->insn.memory)
		return control(state, &op->insn, memory);
	if (shape->how == X87_WHOLE || (guests & EXCEPTIONS) != EXCEPTIONS || state->x87_status & (STATUS_ES | STATUS_BUSY))
		return false;
	if (shape->how == X87_IN_C)
		return move(state, &op->insn);
	if (!finds_registers(state, shape) || (shape->keeps_c1 && state->x87_status & C1))
		return false;
	forget_exceptions(state->x87_status);
	if (guests != HOST_CONTROL)
		set_control(guests);
	op->run_x87(at(state, shape->result == X87_PUSHED ? REGISTERS - 1 : 0), memory, &native->pass, at(state, shape->other));
	if (guests != HOST_CONTROL)
		set_control(HOST_CONTROL);
	state->x87_status = (uint16_t)((state->x87_status & ~shape->conditions) |
				       (native->pass.status & (EXCEPTIONS | shape->conditions)));
	if (shape->result == X87_PUSHED)
		push(state);
	for (unsigned i = 0; i < shape->pops; i++)
		pop(state);
	return true;
}
