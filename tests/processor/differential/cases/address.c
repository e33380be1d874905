/* SPDX-License-Identifier: GPL-2.0-only */
#include "address.h"

#include <string.h>

#include "form.h"

static uint64_t make_elsewhere(struct dice *dice)
{
	static const uint64_t elsewhere[] = {
		0, 0x1000, 0x7ffffffffff0, 0x7fffffffffff, 0x800000000000, 0x8000000000000000, 0xffff7fffffffffff,
		0xffff800000000000, 0xffffffffffffffff, 0xfffffffffffffff0, DATA - 8, DATA_END, 0x0123456789abcdef,
	};

	return elsewhere[dice_below(dice, sizeof(elsewhere) / sizeof(elsewhere[0]))];
}

uint64_t address_make(struct dice *dice)
{
	uint32_t kind = dice_below(dice, 100), near = dice_below(dice, 64), at = dice_below(dice, PAGE * 7 / 4);
	uint32_t fine = dice_below(dice, 3);

	if (kind < 55)
		return DATA + 512 + (at & ~63u);
	if (kind < 75)
		return DATA + 512 + at;
	if (kind < 80)
		return DATA + 2 * PAGE + 256 + (at & (PAGE / 2 - 1) & ~15u); /* read-only */
	if (kind < 96) { /* a border */
		uint64_t border = DATA + (uint64_t)dice_below(dice, DATA_PAGES + 1) * PAGE;

		return border - near + (border == DATA && fine ? 32 : 0);
	}
	return kind < 97 ? CODE + at : make_elsewhere(dice);
}

struct parts {
	int base, index; /* -1: none */
	unsigned scale;
	bool rip, vector;
};

static struct parts parts_of(const struct form *form)
{
	const unsigned mod = form->modrm >> 6, rm = form->modrm & 7;
	struct parts ret = { -1, -1, 1, false, false };

	if (rm == 4) {
		unsigned index = (form->sib >> 3 & 7) | form->x;

		ret.base = (form->sib & 7) == 5 && mod == 0 ? -1 : (int)((form->sib & 7) | form->b);
		ret.vector = form_is_gather(form);
		ret.index = index == 4 || ret.vector ? -1 : (int)index;
		ret.scale = 1u << (form->sib >> 6);
	} else if (rm == 5 && mod == 0) {
		ret.rip = true;
	} else {
		ret.base = (int)(rm | form->b);
	}
	return ret;
}

static uint64_t segment_base(const struct form *form)
{
	return form->segment == 0x64 ? FS_BASE : form->segment == 0x65 ? GS_BASE : 0;
}

uint64_t address_of(const struct test_case *c)
{
	const struct parts parts = parts_of(&c->form);
	uint64_t address = (uint64_t)c->form.displacement;

	if (parts.base >= 0)
		address += c->state.gpr[parts.base];
	if (parts.index >= 0)
		address += c->state.gpr[parts.index] * parts.scale;
	if (parts.rip)
		address += c->address + c->length;
	if (c->form.p67)
		address = (uint32_t)address;
	return address + segment_base(&c->form);
}

/* A register that is base and index, too: as near as it gets. */
static uint64_t solve_register(uint64_t wanted, unsigned factor)
{
	return factor & (factor - 1) ? wanted / factor : wanted >> __builtin_ctz(factor);
}

void address_solve(struct dice *dice, struct test_case *c)
{
	const struct parts parts = parts_of(&c->form);
	uint64_t target = address_make(dice), simple = DATA + 1024, left, garbage = dice_next(dice) << 32;
	uint64_t *gpr = c->state.gpr;

	if (parts.index >= 0 && dice_percent(dice, 70))
		gpr[parts.index] = dice_below(dice, 64);
	/* What is canonical with a segment's base alone is #GP on some processors. */
	if ((c->simplify >> SIMPLE_ADDRESS & 1) || (c->form.segment && target >> 47))
		target = simple;
	left = target - segment_base(&c->form);
	if (parts.rip) {
		c->form.displacement = (int32_t)(left - c->address - c->length);
	} else if (parts.base < 0 && parts.index < 0) {
		c->form.displacement = (int32_t)left;
	} else {
		left -= (uint64_t)c->form.displacement;
		if (parts.base < 0)
			gpr[parts.index] = solve_register(left, parts.scale);
		else if (parts.base == parts.index)
			gpr[parts.base] = solve_register(left, parts.scale + 1);
		else
			gpr[parts.base] = left - (parts.index >= 0 ? gpr[parts.index] * parts.scale : 0);
		if (c->form.p67 && parts.base >= 0)
			gpr[parts.base] = (uint32_t)gpr[parts.base] | garbage;
	}
}
