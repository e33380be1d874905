/* SPDX-License-Identifier: GPL-2.0-only */
/* What an instruction begins with: prefixes, VEX and the opcode (Intel SDM vol. 2, 2.1 to 2.3). */
#include "engine/x86/decoder.h"

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

uint8_t x86_fetch(struct x86_decoder *d)
{
	if (d->stopped)
		return 0;
	if (d->at == X86_MAX_LENGTH || d->at == d->size) {
		d->insn->verdict = d->at == X86_MAX_LENGTH ? X86_GP : X86_SHORT;
		d->stopped = true;
		return 0;
	}
	return d->bytes[d->at++];
}

uint64_t x86_fetch_number(struct x86_decoder *d, unsigned bytes)
{
	uint64_t ret = 0;

	for (unsigned i = 0; i < bytes; i++)
		ret |= (uint64_t)x86_fetch(d) << 8 * i;
	return ret;
}

/* The other segments' overrides do nothing in 64-bit mode; they do not undo FS and GS either. */
static bool take_legacy_prefix(uint8_t byte, struct x86_insn *insn)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: insn->void_segment = true; return true;
	case 0x64: insn->segment = X86_FS; return true;
	case 0x65: insn->segment = X86_GS; return true;
	case 0x66: insn->operand16 = true; return true;
	case 0x67: insn->address32 = true; return true;
	case 0xf0: insn->lock = true; return true;
	case 0xf2: case 0xf3: insn->rep = byte; return true;
	default: return false;
	}
}

static void set_rex(struct x86_insn *insn, uint8_t rex)
{
	insn->w = rex & REX_W;
	insn->r = rex & REX_R;
	insn->x = rex & REX_X;
	insn->b = rex & REX_B;
}

/* The byte behind them. A REX that is not the last one is void. */
static uint8_t take_prefixes(struct x86_decoder *d)
{
	uint8_t rex = 0;

	for (;;) {
		uint8_t byte = x86_fetch(d);

		if ((byte & 0xf0) == 0x40) {
			rex = byte;
		} else if (take_legacy_prefix(byte, d->insn)) {
			rex = 0;
		} else {
			d->insn->rex = rex;
			set_rex(d->insn, rex);
			return byte;
		}
	}
}

static uint8_t mandatory_prefix(const struct x86_insn *insn)
{
	if (insn->rep)
		return insn->rep == 0xf3 ? 2 : 3;
	return insn->operand16;
}

static void take_byte(struct x86_decoder *d)
{
	d->insn->opcode_at = (uint8_t)d->at;
	d->insn->opcode = x86_fetch(d);
}

/* Of VEX the last byte, which the long form and XOP have, too. */
static void take_vex_last(struct x86_insn *insn, uint8_t last)
{
	insn->pp = last & 3;
	insn->vvvv = ~last >> 3 & 15;
	insn->vex_l = last & 4;
}

static void take_vex2(struct x86_decoder *d)
{
	uint8_t only = x86_fetch(d);

	set_rex(d->insn, only & 0x80 ? 0 : REX_R);
	take_vex_last(d->insn, only);
	d->insn->map = 1;
}

static void take_vex3(struct x86_decoder *d)
{
	uint8_t first = x86_fetch(d), last = x86_fetch(d);

	set_rex(d->insn, (uint8_t)((~first >> 5 & 7) | (last & 0x80 ? REX_W : 0)));
	take_vex_last(d->insn, last);
	d->insn->map = first & 0x1f;
}

static void take_vex(struct x86_decoder *d, enum x86_encoding encoding)
{
	const struct x86_insn *insn = d->insn;

	/* Nothing may stand in front of it that it replaces. */
	d->refused = insn->lock || insn->operand16 || insn->rep;
	d->insn->encoding = (uint8_t)encoding;
	if (encoding == X86_VEX2)
		take_vex2(d);
	else
		take_vex3(d);
	take_byte(d);
}

static void take_legacy(struct x86_decoder *d, uint8_t byte)
{
	d->insn->pp = mandatory_prefix(d->insn);
	d->insn->opcode = byte;
	d->insn->opcode_at = (uint8_t)(d->at - 1);
	if (byte != 0x0f)
		return;
	d->insn->map = 1;
	take_byte(d);
	if (d->insn->opcode == 0x38 || d->insn->opcode == 0x3a) {
		d->insn->map = d->insn->opcode == 0x38 ? 2 : 3;
		take_byte(d);
	}
}

/* 8F is pop, whose ModRM has a reg field of 0. XOP's map is 8 or more, so that this would be another one; so it would be of
 * a reg field of 4, which nothing has. Intel's processors know nothing of that. */
static bool is_xop(const struct x86_decoder *d)
{
	if (d->cpu->intel && !(d->cpu->features & (1ull << X86_XOP | 1ull << X86_TBM)))
		return false;
	return d->at < d->size && d->at < X86_MAX_LENGTH && (d->bytes[d->at] & 0x38);
}

void x86_take_opcode(struct x86_decoder *d)
{
	uint8_t byte = take_prefixes(d);

	if (d->insn->rex) /* behind which VEX is the lds, les or pop that its first byte was once */
		take_legacy(d, byte);
	else if (byte == 0xc5)
		take_vex(d, X86_VEX2);
	else if (byte == 0xc4)
		take_vex(d, X86_VEX3);
	else if (byte == 0x8f && is_xop(d))
		take_vex(d, X86_XOP_ENCODING);
	else
		take_legacy(d, byte);
}
