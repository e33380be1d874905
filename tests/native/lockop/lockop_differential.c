/* SPDX-License-Identifier: GPL-2.0-only */
/* Every lockable form against the processor: all registers, flags and memory. */
#include <stdio.h>
#include <string.h>

#include "engine/atomic/lockop.h"
#include "lockop_forms.h"
#include "lockop_native.h"
#include "lockop_test.h"

enum {
	ARITHMETIC = 0x8d5,
	FLAG_CF = 1 << 0,
	FLAG_ZF = 1 << 6,
	STATES_PER_ENCODING = 4,
	MARGIN = 24, /* of the arena, at either end, that no operand is aimed at */
	NOISE_BYTES = 8192,
	FORMS = 129,
};

/* An instruction and the state that it starts from. */
struct trial {
	struct encoding encoding;
	struct lockop_registers regs;
	uint64_t address; /* of the operand */
	uint8_t *arena;
	uint8_t memory[ARENA_BYTES];
};

struct tally {
	unsigned long states, unaligned, split;
	char failure[400]; /* the first */
};

static uint8_t noise[NOISE_BYTES];

/* A register or memory value: often one at which carry, sign and overflow happen. */
static uint64_t interesting(struct random *r)
{
	static const uint64_t edges[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffffe,
	};
	uint64_t value = random_next(r);

	return value & 1 ? random_next(r) : edges[value >> 60];
}

/* Where the operand is, from the SDM; written apart from lockop_address(). */
static uint64_t model_address(const struct encoding *e, const struct lockop_registers *regs)
{
	uint64_t address = (uint64_t)(int64_t)e->displacement;

	if (e->addressing.kind == RIP_RELATIVE)
		address += regs->rip + e->length;
	if (e->base != NO_REGISTER)
		address += regs->gpr[e->base];
	if (e->index != NO_REGISTER)
		address += regs->gpr[e->index] * e->scale;
	if (e->form->bit && e->form->operand == FORM_REGISTER) {
		uint64_t offset = regs->gpr[e->reg];

		if (e->form->width == 2)
			address += (uint64_t)(((int16_t)offset & ~15) / 8);
		else if (e->form->width == 4)
			address += (uint64_t)(((int32_t)offset & ~31) / 8);
		else
			address += (uint64_t)(((int64_t)offset & ~63LL) / 8);
	}
	if (e->addressing.address32)
		address &= 0xffffffff;
	return address + regs->fs_base + regs->gs_base;
}

/* A segment base from which a random effective address reaches `target`. */
static uint64_t segment_base(const struct encoding *e, uint64_t target, struct random *r)
{
	struct lockop_registers zero = { .rip = native_address() };

	if (e->base == NO_REGISTER && e->index == NO_REGISTER)
		return target - model_address(e, &zero);
	if (e->addressing.address32)
		return target - (uint32_t)random_next(r);
	return target + (uint64_t)(int64_t)(int32_t)random_next(r);
}

/* Turns the registers or the displacement until the address is `target`. Fixed-point
 * iteration: a register may count more than once (index, bit offset), and the error
 * then shrinks, or leaves at the top of 64 bits. False: it does not converge. */
static bool aim(struct trial *t, uint64_t target)
{
	struct encoding *e = &t->encoding;
	uint8_t turned = e->base != NO_REGISTER ? e->base : e->index;
	unsigned step = e->base != NO_REGISTER ? 1 : e->scale;

	for (unsigned i = 0; i < 70; i++) {
		uint64_t low = (uintptr_t)t->arena + MARGIN, high = low + ARENA_BYTES - 3 * MARGIN;
		uint64_t miss;

		t->address = model_address(e, &t->regs);
		miss = target - t->address;
		if (t->address >= low && t->address < high && (miss == 0 || step > 1))
			return true;
		if (turned != NO_REGISTER) {
			t->regs.gpr[turned] += (uint64_t)((int64_t)miss / (int64_t)step);
		} else if (!e->addressing.segment_prefix) {
			e->displacement = (int32_t)((uint32_t)e->displacement + (uint32_t)miss);
			memcpy(e->bytes + e->displacement_at, &e->displacement, 4);
		}
	}
	return false;
}

