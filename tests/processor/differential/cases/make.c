/* SPDX-License-Identifier: GPL-2.0-only */
/* Case n: its instruction, and a state in which that does something. */
#include <string.h>

#include "address.h"
#include "case.h"
#include "dice.h"
#include "form.h"
#include "judge.h"

enum { FCW_DEFAULT = 0x37f, MXCSR_DEFAULT = 0x1f80 };
enum { AT_FCW = 0, AT_FSW = 2, AT_FTW = 4, AT_MXCSR = 24, AT_ST = 32, ST_BYTES = 16 };

static void put(uint8_t *to, uint64_t value, unsigned bytes)
{
	memcpy(to, &value, bytes);
}

static void make_x87(struct dice *dice, uint8_t *area)
{
	static const uint16_t words[] = { 0x37f, 0x37f, 0x27f, 0x07f, 0xf7f, 0x77f, 0xb7f, 0xa7f, 0x47f };
	uint16_t fcw = words[dice_below(dice, sizeof(words) / sizeof(words[0]))];
	uint16_t fsw = (uint16_t)(dice_next(dice) & 0x7f00); /* top, conditions */
	uint8_t full = dice_percent(dice, 70) ? 0xff : (uint8_t)dice_next(dice);

	fsw &= (uint16_t)~0x80;
	if (dice_percent(dice, 15))
		fcw &= (uint16_t)~(1 << dice_below(dice, 6));
	if (dice_percent(dice, 15))
		fsw |= (uint16_t)dice_below(dice, 64);
	if (dice_percent(dice, 85))
		fsw &= (uint16_t)~(~fcw & 0x3f); /* nothing is pending */
	if (fsw & ~fcw & 0x3f)
		fsw |= 0x8080;
	put(area + AT_FCW, fcw, 2);
	put(area + AT_FSW, fsw, 2);
	put(area + AT_FTW, full, 1);
	for (unsigned i = 0; i < 8; i++)
		dice_x87(dice, area + AT_ST + i * ST_BYTES);
}

static void make_vectors(struct dice *dice, const struct form *form, uint8_t *area)
{
	uint8_t vector[32];

	for (unsigned i = 0; i < VECTOR_REGISTERS; i++) {
		dice_elements(dice, vector, sizeof(vector));
		if (form_is_gather(form)) /* some are an index, and near */
			for (unsigned at = 0; at < sizeof(vector); at += form->opcode & 1 ? 8 : 4)
				put(vector + at, (uint64_t)dice_below(dice, 256) - 128, form->opcode & 1 ? 8 : 4);
		memcpy(area + XSTATE_XMM + 16 * i, vector, 16);
		memcpy(area + XSTATE_YMM + 16 * i, vector + 16, 16);
	}
	if (form_is_gather(form)) /* and one selects them */
		for (unsigned at = 3; at < 32; at += 4)
			(at < 16 ? area + XSTATE_XMM + 16 * form->vvvv : area + XSTATE_YMM + 16 * form->vvvv - 16)[at] = (uint8_t)dice_next(dice);
	put(area + XSTATE_HEADER, 7, 8);
}

static void make_registers(struct dice *dice, const struct form *form, struct state *state)
{
	static const uint8_t pointers[] = { RSP, RSI, RDI, RBX };

	for (unsigned i = 0; i < REGISTERS; i++)
		state->gpr[i] = dice_percent(dice, 10) ? DATA + dice_below(dice, DATA_BYTES) : dice_integer(dice);
	for (unsigned i = 0; i < sizeof(pointers); i++)
		if (dice_percent(dice, pointers[i] == RSP ? 97 : 75))
			state->gpr[pointers[i]] = address_make(dice);
	if (dice_percent(dice, 60))
		state->gpr[RSP] &= ~(uint64_t)7;
	if (form_is_string(form) && form->rep && dice_percent(dice, 95))
		state->gpr[RCX] = dice_below(dice, 20) | (form->p67 ? dice_next(dice) << 32 : 0);
	else if (dice_percent(dice, 40)) /* counts of shifts */
		state->gpr[RCX] = (state->gpr[RCX] & ~(uint64_t)0xff) | dice_below(dice, 70);
	state->rflags = 2 | FLAG_IF | (dice_next(dice) & FLAGS_ARITHMETIC);
	if (dice_percent(dice, 15))
		state->rflags |= FLAG_DF;
	if (dice_percent(dice, 10))
		state->rflags |= FLAG_RF;
}

