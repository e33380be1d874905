/* SPDX-License-Identifier: GPL-2.0-only */
#include "dice.h"

#include <string.h>

#define PICK(dice, table) ((table)[dice_below((dice), sizeof(table) / sizeof((table)[0]))])

static const uint64_t integers[] = {
	0, 1, 2, 3, 7, 8, 0xf, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
	0xfffffffffffffffe, 0xffffffff80000000, 0xffffffff7fffffff, 0xffffffffffffff80, 0x5555555555555555,
	0xaaaaaaaaaaaaaaaa, 0x0123456789abcdef, 0x0000800000000000, 0xff00ff00ff00ff00,
};

static const uint32_t floats[] = {
	0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff,
	0x7fc12345, 0xffedcba9, 0x00000001, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000, 0x7f7fffff,
	0xff7fffff, 0x3fc00000, 0x3dcccccd, 0x3eaaaaab, 0x4f000000, 0xcf000000, 0x4effffff, 0x5f000000, 0xdf000000, 0x4b000001,
	0x3f7fffff, 0x3f800001, 0x34000000, 0x40490fdb, 0xbf000000, 0x3f000000, 0x40200000, 0x477fe000, 0x33000001, 0x387fc000,
};

static const uint64_t doubles[] = {
	0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
	0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001, 0xfff7ffffffffffff, 0x7ff8000000123456,
	0x0000000000000001, 0x8000000000000001, 0x000fffffffffffff, 0x800fffffffffffff, 0x0010000000000000,
	0x7fefffffffffffff, 0xffefffffffffffff, 0x3ff8000000000000, 0x3fb999999999999a, 0x3fd5555555555555,
	0x41dfffffffc00000, 0x41e0000000000000, 0xc1e0000000000000, 0xc1e0000000200000, 0x43e0000000000000, 0xc3e0000000000000,
	0x3fefffffffffffff, 0x3ff0000000000001, 0x400921fb54442d18, 0x4004000000000000, 0x47efffffe0000000, 0x47effffff0000000,
	0x380fffffe0000000, 0x36a0000000000000, 0x3690000000000001,
};

uint64_t dice_integer(struct dice *dice)
{
	uint64_t value = PICK(dice, integers);

	switch (dice_below(dice, 4)) {
	case 0:
		return dice_next(dice);
	case 1:
		return dice_next(dice) >> dice_below(dice, 64);
	case 2:
		return value + dice_below(dice, 5) - 2;
	default:
		return value;
	}
}

void dice_bytes(struct dice *dice, uint8_t *to, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)dice_next(dice);
}

/* Numbers near to each other are those whose sums and quotients are worth a look. */
static uint32_t make_float(struct dice *dice)
{
	if (dice_percent(dice, 50))
		return PICK(dice, floats);
	if (dice_percent(dice, 20))
		return (uint32_t)dice_next(dice);
	return ((uint32_t)dice_next(dice) % 0x10000000 + 0x37000000) | (uint32_t)dice_below(dice, 2) << 31;
}

static uint64_t make_double(struct dice *dice)
{
	if (dice_percent(dice, 50))
		return PICK(dice, doubles);
	if (dice_percent(dice, 20))
		return dice_next(dice);
	return (dice_next(dice) % 0x0800000000000000 + 0x3c00000000000000) | (uint64_t)dice_below(dice, 2) << 63;
}

static uint64_t make_word(struct dice *dice, unsigned kind)
{
	uint64_t value;

	switch (kind) {
	case 0:
	case 1:
		value = make_float(dice);
		return value | (uint64_t)make_float(dice) << 32;
	case 2:
	case 3:
		return make_double(dice);
	case 4:
		return dice_integer(dice);
	case 5: /* text, for what compares strings */
		return dice_next(dice) & 0x0303030303030303;
	case 6:
		return 0;
	default:
		return dice_next(dice);
	}
}

void dice_elements(struct dice *dice, uint8_t *to, unsigned bytes)
{
	unsigned kind = dice_below(dice, 8);

	for (unsigned at = 0; at < bytes; at += 8) {
		uint64_t value = make_word(dice, kind);

		memcpy(to + at, &value, 8);
	}
}

static void put_x87(uint8_t to[10], uint16_t exponent, uint64_t significand)
{
	memcpy(to, &significand, 8);
	memcpy(to + 8, &exponent, 2);
}

/* Mostly numbers; else all that a significand and an exponent can be, also what no instruction would make. */
void dice_x87(struct dice *dice, uint8_t to[10])
{
	static const uint16_t exponents[] = {
		0, 1, 0x3fff, 0x3ffe, 0x4000, 0x3fbf, 0x403e, 0x403d, 0x7ffe, 0x7fff, 0x3fc0, 0x400e, 0x401e, 0x3c01, 0x43fe,
		0x3f81, 0x407e, 0x3f6a, 0x3bcd,
	};
	static const uint64_t significands[] = {
		0x8000000000000000, 0xffffffffffffffff, 0xc000000000000000, 0xc90fdaa22168c235, 0x8000000000000001, 0, 1,
		0x4000000000000000, 0xfffffffffffff800, 0xfffffffffffffc00, 0xffffff8000000000, 0x9a209a84fbcff798,
	};
	uint16_t sign = (uint16_t)(dice_below(dice, 2) << 15);

	if (dice_percent(dice, 40))
		put_x87(to, 0x3fff + (uint16_t)dice_below(dice, 140) - 70 + sign, dice_next(dice) | 1ull << 63);
	else if (dice_percent(dice, 80))
		put_x87(to, PICK(dice, exponents) | sign, PICK(dice, significands));
	else
		put_x87(to, (uint16_t)dice_next(dice), dice_next(dice));
}

uint32_t dice_mxcsr(struct dice *dice)
{
	enum { MASKS = 0x1f80, DAZ = 1 << 6, FTZ = 1 << 15 };
	uint32_t value = MASKS;

	if (dice_percent(dice, 40))
		return value;
	value |= dice_below(dice, 4) << 13;
	if (dice_percent(dice, 30))
		value |= DAZ;
	if (dice_percent(dice, 30))
		value |= FTZ;
	if (dice_percent(dice, 30))
		value |= dice_below(dice, 64);
	if (dice_percent(dice, 25))
		value &= ~(1u << (7 + dice_below(dice, 6)));
	return value;
}
