/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/x86/insn.h"

#include "engine/x86/decoder.h"

static int64_t take_displacement(struct x86_decoder *d, unsigned bytes)
{
	unsigned unused = 64 - 8 * bytes;

	if (!bytes)
		return 0;
	d->insn->displacement_at = (uint8_t)d->at;
	d->insn->displacement_bytes = (uint8_t)bytes;
	return (int64_t)(x86_fetch_number(d, bytes) << unused) >> unused;
}

/* The SIB byte; its base field. */
static unsigned take_sib(struct x86_decoder *d, bool vector_index)
{
	struct x86_insn *insn = d->insn;
	uint8_t sib = x86_fetch(d), index = (uint8_t)((sib >> 3 & 7) | (insn->x ? 8 : 0));

	insn->scale = (uint8_t)(1u << (sib >> 6));
	if (index != 4 || vector_index)
		insn->index = index;
	return sib & 7;
}

static void take_memory(struct x86_decoder *d, bool vector_index)
{
	struct x86_insn *insn = d->insn;
	unsigned mod = insn->modrm >> 6, low = insn->modrm & 7, displacement = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	uint8_t base = X86_RIP; /* of mod 0 and low 5 */

	insn->memory = true;
	if (low == 4) {
		low = take_sib(d, vector_index);
		base = X86_NONE;
	} else if (vector_index) {
		d->refused = true;
	}
	if (mod == 0 && low == 5)
		displacement = 4;
	else
		base = (uint8_t)(low | (insn->b ? 8 : 0));
	insn->base = base;
	insn->displacement = take_displacement(d, displacement);
}

/* Memory whose address is an immediate, or RDI. */
static void take_implied_memory(struct x86_decoder *d, char where)
{
	d->insn->memory = true;
	if (where == 'K')
		d->insn->base = 7;
	else if (d->insn->address32)
		d->insn->displacement = (uint32_t)take_displacement(d, 4);
	else
		d->insn->displacement = take_displacement(d, 8);
}

static unsigned immediate_bytes(const struct x86_decoder *d, uint64_t what, char size)
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

static void take_immediate(struct x86_decoder *d, unsigned bytes)
{
	if (!d->insn->immediate_at)
		d->insn->immediate_at = (uint8_t)d->at;
	d->insn->immediate_bytes = (uint8_t)(d->insn->immediate_bytes + bytes);
	d->insn->is4 = (uint8_t)(x86_fetch_number(d, bytes) >> 4 & 15);
}

/* Takes what is behind the opcode, as far as an operand lies there; vvvv is for one. Is it one that there is? */
static bool take_operand(struct x86_decoder *d, uint64_t what, const struct x86_operand *operand, bool *uses_vvvv)
{
	unsigned digit = d->insn->modrm >> 3 & 7;

	switch (operand->where) {
	case 'I': case 'J': case 'L':
		take_immediate(d, immediate_bytes(d, what, operand->size));
		return true;
	case 'O': case 'K':
		take_implied_memory(d, operand->where);
		return true;
	case 'H': case 'B':
		*uses_vvvv = true;
		return true;
	case 'S': /* CS cannot be written so */
		return digit < 6 && !(operand->written && digit == 1);
	case 'C': /* CR0, CR2, CR3, CR4, CR8 */
		return d->insn->r ? digit == 0 : digit == 0 || (digit >= 2 && digit <= 4);
	case 'D':
		return !d->insn->r;
	default:
		return true;
	}
}

static void take_operands(struct x86_decoder *d, const struct x86_row *row)
{
	const char *operands = row->operands;
	struct x86_operand operand;
	bool uses_vvvv = false;

	while (x86_next_operand(&operands, &operand))
		if (!take_operand(d, row->what, &operand, &uses_vvvv))
			d->refused = true;
	if (d->insn->vvvv && !uses_vvvv)
		d->refused = true;
}

