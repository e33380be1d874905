/* SPDX-License-Identifier: GPL-2.0-only */
/* Encodings of 64-bit mode, made up field by field: what is reserved and what is odd, too. */
#include "form.h"

#include <string.h>

/* Shares of the maps, in a hundred. */
static const uint8_t shares[MAPS] = {
	[MAP_ONE] = 22, [MAP_0F] = 27, [MAP_0F38] = 11, [MAP_0F3A] = 8, [MAP_X87] = 10,
	[MAP_VEX1] = 8, [MAP_VEX2] = 8, [MAP_VEX3] = 4, [MAP_XOP] = 1, [MAP_EVEX] = 1,
};

/* Bit per opcode: has ModRM. Of map ONE and 0F; all others have. */
static bool has_modrm(unsigned map, unsigned opcode)
{
	if (map == MAP_ONE)
		return (opcode < 0x40 && (opcode & 7) < 4) || opcode == 0x63 || opcode == 0x69 || opcode == 0x6b ||
		       (opcode >= 0x80 && opcode < 0x90) || (opcode & 0xfe) == 0xc0 || (opcode & 0xfe) == 0xc6 ||
		       (opcode >= 0xd0 && opcode < 0xd4) || (opcode & 0xfe) == 0xf6 || opcode >= 0xfe;
	if (map == MAP_0F)
		return !((opcode >= 0x04 && opcode <= 0x0b) || opcode == 0x0e || opcode == 0x0c || (opcode >= 0x30 && opcode <= 0x3f) ||
			 opcode == 0x77 || (opcode >= 0x80 && opcode < 0x90) || (opcode >= 0xa0 && opcode <= 0xa2) ||
			 (opcode >= 0xa8 && opcode <= 0xaa) || (opcode >= 0xc8 && opcode < 0xd0));
	if (map == MAP_VEX1)
		return opcode != 0x77;
	return true;
}

bool form_is_string(const struct form *form)
{
	const uint8_t opcode = form->opcode;

	return form->map == MAP_ONE && ((opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf) ||
					(opcode >= 0x6c && opcode <= 0x6f));
}

bool form_is_gather(const struct form *form)
{
	return form->map == MAP_VEX2 && form->opcode >= 0x90 && form->opcode <= 0x93;
}

bool form_is_group(const struct form *form)
{
	const uint8_t opcode = form->opcode;

	switch (form->map) {
	case MAP_ONE:
		return (opcode >= 0x80 && opcode < 0x84) || opcode == 0x8f || (opcode & 0xfe) == 0xc0 || (opcode & 0xfe) == 0xc6 ||
		       (opcode >= 0xd0 && opcode < 0xd4) || (opcode & 0xfe) == 0xf6 || opcode >= 0xfe;
	case MAP_0F:
		return opcode <= 1 || opcode == 0x0d || (opcode >= 0x18 && opcode <= 0x1f) || (opcode >= 0x71 && opcode <= 0x73) ||
		       opcode == 0xae || opcode == 0xba || opcode == 0xc7;
	case MAP_X87:
		return true;
	case MAP_VEX1:
		return (opcode >= 0x71 && opcode <= 0x73) || opcode == 0xae;
	case MAP_VEX2:
		return opcode == 0xf3;
	default:
		return false;
	}
}

static void add_prefix(struct form *form, uint8_t prefix)
{
	form->prefix[form->prefixes++] = prefix;
}

/* What any instruction may have in front of it, sensible or not. */
static void make_odd_prefixes(struct dice *dice, struct form *form)
{
	static const uint8_t odd[] = { 0x66, 0x66, 0x67, 0x67, 0xf2, 0xf3, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x48, 0x41 };
	unsigned n = dice_percent(dice, 3) ? 3 + dice_below(dice, 9) : 1 + dice_below(dice, 2);

	while (n--)
		add_prefix(form, odd[dice_below(dice, sizeof(odd))]);
}

