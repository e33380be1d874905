/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/decode/x86.h"

#include "engine/decode/x86_rows.h"

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8, MAP_XOP = 8 };

struct decoder {
	const struct x86_cpu *cpu;
	const uint8_t *bytes;
	size_t size;
	struct x86_insn *insn;
	unsigned at;    /* the next byte */
	bool stopped;   /* by insn->verdict, the first one that was found */
};

static void stop(struct decoder *d, enum x86_verdict verdict)
{
	if (!d->stopped)
		d->insn->verdict = (uint8_t)verdict;
	d->stopped = true;
}

static uint8_t fetch(struct decoder *d)
{
	if (d->stopped)
		return 0;
	if (d->at == X86_MAX_LENGTH) {
		stop(d, X86_GP);
		return 0;
	}
	if (d->at == d->size) {
		stop(d, X86_SHORT);
		return 0;
	}
	return d->bytes[d->at++];
}

static uint64_t fetch_number(struct decoder *d, unsigned bytes)
{
	uint64_t ret = 0;

	for (unsigned i = 0; i < bytes; i++)
		ret |= (uint64_t)fetch(d) << 8 * i;
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
static uint8_t take_prefixes(struct decoder *d)
{
	uint8_t rex = 0;

	for (;;) {
		uint8_t byte = fetch(d);

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

static void take_opcode(struct decoder *d)
{
	d->insn->opcode_at = (uint8_t)d->at;
	d->insn->opcode = fetch(d);
}

/* Behind 0F; the map's rows, NULL for 3DNow!, whose opcode comes last. */
static x86_map *take_0f(struct decoder *d)
{
	d->insn->map = 1;
	take_opcode(d);
	switch (d->insn->opcode) {
	case 0x0f:
		return NULL;
	case 0x38:
		d->insn->map = 2;
		take_opcode(d);
		return &x86_0f38;
	case 0x3a:
		d->insn->map = 3;
		take_opcode(d);
		return &x86_0f3a;
	default:
		return &x86_0f;
	}
}

/* What VEX of three bytes and XOP have behind their first; the map's number. */
static uint8_t take_vex3(struct decoder *d)
{
	uint8_t first = fetch(d), second = fetch(d);

	set_rex(d->insn, (uint8_t)((~first >> 5 & 7) | (second & 0x80 ? REX_W : 0)));
	d->insn->pp = second & 3;
	d->insn->vvvv = ~second >> 3 & 15;
	d->insn->vex_l = second & 4;
	return first & 0x1f;
}

/* Nothing that VEX replaces may stand in front of it. */
static void refuse_prefixes(struct decoder *d)
{
	if (d->insn->lock || d->insn->operand16 || d->insn->rep || d->insn->rex)
		stop(d, X86_UD);
}

static x86_map *take_vex(struct decoder *d, bool three_bytes)
{
	x86_map *const maps[] = { NULL, &x86_vex_0f, &x86_vex_0f38, &x86_vex_0f3a };

	d->insn->encoding = three_bytes ? X86_VEX3 : X86_VEX2;
	refuse_prefixes(d);
	if (three_bytes) {
		d->insn->map = take_vex3(d);
	} else {
		uint8_t only = fetch(d);

		d->insn->map = 1;
		d->insn->r = !(only & 0x80);
		d->insn->vvvv = ~only >> 3 & 15;
		d->insn->vex_l = only & 4;
		d->insn->pp = only & 3;
	}
	if (d->insn->map < 1 || d->insn->map > 3) {
		stop(d, X86_UD);
		return NULL;
	}
	take_opcode(d);
	return maps[d->insn->map];
}

static x86_map *take_xop(struct decoder *d)
{
	x86_map *const maps[] = { &x86_xop_8, &x86_xop_9, &x86_xop_a };

	d->insn->encoding = X86_XOP_ENCODING;
	refuse_prefixes(d);
	d->insn->map = take_vex3(d);
	if (d->insn->map > 10 || !(d->cpu->features >> X86_XOP & 1)) {
		stop(d, X86_UD);
		return NULL;
	}
	take_opcode(d);
	return maps[d->insn->map - MAP_XOP];
}

/* 8F is pop, whose ModRM has a reg field of 0; what would be another one's begins XOP with a map of 8 or more. */
static bool is_xop(const struct decoder *d)
{
	return d->at < d->size && d->at < X86_MAX_LENGTH && (d->bytes[d->at] & 0x1f) >= MAP_XOP;
}

static bool fits_modrm(const struct decoder *d, uint32_t when)
{
	bool memory = d->insn->modrm < 0xc0;
	unsigned digit = d->insn->modrm >> 3 & 7, low = d->insn->modrm & 7;

	if ((when & MEM) == MEM && !memory)
		return false;
	if ((when & REG) == REG && memory)
		return false;
	if ((when & DIGIT(0)) == DIGIT(0) && digit != (when >> 8 & 7))
		return false;
	return (when & LOW(0)) != LOW(0) || low == (when >> 12 & 7);
}

static bool fits_prefixes(const struct decoder *d, uint32_t when)
{
	const struct x86_insn *insn = d->insn;

	if (when & 15 && !(when >> insn->pp & 1))
		return false;
	if (when & (insn->w ? W0 : W1) || when & (insn->vex_l ? L0 : L1))
		return false;
	return !(when & B0 && insn->b);
}

static bool has_features(const struct decoder *d, uint64_t what)
{
	uint64_t features = d->cpu->features;
	unsigned needed = what >> 16 & 0xff;

	if (needed && !(features >> (needed - 1) & 1))
		return false;
	if ((what >> 8 & 0xff) == X86_VEX && d->insn->encoding != X86_XOP_ENCODING && !(features >> X86_AVX & 1))
		return false;
	return !(what & AVX2_256 && d->insn->vex_l) || features >> X86_AVX2 & 1;
}

static const struct x86_row *find_row(const struct decoder *d, const struct x86_row *row)
{
	for (; row && row->operands; row++)
		if (fits_modrm(d, row->when) && fits_prefixes(d, row->when) && has_features(d, row->what))
			return row;
	return NULL;
}

static int64_t take_displacement(struct decoder *d, unsigned bytes)
{
	unsigned unused = 64 - 8 * bytes;

	if (!bytes)
		return 0;
	d->insn->displacement_at = (uint8_t)d->at;
	d->insn->displacement_bytes = (uint8_t)bytes;
	return (int64_t)(fetch_number(d, bytes) << unused) >> unused;
}

/* The SIB byte; its base field. */
static unsigned take_sib(struct decoder *d, bool vector_index)
{
	struct x86_insn *insn = d->insn;
	uint8_t sib = fetch(d), index = (uint8_t)((sib >> 3 & 7) | (insn->x ? 8 : 0));

	insn->scale = (uint8_t)(1u << (sib >> 6));
	if (index != 4 || vector_index)
		insn->index = index;
	return sib & 7;
}

static void take_memory(struct decoder *d, bool vector_index)
{
	struct x86_insn *insn = d->insn;
	unsigned mod = insn->modrm >> 6, low = insn->modrm & 7, displacement = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	uint8_t base = X86_RIP; /* of mod 0 and low 5 */

	insn->memory = true;
	if (low == 4) {
		low = take_sib(d, vector_index);
		base = X86_NONE;
	} else if (vector_index) {
		stop(d, X86_UD);
	}
	if (mod == 0 && low == 5)
		displacement = 4;
	else
		base = (uint8_t)(low | (insn->b ? 8 : 0));
	insn->base = base;
	insn->displacement = take_displacement(d, displacement);
}

/* Memory whose address is an immediate, or RDI. */
static void take_implied_memory(struct decoder *d, char where)
{
	d->insn->memory = true;
	if (where == 'K')
		d->insn->base = 7;
	else if (d->insn->address32)
		d->insn->displacement = (uint32_t)take_displacement(d, 4);
	else
		d->insn->displacement = take_displacement(d, 8);
}

static unsigned immediate_bytes(const struct decoder *d, uint64_t what, char size)
{
	unsigned word = x86_operand_size(d->cpu, d->insn, what);

	switch (size) {
	case 'b': case 'x': return 1; /* x: a vector by four bits of it */
	case 'w': return 2;
	case 'd': return 4;
	case 'z': return word < 4 ? word : 4;
	default: return word;
	}
}

static void take_immediate(struct decoder *d, unsigned bytes)
{
	if (!d->insn->immediate_at)
		d->insn->immediate_at = (uint8_t)d->at;
	d->insn->immediate_bytes = (uint8_t)(d->insn->immediate_bytes + bytes);
	d->insn->is4 = (uint8_t)(fetch_number(d, bytes) >> 4 & 15);
}

/* What is behind the opcode and ModRM; is what is encoded in them, like a segment's number, one? */
static bool take_operands(struct decoder *d, const struct x86_row *row)
{
	const char *operands = row->operands;
	unsigned digit = d->insn->modrm >> 3 & 7;
	struct x86_operand operand;
	bool valid = true, uses_vvvv = false;

	while (x86_next_operand(&operands, &operand))
		switch (operand.where) {
		case 'I': case 'J': case 'L':
			take_immediate(d, immediate_bytes(d, row->what, operand.size));
			break;
		case 'O': case 'K':
			take_implied_memory(d, operand.where);
			break;
		case 'H': case 'B':
			uses_vvvv = true;
			break;
		case 'S': /* CS cannot be written so */
			valid &= digit < 6 && !(operand.written && digit == 1);
			break;
		case 'C':
			valid &= d->insn->r ? digit == 0 : digit == 0 || (digit >= 2 && digit <= 4);
			break;
		case 'D':
			valid &= !d->insn->r;
			break;
		default:
			break;
		}
	return valid && (uses_vvvv || !d->insn->vvvv);
}

/* Destination, mask and index of a gather must be three. */
static bool has_three_vectors(const struct x86_insn *insn)
{
	unsigned destination = (insn->modrm >> 3 & 7u) | (insn->r ? 8u : 0);

	return destination != insn->vvvv && destination != insn->index && insn->vvvv != insn->index;
}

static bool may_lock(const struct x86_insn *insn, uint64_t what)
{
	return what & LOCKABLE && insn->memory;
}

static void fill(struct decoder *d, const struct x86_row *row)
{
	struct x86_insn *insn = d->insn;

	insn->kind = row->what & 0xff;
	insn->unit = row->what >> 8 & 0xff;
	insn->reads_flags = row->what & FR;
	insn->writes_flags = row->what & FW;
	insn->mxcsr = row->what & MX;
	x86_fill_operands(d->cpu, row, insn);
}

/* From the row on: operands, and whether they are allowed. */
static void take_row(struct decoder *d, const struct x86_row *row)
{
	bool valid;

	if (row->when & RM && !(row->when & (NO_MOD & ~RM)) && d->insn->modrm < 0xc0 && !d->insn->memory)
		take_memory(d, row->what & VSIB);
	valid = take_operands(d, row);
	if (row->what & VSIB && !has_three_vectors(d->insn))
		valid = false;
	if (!valid || (d->insn->lock && !may_lock(d->insn, row->what)))
		stop(d, X86_UD);
	if (!d->stopped)
		fill(d, row);
}

static void take_modrm(struct decoder *d)
{
	d->insn->has_modrm = true;
	d->insn->modrm_at = (uint8_t)d->at;
	d->insn->modrm = fetch(d);
}

static void take_rows(struct decoder *d, const struct x86_row *rows)
{
	const struct x86_row *row;

	if (rows && rows->when & RM)
		take_modrm(d);
	row = find_row(d, rows);
	if (d->stopped)
		return;
	if (row)
		take_row(d, row);
	else
		stop(d, X86_UD);
}

/* 0F 0F, operands, and only then the opcode. */
static void take_3dnow(struct decoder *d)
{
	const struct x86_row *row;

	if (!(d->cpu->features >> X86_3DNOW & 1)) {
		stop(d, X86_UD);
		return;
	}
	take_modrm(d);
	if (d->insn->modrm < 0xc0)
		take_memory(d, false);
	take_opcode(d);
	row = find_row(d, x86_3dnow[d->insn->opcode]);
	if (row)
		take_row(d, row);
	else
		stop(d, X86_UD);
}

static void take_instruction(struct decoder *d)
{
	uint8_t byte = take_prefixes(d);
	x86_map *map = &x86_one_byte;

	if (byte == 0xc4 || byte == 0xc5) {
		map = take_vex(d, byte == 0xc4);
	} else if (byte == 0x8f && is_xop(d)) {
		map = take_xop(d);
	} else {
		d->insn->pp = mandatory_prefix(d->insn);
		d->insn->opcode = byte;
		d->insn->opcode_at = (uint8_t)(d->at - 1);
		if (byte == 0x0f)
			map = take_0f(d);
	}
	if (d->stopped)
		return;
	if (!map)
		take_3dnow(d);
	else if (map == &x86_one_byte && (byte & 0xf8) == 0xd8)
		take_rows(d, x86_escape[byte & 7]);
	else
		take_rows(d, (*map)[d->insn->opcode]);
}

void x86_decode(const struct x86_cpu *cpu, const uint8_t *bytes, size_t size, struct x86_insn *ret)
{
	struct decoder d = { .cpu = cpu, .bytes = bytes, .size = size, .insn = ret };

	*ret = (struct x86_insn){ .verdict = X86_OK, .segment = X86_NONE, .base = X86_NONE, .index = X86_NONE, .scale = 1 };
	take_instruction(&d);
	ret->length = (uint8_t)d.at;
}