/* Mostly within a line: an operand across two takes a microsecond. */
static uint64_t choose_target(const struct trial *t, struct random *r)
{
	uint64_t target = (uintptr_t)t->arena + MARGIN + random_below(r, ARENA_BYTES - 3 * MARGIN);
	unsigned width = t->encoding.form->width;

	if (width == 16)
		return target & ~15ull;
	if (target % 64 + width > 64 && random_below(r, 8))
		target &= ~63ull;
	return target;
}

/* Makes comparisons come out equal half of the time, and puts edges into memory. */
static void choose_memory(struct trial *t, struct random *r)
{
	const struct form *form = t->encoding.form;
	uint8_t *operand = t->memory + (t->address - (uintptr_t)t->arena);
	uint64_t value = interesting(r);

	memcpy(t->memory, noise + random_below(r, NOISE_BYTES - ARENA_BYTES), ARENA_BYTES);
	if (form->compares && form->opcode == 0xc7) {
		if (!random_below(r, 2)) {
			memcpy(operand, &t->regs.gpr[0], form->width / 2);
			memcpy(operand + form->width / 2, &t->regs.gpr[2], form->width / 2);
		}
		return;
	}
	if (form->compares && !random_below(r, 2))
		value = t->regs.gpr[0];
	memcpy(operand, &value, form->width);
}

static bool choose_state(struct trial *t, struct random *r)
{
	struct encoding *e = &t->encoding;
	uint64_t target, base = 0;

	t->arena = e->addressing.segment_prefix ? arena_high : arena_low;
	memset(&t->regs, 0, sizeof(t->regs));
	t->regs.rip = native_address();
	target = choose_target(t, r);
	if (e->addressing.segment_prefix)
		base = segment_base(e, target, r);
	for (unsigned i = 0; i < 16; i++)
		t->regs.gpr[i] = interesting(r);
	if (e->addressing.segment_prefix == 0x64)
		t->regs.fs_base = base;
	else
		t->regs.gs_base = base;
	t->regs.rflags = random_next(r) & 0xffffffff;
	if (!aim(t, target))
		return false;
	if (e->form->width == 16 && t->address % 16)
		return false;
	choose_memory(t, r);
	return true;
}

static bool decode_agrees(const struct trial *t, const struct lockop *op)
{
	const struct encoding *e = &t->encoding;

	return op->insn.length == e->length && op->address == t->regs.rip &&
	       op->insn.memory_bytes == e->form->width && lockop_address(op, &t->regs) == t->address;
}

static void describe(struct tally *tally, const struct trial *t, const char *what)
{
	char *at = tally->failure;

	if (*at)
		return;
	at += snprintf(at, 200, "%s, of", what);
	for (unsigned i = 0; i < t->encoding.length; i++)
		at += snprintf(at, 4, " %02x", t->encoding.bytes[i]);
}

/* The flags to compare. What bts, btr and btc do to OF, SF, AF and PF is undefined, and
 * lockop runs the register form with an offset within the word: a processor that derives
 * the address by shifts may leave other values there. AF after and, or and xor is
 * undefined too, but lockop runs the same instruction, so it must come out the same. */
static uint64_t defined_flags(const struct form *form)
{
	return form->bit ? FLAG_CF | FLAG_ZF : ARITHMETIC;
}

/* What differs between the processor's outcome and lockop's; NULL: nothing. */
static const char *difference(const struct trial *t, const struct lockop_registers *native,
			      const struct lockop_registers *ours, const uint8_t *memory)
{
	const uint64_t flags = defined_flags(t->encoding.form);
	static char text[160];

	for (unsigned i = 0; i < 16; i++) {
		if (native->gpr[i] == ours->gpr[i])
			continue;
		snprintf(text, sizeof(text), "register %u: %#llx natively, %#llx", i,
			 (unsigned long long)native->gpr[i], (unsigned long long)ours->gpr[i]);
		return text;
	}
	if ((native->rflags ^ ours->rflags) & flags) {
		snprintf(text, sizeof(text), "flags: %#llx from %#llx natively, %#llx",
			 (unsigned long long)native->rflags & ARITHMETIC,
			 (unsigned long long)t->regs.rflags & ARITHMETIC,
			 (unsigned long long)ours->rflags & ARITHMETIC);
		return text;
	}
	if ((ours->rflags ^ t->regs.rflags) & ~(uint64_t)ARITHMETIC)
		return "another flag changed";
	if (memcmp(t->arena, memory, ARENA_BYTES))
		return "memory";
	return NULL;
}

