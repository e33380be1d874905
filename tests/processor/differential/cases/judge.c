/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge.h"

#include "form.h"

enum { FLAGS_COMPARED = FLAGS_ARITHMETIC | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_RF | FLAG_AC | FLAG_ID };
enum { NSO_PA = FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF };

static unsigned operand_bits(const struct form *form)
{
	return form->w ? 64 : form->p66 ? 16 : 32;
}

/* Of the shifts and rotations of group 2, by their count. */
static uint64_t undefined_shift(const struct form *form, uint64_t rcx)
{
	const unsigned reg = form_reg(form), bits = form->opcode & 1 ? operand_bits(form) : 8;
	unsigned count = form->opcode < 0xc2 ? form->immediate[0] : form->opcode < 0xd2 ? 1 : (uint8_t)rcx;

	count &= bits == 64 ? 63 : 31;
	if (count == 0)
		return 0;
	return (reg >= 4 ? FLAG_AF : 0) | (count > 1 ? FLAG_OF : 0) | (reg >= 4 && reg != 7 && count > bits ? FLAG_CF : 0);
}

static uint64_t undefined_double_shift(const struct form *form, uint64_t rcx)
{
	const unsigned bits = operand_bits(form);
	unsigned count = (form->opcode & 1 ? (uint8_t)rcx : form->immediate[0]) & (bits == 64 ? 63 : 31);

	if (count == 0)
		return 0;
	return count > bits ? FLAGS_ARITHMETIC : (unsigned)(FLAG_AF | (count > 1 ? FLAG_OF : 0));
}

bool judge_undefined(const struct test_case *c)
{
	const struct form *form = &c->form;
	const unsigned count = form->opcode & 1 ? (uint8_t)c->state.gpr[RCX] : form->immediate[0];

	if (c->has_header && c->header[0] >> 3) /* components that only a host may have */
		return true;
	return form->map == MAP_0F && (form->opcode & 0xf6) == 0xa4 && form->p66 && !form->w && (count & 31) > 16;
}

static uint64_t undefined_one(const struct form *form, uint64_t rcx)
{
	const uint8_t opcode = form->opcode;
	const unsigned reg = form_reg(form);

	if (opcode < 0x40 && (opcode & 7) < 6) /* or, and, xor */
		return opcode >> 3 == 1 || opcode >> 3 == 4 || opcode >> 3 == 6 ? FLAG_AF : 0;
	if (opcode >= 0x80 && opcode < 0x84)
		return reg == 1 || reg == 4 || reg == 6 ? FLAG_AF : 0;
	if ((opcode & 0xfe) == 0xc0 || (opcode >= 0xd0 && opcode < 0xd4))
		return undefined_shift(form, rcx);
	switch (opcode) {
	case 0x69: case 0x6b:
		return NSO_PA;
	case 0x84: case 0x85: case 0xa8: case 0xa9:
		return FLAG_AF;
	case 0xf6: case 0xf7:
		return reg < 2 ? FLAG_AF : reg >= 6 ? FLAGS_ARITHMETIC : reg >= 4 ? NSO_PA : 0;
	default:
		return 0;
	}
}

static uint64_t undefined_0f(const struct form *form, uint64_t rcx)
{
	switch (form->opcode) {
	case 0xa3: case 0xab: case 0xb3: case 0xba: case 0xbb: /* bt */
		return FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF;
	case 0xa4: case 0xa5: case 0xac: case 0xad:
		return undefined_double_shift(form, rcx);
	case 0xaf:
		return NSO_PA;
	case 0xbc: case 0xbd:
		return form->rep == 0xf3 ? FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF : FLAGS_ARITHMETIC & ~FLAG_ZF;
	default:
		return 0;
	}
}

static uint64_t undefined_vex2(const struct form *form)
{
	switch (form->opcode) {
	case 0xf2: case 0xf3: case 0xf5: /* andn, blsr, bzhi */
		return FLAG_AF | FLAG_PF;
	case 0xf7: /* bextr */
		return form->pp == PP_NONE ? FLAG_AF | FLAG_PF | FLAG_SF : 0;
	default:
		return 0;
	}
}

static uint64_t undefined_flags(const struct test_case *c)
{
	switch (c->form.map) {
	case MAP_ONE:
		return undefined_one(&c->form, c->state.gpr[RCX]);
	case MAP_0F:
		return undefined_0f(&c->form, c->state.gpr[RCX]);
	case MAP_VEX2:
		return undefined_vex2(&c->form);
	default:
		return 0;
	}
}

/* An operating system tells nobody what of its own part of the address space is present; the guest's RAM is in another place. */
static void mask_page_fault(struct result *result)
{
	enum { VECTOR_PAGE_FAULT = 14, PRESENT = 1 };
	const uint64_t end = (1ull << 47) - PAGE; /* of what Linux gives to a process */

	if (result->vector != VECTOR_PAGE_FAULT)
		result->cr2 = 0;
	else if (result->cr2 < LOW_BYTES || result->cr2 >= end)
		result->error |= PRESENT;
}

