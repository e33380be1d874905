/* SPDX-License-Identifier: GPL-2.0-only */
/* The row of the opcode maps that says what an instruction is. */
#include "engine/x86/decoder.h"

static const struct x86_row *legacy_rows(const struct x86_insn *insn)
{
	x86_map *const maps[] = { &x86_one_byte, &x86_0f, &x86_0f38, &x86_0f3a };

	if (insn->map == 0 && (insn->opcode & 0xf8) == 0xd8)
		return x86_escape[insn->opcode & 7];
	return (*maps[insn->map])[insn->opcode];
}

const struct x86_row *x86_rows_of(const struct x86_decoder *d)
{
	x86_map *const vex[] = { NULL, &x86_vex_0f, &x86_vex_0f38, &x86_vex_0f3a };
	x86_map *const xop[] = { &x86_xop_8, &x86_xop_9, &x86_xop_a };
	const struct x86_insn *insn = d->insn;

	if (insn->encoding == X86_LEGACY)
		return legacy_rows(insn);
	if (insn->encoding != X86_XOP_ENCODING)
		return insn->map >= 1 && insn->map <= 3 ? (*vex[insn->map])[insn->opcode] : NULL;
	return insn->map >= X86_MAP_XOP && insn->map < X86_MAP_XOP + 3 ? (*xop[insn->map - X86_MAP_XOP])[insn->opcode] : NULL;
}

static bool fits_modrm(const struct x86_insn *insn, uint32_t when)
{
	bool memory = insn->modrm < 0xc0;
	unsigned digit = insn->modrm >> 3 & 7, low = insn->modrm & 7;

	if ((when & MEM) == MEM && !memory)
		return false;
	if ((when & REG) == REG && memory)
		return false;
	if ((when & DIGIT(0)) == DIGIT(0) && digit != (when >> 8 & 7))
		return false;
	return (when & LOW(0)) != LOW(0) || low == (when >> 12 & 7);
}

static bool fits_prefixes(const struct x86_insn *insn, uint32_t when)
{
	if (when & 15 && !(when >> insn->pp & 1))
		return false;
	if (when & (insn->w ? W0 : W1) || when & (insn->vex_l ? L0 : L1))
		return false;
	return !(when & B0 && insn->b);
}

static bool has_features(const struct x86_decoder *d, const struct x86_row *row)
{
	uint64_t features = d->cpu->features;
	unsigned needed = row->what >> 16 & 0xff;

	if (needed && !(features >> (needed - 1) & 1))
		return false;
	if (row->when & (d->cpu->intel ? AMD : INTEL))
		return false;
	if ((row->what >> 8 & 0xff) == X86_VEX && !(features >> X86_AVX & 1))
		return false;
	return !(row->what & AVX2_256 && d->insn->vex_l) || features >> X86_AVX2 & 1;
}

const struct x86_row *x86_find_row(const struct x86_decoder *d, const struct x86_row *rows)
{
	if (!rows)
		return NULL;
	for (; rows->operands; rows++)
		if (fits_modrm(d->insn, rows->when) && fits_prefixes(d->insn, rows->when) && has_features(d, rows))
			return rows;
	return NULL;
}

/* As AMD's Zen does it: the opcode says how much is fetched, whether it is one or not. */
const struct x86_row *x86_shape_of(const struct x86_decoder *d, const struct x86_row *rows)
{
	static const struct x86_row nothing = { 0, "", 0 }, modrm = { RM, "", 0 }, byte = { RM, "Ib", 0 }, four = { RM, "Id", 0 };
	const struct x86_insn *insn = d->insn;
	bool xop = insn->encoding == X86_XOP_ENCODING;

	if (xop)
		return insn->map == X86_MAP_XOP + 2 ? &four : &modrm;
	if (rows)
		return rows;
	if (insn->encoding != X86_LEGACY && insn->map == 1)
		rows = x86_0f[insn->opcode];
	if (rows)
		return rows;
	if (insn->map == 3)
		return &byte;
	return insn->map <= 1 && (insn->encoding == X86_LEGACY || insn->map == 1) ? &nothing : &modrm;
}
