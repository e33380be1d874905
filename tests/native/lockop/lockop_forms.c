/* SPDX-License-Identifier: GPL-2.0-only */
#include "lockop_forms.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

uint64_t random_next(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state * 0x2545f4914f6cdd1d;
}

unsigned random_below(struct random *r, unsigned limit)
{
	return (unsigned)((random_next(r) >> 32) * limit >> 32);
}

struct form_list {
	struct form *forms;
	unsigned count;
};

/* Adds the form at each width from `first` bytes on; a byte form has the even opcode. */
static void add_widths(struct form_list *list, const char *name, struct form form, unsigned first)
{
	for (unsigned width = first; width <= 8; width *= 2) {
		struct form *f = &list->forms[list->count++];

		assert(list->count <= MAX_FORMS);
		*f = form;
		f->width = (uint8_t)width;
		if (first == 1)
			f->opcode = (uint8_t)(form.opcode | (width > 1));
		if (form.immediate == 4) /* of the operand's width, at most 4 */
			f->immediate = (uint8_t)(width < 4 ? width : 4);
		snprintf(f->name, sizeof(f->name), "%s%u%s", name, width * 8,
			 form.operand == FORM_REGISTER ? "_r" : form.operand == FORM_ALONE ? "" :
			 form.immediate == 1 ? "_imm8" : "_imm");
	}
}

static void add_pair(struct form_list *list, const char *name, unsigned width)
{
	struct form *f = &list->forms[list->count++];

	*f = (struct form){ .opcode = 0xc7, .digit = 1, .width = (uint8_t)width, .two_byte = true,
			    .operand = FORM_ALONE, .lock = true, .compares = true };
	snprintf(f->name, sizeof(f->name), "%s", name);
}

unsigned forms_fill(struct form forms[MAX_FORMS])
{
	static const char *const alu[] = { "add", "or", "adc", "sbb", "and", "sub", "xor" };
	static const struct { const char *name; uint8_t opcode, digit; } alone[] = {
		{ "inc", 0xfe, 0 }, { "dec", 0xfe, 1 }, { "not", 0xf6, 2 }, { "neg", 0xf6, 3 },
	}, bits[] = { { "bts", 0xab, 5 }, { "btr", 0xb3, 6 }, { "btc", 0xbb, 7 } };
	const struct form lock = { .lock = true };
	struct form_list list = { forms, 0 };
	struct form f;

	for (uint8_t i = 0; i < 7; i++) {
		f = lock;
		f.opcode = (uint8_t)(i * 8);
		add_widths(&list, alu[i], f, 1);
		f.operand = FORM_IMMEDIATE;
		f.digit = i;
		f.opcode = 0x80;
		f.immediate = 4;
		add_widths(&list, alu[i], f, 1);
		f.opcode = 0x83;
		f.immediate = 1;
		add_widths(&list, alu[i], f, 2);
	}
	for (unsigned i = 0; i < 4; i++) {
		f = lock;
		f.opcode = alone[i].opcode;
		f.digit = alone[i].digit;
		f.operand = FORM_ALONE;
		add_widths(&list, alone[i].name, f, 1);
	}
	for (unsigned i = 0; i < 3; i++) {
		f = lock;
		f.two_byte = f.bit = true;
		f.opcode = bits[i].opcode;
		add_widths(&list, bits[i].name, f, 2);
		f.opcode = 0xba;
		f.digit = bits[i].digit;
		f.operand = FORM_IMMEDIATE;
		f.immediate = 1;
		add_widths(&list, bits[i].name, f, 2);
	}
	f = lock;
	f.opcode = 0x86;
	add_widths(&list, "lock_xchg", f, 1);
	f.lock = false;
	add_widths(&list, "xchg", f, 1);
	f = lock;
	f.two_byte = true;
	f.opcode = 0xc0;
	add_widths(&list, "xadd", f, 1);
	f.opcode = 0xb0;
	f.compares = true;
	add_widths(&list, "cmpxchg", f, 1);
	add_pair(&list, "cmpxchg8b", 8);
	add_pair(&list, "cmpxchg16b", 16);
	return list.count;
}

static void put(struct encoding *e, uint8_t byte)
{
	e->bytes[e->length++] = byte;
}

static void put_number(struct encoding *e, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		put(e, (uint8_t)(value >> 8 * i));
}

static bool is_pair(const struct form *form)
{
	return form->two_byte && form->opcode == 0xc7;
}

static bool needs_operand16(const struct form *form)
{
	return form->width == 2;
}

/* REX.W as the form wants it, and the top bits of the registers. */
static uint8_t rex_bits(const struct encoding *e)
{
	bool wide = is_pair(e->form) ? e->form->width == 16 : e->form->width == 8;

	return (uint8_t)((wide ? 8 : 0) | (e->reg < 16 && e->reg & 8 ? 4 : 0) |
			 (e->index != NO_REGISTER && e->index & 8 ? 2 : 0) |
			 (e->base != NO_REGISTER && e->base & 8 ? 1 : 0));
}

/* Up to three prefixes that change nothing for this form. */
static unsigned useless_prefixes(const struct encoding *e, struct random *r, uint8_t *ret)
{
	static const uint8_t any[] = { 0x26, 0x2e, 0x36, 0x3e, 0xf2, 0xf3 };
	unsigned count = random_below(r, 2) ? 0 : 1 + random_below(r, 3);

	for (unsigned i = 0; i < count; i++) {
		unsigned choice = random_below(r, 8);
		bool width_fixed = e->form->width == 1 || is_pair(e->form) || e->form->width == 8;

		if (choice == 6 && width_fixed)
			ret[i] = 0x66;
		else if (choice == 7)
			ret[i] = (uint8_t)(0x40 + random_below(r, 16)); /* void, unless last */
		else
			ret[i] = any[choice % 6];
	}
	return count;
}