/* bsf and bsr of 0: vendors differ in whether the upper half of a 32-bit register stays. */
static void mask_scan(const struct test_case *c, struct result *result)
{
	const struct form *form = &c->form;

	if (form->map == MAP_0F && (form->opcode & 0xfe) == 0xbc && form->rep != 0xf3 && !form->w && (result->state.rflags & FLAG_ZF))
		result->state.gpr[form_reg(form) | form->r] &= UINT32_MAX;
}

/* Where exactly within what they access these fault is the processor's choice: the page is not. */
static bool is_long_access(const struct form *form)
{
	const unsigned reg = form_reg(form);

	if (form->map == MAP_X87)
		return form->memory && (form->opcode == 0xd9 || form->opcode == 0xdd) && (reg == 4 || reg == 6);
	if (form->map == MAP_VEX1)
		return form->opcode == 0xf7;
	if (form->map == MAP_VEX2)
		return (form->opcode & 0xfc) == 0x2c || (form->opcode & 0xfd) == 0x8c;
	return form->map == MAP_0F && ((form->opcode == 0xae && form->memory) || form->opcode == 0xf7);
}

static uint8_t *vector_byte(struct state *state, unsigned vector, unsigned at)
{
	return at < 16 ? state->xstate + XSTATE_XMM + 16 * vector + at : state->xstate + XSTATE_YMM + 16 * vector + at - 16;
}

/* A gather that faults has done the elements in front of the one that faults: their masks are clear. What it has done of those
 * behind is the processor's choice; of a mask, signs are all that it says. */
static void mask_gather(const struct form *form, struct state *state)
{
	const unsigned width = form->w ? 8 : 4, destination = form_reg(form) | form->r;
	bool faulted = false;

	for (unsigned at = 0; at < 32; at++) {
		uint8_t *mask = vector_byte(state, form->vvvv, at), *sign = vector_byte(state, form->vvvv, at | (width - 1));

		faulted |= *sign >> 7;
		*mask = at % width == width - 1 && faulted ? 0x80 : 0;
		if (faulted)
			*vector_byte(state, destination, at) = 0;
	}
}

/* With 67, of a rep that has done nothing or faults: AMD's leave upper halves, Intel's do not. Flags of a comparison that faults
 * are those of the last iteration on the one, and those in front of all on the other. */
static void mask_string(const struct test_case *c, bool faulted, struct state *state)
{
	const struct form *form = &c->form;
	const bool compares = (form->opcode & 0xfe) == 0xa6 || (form->opcode & 0xfe) == 0xae;

	if (!form_is_string(form) || !form->rep)
		return;
	if (form->p67 && (faulted || !(uint32_t)c->state.gpr[RCX])) {
		state->gpr[RCX] &= UINT32_MAX;
		state->gpr[RSI] &= UINT32_MAX;
		state->gpr[RDI] &= UINT32_MAX;
	}
	if (compares && faulted)
		state->rflags &= ~(uint64_t)FLAGS_ARITHMETIC;
}

void judge_mask(const struct test_case *c, struct result *result)
{
	enum { VECTOR_BREAKPOINT = 3 };

	mask_page_fault(result);
	if (is_long_access(&c->form))
		result->cr2 &= ~(uint64_t)(PAGE - 1);
	if (form_is_gather(&c->form) && result->vector != VECTOR_BREAKPOINT)
		mask_gather(&c->form, &result->state);
	result->state.rflags &= FLAGS_COMPARED;
	mask_string(c, result->vector != VECTOR_BREAKPOINT, &result->state);
	mask_scan(c, result);
	if (result->state.rip) /* it was executed */
		result->state.rflags &= ~undefined_flags(c);
}

void judge_hidden_memory(const struct form *form, struct span ret[HIDDEN_SPANS])
{
	const unsigned reg = form_reg(form);

	for (unsigned i = 0; i < HIDDEN_SPANS; i++)
		ret[i] = (struct span){ 0, 0 };
	if (form->map == MAP_0F && form->opcode == 0xae && form->memory && (reg == 0 || reg == 4)) { /* fxsave, xsave */
		ret[0] = (struct span){ 6, 24 };
		ret[1] = (struct span){ 28, 32 };
		if (reg == 4)
			ret[2] = (struct span){ XSTATE_HEADER, XSTATE_HEADER + 8 };
	} else if (form->map == MAP_X87 && form->memory && reg == 6 && (form->opcode == 0xd9 || form->opcode == 0xdd)) {
		ret[0] = form->p66 ? (struct span){ 6, 14 } : (struct span){ 12, 28 }; /* fnstenv, fnsave */
	}
}