/* That most instructions of a map have. */
static unsigned make_pp(struct dice *dice, unsigned map)
{
	if ((map == MAP_0F38 || map == MAP_0F3A || map == MAP_VEX2 || map == MAP_VEX3) && dice_percent(dice, 65))
		return PP_66;
	return dice_below(dice, 4);
}

static void make_prefixes(struct dice *dice, struct form *form)
{
	static const uint8_t mandatory[] = { 0, 0x66, 0xf3, 0xf2 };
	const bool vex = form_is_vex(form);

	if (dice_percent(dice, vex ? 5 : 20))
		make_odd_prefixes(dice, form);
	if (vex)
		return;
	if (form->map == MAP_ONE ? dice_percent(dice, 25) : form->map != MAP_X87)
		form->pp = (uint8_t)make_pp(dice, form->map);
	if (form->pp)
		add_prefix(form, mandatory[form->pp]);
	if (dice_percent(dice, form->map == MAP_ONE ? 6 : 2))
		add_prefix(form, 0xf0);
	if (dice_percent(dice, 45))
		add_prefix(form, (uint8_t)(0x40 + dice_below(dice, 16)));
}

/* What the prefixes mean together. */
static void read_prefixes(struct form *form)
{
	for (unsigned i = 0; i < form->prefixes; i++) {
		const uint8_t prefix = form->prefix[i];

		form->rex = (prefix & 0xf0) == 0x40 ? prefix : 0;
		form->p66 |= prefix == 0x66;
		form->p67 |= prefix == 0x67;
		form->lock |= prefix == 0xf0;
		if (prefix == 0xf2 || prefix == 0xf3)
			form->rep = prefix;
		if (prefix == 0x64 || prefix == 0x65)
			form->segment = prefix;
	}
	if (form_is_vex(form))
		return;
	form->w = form->rex & 8;
	form->r = form->rex & 4 ? 8 : 0;
	form->x = form->rex & 2 ? 8 : 0;
	form->b = form->rex & 1 ? 8 : 0;
	form->pp = form->rep == 0xf3 ? PP_F3 : form->rep ? PP_F2 : form->p66 ? PP_66 : PP_NONE;
}

static void make_vex(struct dice *dice, struct form *form)
{
	form->pp = (uint8_t)make_pp(dice, form->map);
	form->w = dice_percent(dice, 25);
	form->l = dice_percent(dice, 50);
	form->r = (uint8_t)(dice_below(dice, 2) << 3);
	form->x = (uint8_t)(dice_below(dice, 2) << 3);
	form->b = (uint8_t)(dice_below(dice, 2) << 3);
	form->vvvv = dice_percent(dice, 45) ? 0 : (uint8_t)dice_below(dice, 16);
}

static void make_displacement(struct dice *dice, struct form *form)
{
	unsigned mod = form->modrm >> 6, rm = form->modrm & 7;
	bool absolute = mod == 0 && (rm == 5 || (rm == 4 && (form->sib & 7) == 5));

	form->displacement_bytes = mod == 1 ? 1 : mod == 2 || absolute ? 4 : 0;
	form->displacement = mod == 1 ? (int8_t)dice_next(dice) : mod == 2 || absolute ? (int32_t)dice_integer(dice) : 0;
	if (form->displacement_bytes == 4 && dice_percent(dice, 50))
		form->displacement >>= dice_below(dice, 24);
}

static void make_modrm(struct dice *dice, struct form *form)
{
	form->has_modrm = has_modrm(form->map, form->opcode);
	if (!form->has_modrm)
		return;
	form->modrm = (uint8_t)dice_next(dice);
	if (dice_percent(dice, 50))
		form->modrm |= 0xc0;
	if (form->map == MAP_0F && (form->opcode & 0xfc) == 0x20) /* mov to and from control registers: all are registers */
		form->modrm |= 0xc0;
	if (form_is_gather(form) && dice_percent(dice, 90))
		form->modrm = (uint8_t)((form->modrm & 0xb8) | 4);
	form->memory = form->modrm < 0xc0;
	form->sib = (uint8_t)dice_next(dice);
	if (form->memory)
		make_displacement(dice, form);
}

