/* SPDX-License-Identifier: GPL-2.0-only */
/* Immediate operands: as many bytes as a processor takes, so that what follows is int3. */
#include <string.h>

#include "form.h"

static unsigned full_immediate(const struct form *form)
{
	return form->p66 && !form->w ? 2 : 4;
}

static unsigned immediates_one(const struct form *form)
{
	const uint8_t opcode = form->opcode;
	const bool tests = form_reg(form) < 2;

	if (opcode < 0x40)
		return (opcode & 7) == 4 ? 1 : (opcode & 7) == 5 ? full_immediate(form) : 0;
	if (opcode >= 0xb8 && opcode < 0xc0)
		return form->w ? 8 : full_immediate(form);
	if (opcode >= 0xa0 && opcode < 0xa4)
		return form->p67 ? 4 : 8;
	if ((opcode & 0xf0) == 0x70 || (opcode & 0xf8) == 0xb0)
		return 1;
	switch (opcode) {
	case 0x68: case 0x69: case 0x81: case 0xa9: case 0xc7: case 0xe8: case 0xe9:
		return full_immediate(form);
	case 0x6a: case 0x6b: case 0x80: case 0x82: case 0x83: case 0xa8: case 0xc0: case 0xc1: case 0xc6: case 0xcd:
	case 0xe0: case 0xe1: case 0xe2: case 0xe3: case 0xe4: case 0xe5: case 0xe6: case 0xe7: case 0xeb:
	case 0xd4: case 0xd5:
		return 1;
	case 0xc2: case 0xca:
		return 2;
	case 0xc8:
		return 3;
	case 0xf6:
		return tests ? 1 : 0;
	case 0xf7:
		return tests ? full_immediate(form) : 0;
	default:
		return 0;
	}
}

static unsigned immediates_0f(const struct form *form)
{
	const uint8_t opcode = form->opcode;

	if ((opcode & 0xf0) == 0x80)
		return full_immediate(form);
	if (opcode == 0x78)
		return form->map == MAP_0F && (form->pp == PP_66 || form->pp == PP_F2) ? 2 : 0;
	return (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xa4 || opcode == 0xac || opcode == 0xba || opcode == 0xc2 ||
	       (opcode >= 0xc4 && opcode <= 0xc6) || opcode == 0x0f;
}

static unsigned immediates_of(const struct form *form)
{
	switch (form->map) {
	case MAP_ONE:
		return immediates_one(form);
	case MAP_0F:
		return immediates_0f(form);
	case MAP_VEX1:
		return (form->opcode & 0xf0) == 0x80 ? 0 : immediates_0f(form);
	case MAP_0F3A:
	case MAP_VEX3:
	case MAP_EVEX:
		return 1;
	case MAP_XOP:
		return form->vvvv & 1 ? 1 : 4;
	default:
		return 0;
	}
}

static bool is_jump(const struct form *form)
{
	const uint8_t opcode = form->opcode;

	if (form->map == MAP_0F)
		return (opcode & 0xf0) == 0x80;
	return form->map == MAP_ONE && ((opcode & 0xf0) == 0x70 || (opcode >= 0xe0 && opcode <= 0xe3) || opcode == 0xe8 ||
					opcode == 0xe9 || opcode == 0xeb);
}

void immediate_make(struct dice *dice, struct form *form)
{
	uint64_t value = dice_integer(dice);

	form->immediates = (uint8_t)immediates_of(form);
	/* Onto int3, in front or behind, and never onto itself. */
	if (is_jump(form))
		value = dice_percent(dice, 50) ? 4 + dice_below(dice, 100) : (uint64_t)0 - 24 - dice_below(dice, 100);
	if (form->map == MAP_ONE && form->opcode >= 0xa0 && form->opcode < 0xa4 && dice_percent(dice, 90))
		value = DATA + dice_below(dice, DATA_BYTES);
	if (form->immediates == 1 && dice_percent(dice, 50))
		value = dice_next(dice);
	if (is_jump(form) && form->immediates == 1 && (uint8_t)(value + 20) < 24)
		value = 5;
	memcpy(form->immediate, &value, sizeof(value));
}