/* Operands that an instruction would refuse as they come. */
static void make_operand(struct dice *dice, const struct form *form, uint8_t operand[OPERAND_BYTES])
{
	dice_elements(dice, operand, OPERAND_BYTES);
	if (form->map == MAP_X87 && dice_percent(dice, 60))
		dice_x87(dice, operand);
	if (form->opcode == 0xae && dice_percent(dice, 80)) { /* mxcsr, and in what fxrstor loads */
		put(operand, form_reg(form) == 1 ? FCW_DEFAULT : dice_mxcsr(dice), 4);
		put(operand + AT_MXCSR, dice_mxcsr(dice), 8);
	}
}

/* XSAVE and XRSTOR: components that the guest has, and a header that is right, mostly. */
static void make_xsave(struct dice *dice, uint64_t features, struct test_case *c)
{
	const unsigned components = features >> FEATURE_AVX & 1 ? 7 : 3, reg = form_reg(&c->form);

	if (c->form.map != MAP_0F || c->form.opcode != 0xae || !c->form.memory || (reg != 4 && reg != 5))
		return;
	c->state.gpr[RAX] = dice_next(dice) & components;
	c->state.gpr[RDX] = 0;
	c->has_header = reg == 5;
	c->header[0] = (uint8_t)(dice_next(dice) & (dice_percent(dice, 90) ? components : 0xff));
	if (dice_percent(dice, 10))
		c->header[1 + dice_below(dice, 23)] = 1;
}

static void simplify(uint64_t how, struct test_case *c)
{
	for (unsigned i = 0; i < REGISTERS; i++)
		if (how >> i & 1)
			c->state.gpr[i] = 0;
	for (unsigned i = 0; i < VECTOR_REGISTERS; i++)
		if (how >> (SIMPLE_VECTOR + i) & 1) {
			memset(c->state.xstate + XSTATE_XMM + 16 * i, 0, 16);
			memset(c->state.xstate + XSTATE_YMM + 16 * i, 0, 16);
		}
	if (how >> SIMPLE_FLAGS & 1)
		c->state.rflags = 2 | FLAG_IF;
	if (how >> SIMPLE_MXCSR & 1)
		put(c->state.xstate + AT_MXCSR, MXCSR_DEFAULT, 4);
	if (how >> SIMPLE_X87 & 1) {
		memset(c->state.xstate, 0, AT_MXCSR);
		memset(c->state.xstate + AT_ST, 0, 8 * ST_BYTES);
		put(c->state.xstate + AT_FCW, FCW_DEFAULT, 2);
	}
	if (how >> SIMPLE_OPERAND & 1)
		memset(c->operand, 0, sizeof(c->operand));
}

/* Most have room around them; some touch the next page, or end where none is. */
static uint64_t make_place(struct dice *dice, unsigned length)
{
	uint32_t kind = dice_below(dice, 100), at = dice_below(dice, PAGE - 192), back = dice_below(dice, length + 2);

	if (kind < 4)
		return CODE + PAGE - back;
	if (kind < 8)
		return CODE_END - back;
	return CODE + 128 + at;
}

void case_make(const struct filter *filter, uint64_t number, uint64_t how, struct test_case *ret)
{
	struct dice dice = { filter->seed * 0xd1342543de82ef95 ^ number * 0x2545f4914f6cdd1d };
	uint64_t place;

	memset(ret, 0, sizeof(*ret));
	ret->number = number;
	ret->simplify = how;
	form_make(&dice, filter, &ret->form);
	make_registers(&dice, &ret->form, &ret->state);
	make_x87(&dice, ret->state.xstate);
	put(ret->state.xstate + AT_MXCSR, dice_mxcsr(&dice), 4);
	make_vectors(&dice, &ret->form, ret->state.xstate);
	make_operand(&dice, &ret->form, ret->operand);
	ret->length = form_encode(&ret->form, 0, ret->code);
	place = make_place(&dice, ret->length);
	ret->address = how >> SIMPLE_CODE & 1 ? CODE + 256 : place;
	if (ret->form.memory)
		address_solve(&dice, ret);
	make_xsave(&dice, filter->features, ret);
	simplify(how, ret);
	if (how >> SIMPLE_IMMEDIATE & 1)
		memset(ret->form.immediate, 0, sizeof(ret->form.immediate));
	ret->length = form_encode(&ret->form, how >> SIMPLE_PREFIX, ret->code);
	if (ret->form.memory)
		ret->target = address_of(ret);
	ret->state.rip = ret->address;
	ret->state.fs_base = FS_BASE;
	ret->state.gs_base = GS_BASE;
}