static unsigned make_map(struct dice *dice, const struct filter *filter)
{
	unsigned map, at;

	do {
		at = dice_below(dice, 100);
		for (map = 0; at >= shares[map]; map++)
			at -= shares[map];
	} while (filter->maps && !(filter->maps >> map & 1));
	return map;
}

/* Ranges of opcodes that are not reserved, in the maps where these are few; doubled where there is more to see. */
static const struct range {
	uint8_t map, first, last;
} ranges[] = {
	{ MAP_0F38, 0x00, 0x0b }, { MAP_0F38, 0x10, 0x17 }, { MAP_0F38, 0x1c, 0x25 }, { MAP_0F38, 0x28, 0x2b },
	{ MAP_0F38, 0x30, 0x41 }, { MAP_0F38, 0xc8, 0xcf }, { MAP_0F38, 0xdb, 0xdf }, { MAP_0F38, 0xf0, 0xf6 },
	{ MAP_0F3A, 0x08, 0x0f }, { MAP_0F3A, 0x14, 0x17 }, { MAP_0F3A, 0x20, 0x22 }, { MAP_0F3A, 0x40, 0x44 },
	{ MAP_0F3A, 0x60, 0x63 }, { MAP_0F3A, 0x60, 0x63 }, { MAP_0F3A, 0xcc, 0xcc }, { MAP_0F3A, 0xdf, 0xdf },
	{ MAP_VEX1, 0x10, 0x17 }, { MAP_VEX1, 0x28, 0x2f }, { MAP_VEX1, 0x50, 0x7f }, { MAP_VEX1, 0xc2, 0xc6 },
	{ MAP_VEX1, 0xd0, 0xff }, { MAP_VEX1, 0xae, 0xae },
	{ MAP_VEX2, 0x00, 0x0f }, { MAP_VEX2, 0x13, 0x13 }, { MAP_VEX2, 0x16, 0x1e }, { MAP_VEX2, 0x20, 0x41 },
	{ MAP_VEX2, 0x45, 0x47 }, { MAP_VEX2, 0x58, 0x5a }, { MAP_VEX2, 0x78, 0x79 }, { MAP_VEX2, 0x8c, 0x8e },
	{ MAP_VEX2, 0x90, 0x93 }, { MAP_VEX2, 0x90, 0x93 }, { MAP_VEX2, 0x96, 0x9f }, { MAP_VEX2, 0xa6, 0xaf },
	{ MAP_VEX2, 0xb6, 0xbf }, { MAP_VEX2, 0xcf, 0xcf }, { MAP_VEX2, 0xdb, 0xdf }, { MAP_VEX2, 0xf2, 0xf7 },
	{ MAP_VEX3, 0x00, 0x0f }, { MAP_VEX3, 0x14, 0x1d }, { MAP_VEX3, 0x20, 0x22 }, { MAP_VEX3, 0x38, 0x39 },
	{ MAP_VEX3, 0x40, 0x46 }, { MAP_VEX3, 0x4a, 0x4c }, { MAP_VEX3, 0x60, 0x63 }, { MAP_VEX3, 0xce, 0xcf },
	{ MAP_VEX3, 0xdf, 0xdf }, { MAP_VEX3, 0xf0, 0xf0 },
};
enum { RANGES = sizeof(ranges) / sizeof(ranges[0]) };

/* Mostly one that is not reserved, each with the same chance. */
static uint8_t make_opcode(struct dice *dice, unsigned map)
{
	unsigned all = 0, at;

	if (map == MAP_X87)
		return (uint8_t)(0xd8 + dice_below(dice, 8));
	for (unsigned i = 0; i < RANGES; i++)
		all += ranges[i].map == map ? ranges[i].last - ranges[i].first + 1u : 0;
	if (!all || dice_percent(dice, 8))
		return (uint8_t)dice_next(dice);
	at = dice_below(dice, all);
	for (unsigned i = 0; i < RANGES; i++) {
		unsigned here = ranges[i].map == map ? ranges[i].last - ranges[i].first + 1u : 0;

		if (at < here)
			return (uint8_t)(ranges[i].first + at);
		at -= here;
	}
	return 0;
}

