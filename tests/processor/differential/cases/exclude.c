/* SPDX-License-Identifier: GPL-2.0-only */
/* What cannot be compared with the host's processor under an operating system. */
#include "form.h"

#define SELECTOR "loads or asks of a selector, and the descriptor tables differ"
#define LEAVES "leaves for the kernel"
#define RANDOM "another value each time"
#define MODEL "which vendor's processor it is decides"
#define SYSTEM "the kernel answers in the processor's place"
#define STATE "what is in use within the processor differs"
#define TAKES "of a kind that the operating system may allow or not"

static const char *excluded_one(const struct form *form)
{
	const unsigned reg = form_reg(form);

	switch (form->opcode) {
	case 0x8e:
	case 0xca: case 0xcb: case 0xcf:
		return SELECTOR;
	case 0xff:
		return reg == 3 || reg == 5 ? SELECTOR : reg == 2 || reg == 4 ? form->p66 ? MODEL : NULL : NULL;
	case 0xcd:
		return form->immediate[0] <= 4 || form->immediate[0] >= 0x20 ? LEAVES : NULL;
	case 0xe0: case 0xe1: case 0xe2: case 0xe3: case 0xe8: case 0xe9: case 0xeb: case 0xc2: case 0xc3:
		return form->p66 ? MODEL : NULL;
	default:
		return (form->opcode & 0xf0) == 0x70 && form->p66 ? MODEL : NULL;
	}
}

static const char *excluded_group7(const struct form *form)
{
	const unsigned reg = form_reg(form);

	if (form->memory)
		return reg < 2 || reg == 4 ? SYSTEM : reg == 5 ? STATE : NULL;
	switch (form->modrm) {
	case 0xca: case 0xcb: /* clac, stac */
	case 0xd1:            /* xsetbv */
	case 0xd5: case 0xd6: /* xend, xtest */
	case 0xf8:            /* swapgs */
		return NULL;
	default:
		return reg == 6 ? NULL : SYSTEM;
	}
}

static const char *excluded_0f(const struct form *form)
{
	const unsigned reg = form_reg(form);

	switch (form->opcode) {
	case 0x00:
		return reg < 2 ? SYSTEM : reg == 4 || reg == 5 ? SELECTOR : NULL;
	case 0x01:
		return excluded_group7(form);
	case 0x02: case 0x03: case 0xa1: case 0xa9: case 0xb2: case 0xb4: case 0xb5:
		return SELECTOR;
	case 0x05: case 0x07: case 0x34: case 0x35:
		return LEAVES;
	case 0x20: case 0x22: /* with LOCK, CR8 of the one and nothing of the other */
		return form->lock ? MODEL : NULL;
	case 0x31: case 0xa2:
		return RANDOM;
	case 0x33:
		return TAKES;
	case 0x0e: case 0x0f:
		return MODEL;
	case 0x0d: /* prefetch */
		return form->memory ? NULL : MODEL;
	case 0xae:
		if (form->memory)
			return reg == 6 && form->pp == PP_NONE ? STATE : reg == 4 && form->rep ? TAKES : NULL; /* xsaveopt, ptwrite */
		return (form->pp && reg == 6) || (form->rep && reg == 4) ? TAKES : NULL; /* tpause, umonitor, umwait */
	case 0xc7:
		if (form->memory)
			return reg == 1 ? NULL : STATE;
		return reg >= 6 ? RANDOM : NULL;
	default:
		return (form->opcode & 0xf0) == 0x80 && form->p66 ? MODEL : NULL;
	}
}

/* Bytes that would be an instruction of the wrong kind, should a processor take the length to be another one. */
static bool holds_system_call(const struct form *form)
{
	uint8_t code[CODE_MOST];
	unsigned n = form_encode(form, 0, code);

	for (unsigned i = 0; i + 1 < n; i++)
		if ((code[i] == 0x0f && (code[i + 1] == 0x05 || code[i + 1] == 0x34)) || (code[i] == 0xcd && code[i + 1] == 0x80))
			return true;
	return false;
}

/* What a manual says, and processors of the other vendor do not know. */
static const char *excluded_vendor(const struct form *form)
{
	if (form->map == MAP_VEX3 && form->opcode <= 1 && !form->w) /* vpermq, vpermpd: W has to be 1 */
		return MODEL;
	if ((form->map == MAP_0F38 && form->opcode >= 0xc8 && form->opcode <= 0xcd) || (form->map == MAP_0F3A && form->opcode == 0xcc))
		return form->memory ? MODEL : NULL; /* SHA: #GP if not aligned */
	return NULL;
}

const char *form_excluded(const struct form *form)
{
	if (holds_system_call(form))
		return LEAVES;
	if (form->map == MAP_ONE)
		return excluded_one(form);
	if (form->map == MAP_0F)
		return excluded_0f(form);
	return excluded_vendor(form);
}