/* Do `reads` and `writes` tell the truth? Runs again with every other register poisoned. */
static const char *uses_differ(const struct trial *t, const struct lockop *op,
			       const struct lockop_registers *native, uint8_t *memory)
{
	struct lockop_registers regs = t->regs;

	for (unsigned i = 0; i < 16; i++)
		if (!(op->reads >> i & 1))
			regs.gpr[i] = 0xdeadbeefcafef00d + i;
	if (lockop_address(op, &regs) != t->address)
		return "an address register is missing from reads";
	memcpy(memory, t->memory, ARENA_BYTES);
	lockop_execute(op, memory + (t->address - (uintptr_t)t->arena), &regs);
	if (memcmp(t->arena, memory, ARENA_BYTES) ||
	    (regs.rflags ^ native->rflags) & defined_flags(t->encoding.form))
		return "a source register is missing from reads";
	for (unsigned i = 0; i < 16; i++) {
		bool written = op->insn.gpr_written >> i & 1;

		if (written && regs.gpr[i] != native->gpr[i])
			return "a written register depends on one that is missing from reads";
		if (!written && native->gpr[i] != t->regs.gpr[i])
			return "a changed register is missing from writes";
	}
	return NULL;
}

/* Once on the processor and once through lockop. NULL: no difference. */
static const char *run_trial(const struct trial *t, const struct lockop *op)
{
	static _Alignas(4096) uint8_t pages[8192];
	uint8_t *memory = pages + 4096 - ARENA_BYTES / 2;
	struct lockop_registers native = t->regs, ours = t->regs;
	const char *what;

	memcpy(t->arena, t->memory, ARENA_BYTES);
	memcpy(memory, t->memory, ARENA_BYTES);
	if (native_run(&native))
		return "the processor faulted";
	lockop_execute(op, memory + (t->address - (uintptr_t)t->arena), &ours);
	what = difference(t, &native, &ours, memory);
	return what ? what : uses_differ(t, op, &native, memory);
}

/* One encoding in some states. Those that cannot be aimed are left out. */
static void test_encoding(struct trial *t, struct random *r, struct tally *tally)
{
	const uint8_t *bytes = t->encoding.bytes;
	struct lockop op;

	for (unsigned i = 0; i < STATES_PER_ENCODING; i++) {
		const char *what = NULL;

		if (!choose_state(t, r))
			continue;
		native_load(bytes, t->encoding.length);
		if (!decode_lockop(bytes, sizeof(t->encoding.bytes), t->regs.rip, &op))
			what = "not decoded";
		else if (!decode_agrees(t, &op))
			what = "decoded wrongly";
		else
			what = run_trial(t, &op);
		tally->states++;
		tally->unaligned += t->address % t->encoding.form->width != 0;
		tally->split += t->address % 64 + t->encoding.form->width > 64;
		if (what)
			describe(tally, t, what);
	}
}

static void test_form(const struct form *form, unsigned states, struct random *r, struct tally *tally)
{
	static const uint8_t segments[] = { 0, 0x64, 0x65 };
	struct trial t;

	for (unsigned kind = 0; kind < ADDRESSING_KINDS * 6; kind++) {
		struct addressing addressing = { kind / 6, segments[kind % 3], kind / 3 % 2 };
		unsigned long until = tally->states + states;

		for (unsigned i = 0; i < 2 * states && tally->states < until; i++) {
			form_encode(form, addressing, r, &t.encoding);
			test_encoding(&t, r, tally);
		}
		if (tally->states < until && !tally->failure[0])
			snprintf(tally->failure, sizeof(tally->failure),
				 "addressing %u cannot be aimed", kind);
	}
}

void test_forms(unsigned states)
{
	static struct form forms[MAX_FORMS];
	unsigned count = forms_fill(forms);
	struct random r = { 0x9e3779b97f4a7c15 };
	struct tally total = { 0 };

	for (unsigned i = 0; i < NOISE_BYTES; i++)
		noise[i] = (uint8_t)random_next(&r);
	for (unsigned i = 0; i < count; i++) {
		struct tally tally = { 0 };

		test_form(&forms[i], states, &r, &tally);
		report(!tally.failure[0], "forms: %s: %lu states, %lu unaligned, %lu split%s%s",
		       forms[i].name, tally.states, tally.unaligned, tally.split,
		       tally.failure[0] ? ": " : "", tally.failure);
		total.states += tally.states;
	}
	report(count == FORMS, "forms: %u forms, %lu states in all", count, total.states);
}