/* Neither a prefix nor the begin of another map. */
static bool is_opcode(unsigned map, unsigned opcode)
{
	if (map == MAP_ONE)
		return opcode != 0x0f && (opcode & 0xe7) != 0x26 && (opcode & 0xf0) != 0x40 && (opcode & 0xfc) != 0x64 &&
		       opcode != 0xf0 && opcode != 0xf2 && opcode != 0xf3 && (opcode & 0xfe) != 0xc4 && opcode != 0x62 &&
		       (opcode & 0xf8) != 0xd8;
	return map != MAP_0F || (opcode != 0x38 && opcode != 0x3a);
}

static void form_once(struct dice *dice, const struct filter *filter, struct form *form)
{
	memset(form, 0, sizeof(*form));
	form->map = (uint8_t)make_map(dice, filter);
	do
		form->opcode = filter->opcode >= 0 ? (uint8_t)filter->opcode : make_opcode(dice, form->map);
	while (!is_opcode(form->map, form->opcode) && filter->opcode < 0);
	if (form_is_vex(form))
		make_vex(dice, form);
	make_prefixes(dice, form);
	read_prefixes(form);
	make_modrm(dice, form);
	immediate_make(dice, form);
}

void form_make(struct dice *dice, const struct filter *filter, struct form *ret)
{
	do
		form_once(dice, filter, ret);
	while (form_excluded(ret));
}

static unsigned encode_vex(const struct form *form, uint8_t *to)
{
	const uint8_t rxb = (uint8_t)((form->r ? 0 : 0x80) | (form->x ? 0 : 0x40) | (form->b ? 0 : 0x20));
	const uint8_t last = (uint8_t)((~form->vvvv & 15) << 3 | (form->l ? 4 : 0) | form->pp);

	if (form->map == MAP_EVEX) {
		const uint8_t evex[4] = { 0x62, (uint8_t)(rxb | 0x11), (uint8_t)(last | 4 | (form->w ? 0x80 : 0)), 8 };

		memcpy(to, evex, sizeof(evex));
		return sizeof(evex);
	}
	/* The short form where it says the same, for half of them. */
	if (form->map == MAP_VEX1 && !form->x && !form->b && !form->w && (form->sib & 0x40)) {
		to[0] = 0xc5;
		to[1] = (uint8_t)((rxb & 0x80) | last);
		return 2;
	}
	to[0] = form->map == MAP_XOP ? 0x8f : 0xc4;
	to[1] = (uint8_t)(rxb | (form->map == MAP_XOP ? 8 + form->vvvv % 3 : form->map - MAP_VEX1 + 1));
	to[2] = (uint8_t)(last | (form->w ? 0x80 : 0));
	return 3;
}

static unsigned encode_escape(const struct form *form, uint8_t *to)
{
	unsigned n = 0;

	if (form->map != MAP_ONE && form->map != MAP_X87)
		to[n++] = 0x0f;
	if (form->map == MAP_0F38)
		to[n++] = 0x38;
	if (form->map == MAP_0F3A)
		to[n++] = 0x3a;
	return n;
}

unsigned form_encode(const struct form *form, uint64_t skip, uint8_t code[CODE_MOST])
{
	uint8_t all[64];
	unsigned n = 0;

	for (unsigned i = 0; i < form->prefixes; i++)
		if (!(skip >> i & 1))
			all[n++] = form->prefix[i];
	n += form_is_vex(form) ? encode_vex(form, all + n) : encode_escape(form, all + n);
	all[n++] = form->opcode;
	if (form->has_modrm)
		all[n++] = form->modrm;
	if (form->memory) {
		if ((form->modrm & 7) == 4)
			all[n++] = form->sib;
		memcpy(all + n, &form->displacement, form->displacement_bytes);
		n += form->displacement_bytes;
	}
	memcpy(all + n, form->immediate, form->immediates);
	n += form->immediates;
	n = n < CODE_MOST ? n : CODE_MOST;
	memcpy(code, all, n);
	return n;
}