/* Destination, mask and index of a gather must be three. */
static bool has_three_vectors(const struct x86_insn *insn)
{
	unsigned destination = (insn->modrm >> 3 & 7u) | (insn->r ? 8u : 0);

	return destination != insn->vvvv && destination != insn->index && insn->vvvv != insn->index;
}

/* LOCK makes CR0 CR8, on some. */
static bool may_lock(const struct x86_decoder *d, const struct x86_row *row)
{
	if (row->what & LOCK_CR8)
		return d->cpu->features >> X86_CR8_LEGACY & 1 && (d->insn->modrm & 0x38) == 0;
	return row->what & LOCKABLE && d->insn->memory;
}

static bool has_memory(const struct x86_insn *insn, const struct x86_row *row)
{
	return row->when & RM && (row->when & NO_MOD) != NO_MOD && insn->modrm < 0xc0;
}

static void fill(struct x86_decoder *d, const struct x86_row *row)
{
	struct x86_insn *insn = d->insn;

	insn->kind = row->what & 0xff;
	insn->unit = row->what >> 8 & 0xff;
	insn->reads_flags = row->what & FR;
	insn->writes_flags = row->what & FW;
	insn->mxcsr = row->what & MX;
	x86_fill_operands(d->cpu, row, insn);
}

static void take_modrm(struct x86_decoder *d)
{
	d->insn->has_modrm = true;
	d->insn->modrm_at = (uint8_t)d->at;
	d->insn->modrm = x86_fetch(d);
}

/* 3DNow! has its opcode behind the operands. */
static const struct x86_row *find_3dnow(struct x86_decoder *d)
{
	take_modrm(d);
	if (d->insn->modrm < 0xc0)
		take_memory(d, false);
	d->insn->opcode_at = (uint8_t)d->at;
	d->insn->opcode = x86_fetch(d);
	return x86_find_row(d, x86_3dnow[d->insn->opcode]);
}

static void take_instruction(struct x86_decoder *d)
{
	const struct x86_row *rows, *row;
	bool now = d->insn->encoding == X86_LEGACY && d->insn->map == 1 && d->insn->opcode == 0x0f;

	if (now) {
		row = find_3dnow(d);
	} else {
		rows = x86_rows_of(d);
		if (x86_shape_of(d, rows)->when & RM)
			take_modrm(d);
		row = x86_find_row(d, rows);
	}
	if (!row)
		d->refused = true;
	if (!row && !now)
		row = x86_shape_of(d, rows);
	if (!row)
		return;
	if (!now && has_memory(d->insn, row))
		take_memory(d, row->what & VSIB);
	take_operands(d, row);
	if ((row->what & VSIB && !has_three_vectors(d->insn)) || (d->insn->lock && !may_lock(d, row)) || row->what & NEVER)
		d->refused = true;
	if (!d->stopped && !d->refused)
		fill(d, row);
}

void x86_decode(const struct x86_cpu *cpu, const uint8_t *bytes, size_t size, struct x86_insn *ret)
{
	struct x86_decoder d = { .cpu = cpu, .bytes = bytes, .size = size, .insn = ret };

	*ret = (struct x86_insn){ .verdict = X86_OK, .segment = X86_NONE, .base = X86_NONE, .index = X86_NONE, .scale = 1 };
	x86_take_opcode(&d);
	if (!d.stopped)
		take_instruction(&d);
	if (!d.stopped && d.refused)
		ret->verdict = X86_UD;
	ret->length = (uint8_t)d.at;
}

uint64_t x86_address(const struct x86_insn *insn, const uint64_t gpr[16], uint64_t rip, uint64_t more)
{
	uint64_t address = (uint64_t)insn->displacement + more;

	if (insn->base == X86_RIP)
		address += rip + insn->length;
	else if (insn->base != X86_NONE)
		address += gpr[insn->base];
	if (insn->index != X86_NONE && insn->kind != X86_GATHER)
		address += gpr[insn->index] * insn->scale;
	return insn->address32 ? (uint32_t)address : address;
}