/* All legacy prefixes in a random order, then REX. */
static void put_prefixes(struct encoding *e, struct random *r)
{
	uint8_t list[8], rex = rex_bits(e);
	unsigned count = r ? useless_prefixes(e, r, list) : 0;
	bool byte_needs_rex = e->form->width == 1 && e->reg >= 4 && e->reg < 8;
	bool may_have_rex = e->reg < HIGH_BYTE || e->reg == NO_REGISTER;

	if (e->form->lock)
		list[count++] = 0xf0;
	if (needs_operand16(e->form))
		list[count++] = 0x66;
	if (e->addressing.address32)
		list[count++] = 0x67;
	if (e->addressing.segment_prefix)
		list[count++] = e->addressing.segment_prefix;
	for (unsigned i = count; r && i > 1; i--) {
		unsigned other = random_below(r, i);
		uint8_t swap = list[i - 1];

		list[i - 1] = list[other];
		list[other] = swap;
	}
	while (count && (list[count - 1] & 0xf0) == 0x40)
		count--; /* it would be in force */
	for (unsigned i = 0; i < count; i++)
		put(e, list[i]);
	if (rex || byte_needs_rex || (r && may_have_rex && !random_below(r, 8)))
		put(e, 0x40 | rex);
}

static unsigned displacement_bytes(enum addressing_kind kind)
{
	switch (kind) {
	case BASE: case BASE_INDEX:
		return 0;
	case BASE_DISP8: case BASE_INDEX_DISP8:
		return 1;
	default:
		return 4;
	}
}

static bool has_base(enum addressing_kind kind)
{
	return kind <= BASE_INDEX_DISP32;
}

static bool has_index(enum addressing_kind kind)
{
	return kind >= BASE_INDEX && kind <= INDEX_DISP32;
}

static void put_modrm(struct encoding *e, struct random *r)
{
	enum addressing_kind kind = e->addressing.kind;
	unsigned bytes = displacement_bytes(kind);
	unsigned reg = e->form->operand == FORM_REGISTER ?
		(e->reg >= HIGH_BYTE ? e->reg - HIGH_BYTE + 4u : e->reg & 7u) : e->form->digit;
	unsigned mod = !has_base(kind) ? 0 : bytes == 4 ? 2 : bytes;
	unsigned log_scale = (unsigned)__builtin_ctz(e->scale);
	unsigned base = e->base & 7, index = e->index == NO_REGISTER ? 4 : e->index & 7;
	bool sib = has_index(kind) || kind == ABSOLUTE || base == 4 || (r && !random_below(r, 4));

	if (kind == RIP_RELATIVE || kind == ABSOLUTE || kind == INDEX_DISP32)
		base = 5;
	if (kind == RIP_RELATIVE)
		sib = false;
	put(e, (uint8_t)(mod << 6 | reg << 3 | (sib ? 4 : base)));
	if (sib)
		put(e, (uint8_t)(log_scale << 6 | index << 3 | base));
	e->displacement_at = e->length;
	put_number(e, (uint32_t)e->displacement, bytes);
}

static void put_all(struct encoding *e, uint64_t immediate, struct random *r)
{
	put_prefixes(e, r);
	if (e->form->two_byte)
		put(e, 0x0f);
	put(e, e->form->opcode);
	put_modrm(e, r);
	put_number(e, immediate, e->form->immediate);
}

static void choose_operands(struct encoding *e, struct random *r)
{
	enum addressing_kind kind = e->addressing.kind;
	const struct form *form = e->form;
	unsigned registers = 16;

	e->reg = NO_REGISTER;
	if (form->operand == FORM_REGISTER)
		e->reg = (uint8_t)random_below(r, form->width == 1 ? 20 : 16);
	if (e->reg != NO_REGISTER && e->reg >= HIGH_BYTE)
		registers = 8; /* a REX would name another register */
	do {
		e->base = has_base(kind) ? (uint8_t)random_below(r, registers) : NO_REGISTER;
	} while (has_base(kind) && displacement_bytes(kind) == 0 && (e->base & 7) == 5);
	do {
		e->index = has_index(kind) ? (uint8_t)random_below(r, registers) : NO_REGISTER;
	} while (e->index == 4);
	e->scale = (uint8_t)(1u << random_below(r, 4));
	e->displacement = displacement_bytes(kind) == 1 ? (int8_t)random_next(r) :
			  displacement_bytes(kind) == 4 ? (int32_t)random_next(r) : 0;
	if (kind == ABSOLUTE && e->addressing.segment_prefix && !e->addressing.address32)
		e->displacement >>= 1 + random_below(r, 16);
}

void form_encode(const struct form *form, struct addressing addressing, struct random *r,
		 struct encoding *ret)
{
	do {
		memset(ret, 0, sizeof(*ret));
		ret->form = form;
		ret->addressing = addressing;
		choose_operands(ret, r);
		put_all(ret, random_next(r), r);
	} while (ret->length > MAX_LENGTH);
}

void form_encode_plain(const struct form *form, uint8_t base, uint8_t reg, struct encoding *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->form = form;
	ret->base = base;
	ret->index = NO_REGISTER;
	ret->scale = 1;
	ret->reg = form->operand == FORM_REGISTER ? reg : NO_REGISTER;
	put_all(ret, 1, NULL);
}
