/* SPDX-License-Identifier: GPL-2.0-only */
/* What is a lockop and what is not: by the processor's verdict where it has one. */
#include <stdio.h>
#include <string.h>

#include "engine/atomic/lockop.h"
#include "lockop_forms.h"
#include "lockop_native.h"
#include "lockop_test.h"

enum {
	CODE_BYTES = 24,
	LOCK = 0xf0,
	REX2 = 0xd5, /* an opcode map of its own where there is APX */
};

bool decode_lockop(const uint8_t *bytes, size_t size, uint64_t address, struct lockop *ret)
{
	static const struct x86_cpu any = { .features = ~0ull, .intel = true };
	struct x86_insn insn;

	x86_decode(&any, bytes, size, &insn);
	return lockop_is(&insn, bytes, address, ret);
}

static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67:
	case 0xf0: case 0xf2: case 0xf3:
		return true;
	default:
		return (byte & 0xf0) == 0x40;
	}
}

static void print_bytes(char *to, size_t size, const uint8_t *bytes, unsigned length)
{
	*to = '\0';
	for (unsigned i = 0; i < length && size > 4; i++, to += 3, size -= 3)
		snprintf(to, size, " %02x", bytes[i]);
}

/* Appends opcode, a ModRM without displacement (mod 0 or 3) and zeros for an immediate. */
static unsigned append_opcode(uint8_t *bytes, unsigned at, bool two_byte, uint8_t opcode,
			      unsigned mod, unsigned digit)
{
	unsigned rm = digit == 7 ? 6 : 7;

	if (two_byte)
		bytes[at++] = 0x0f;
	bytes[at++] = opcode;
	bytes[at++] = (uint8_t)(mod << 6 | digit << 3 | rm);
	return at;
}

/*
 * Does the processor execute it? Every opcode that cannot be locked faults with LOCK,
 * so whatever is behind one is safe to try. The memory operand is in the arena.
 */
static bool processor_accepts(const uint8_t *bytes, unsigned length, unsigned digit)
{
	unsigned rm = digit == 7 ? 6 : 7;
	struct lockop_registers regs = { .rflags = 0 };

	for (unsigned i = 0; i < 16; i++)
		regs.gpr[i] = 8;
	regs.gpr[rm] = regs.gpr[rm + 8] = (uintptr_t)arena_low & ~63ull;
	native_load(bytes, length);
	return native_run(&regs) == 0;
}

struct verdicts {
	unsigned long tried, accepted, wrong;
	char first[CODE_BYTES * 3 + 1];
};

/* One with LOCK somewhere in it, whose opcode and ModRM end at `end`. */
static void compare_verdicts(const uint8_t *bytes, unsigned end, unsigned digit, struct verdicts *v)
{
	struct lockop op;
	bool ours = decode_lockop(bytes, CODE_BYTES, native_address(), &op);
	bool accepted = processor_accepts(bytes, ours ? op.insn.length : end + 4, digit);

	v->tried++;
	v->accepted += accepted;
	if (ours == accepted)
		return;
	if (!v->wrong++)
		print_bytes(v->first, sizeof(v->first), bytes, end);
}

/* Every opcode of both maps, every digit, memory and register, three widths. */
static void test_every_opcode(void)
{
	static const uint8_t widths[] = { 0, 0x66, 0x48 };
	struct verdicts v = { 0 };

	for (unsigned i = 0; i < 2 * 256 * 2 * 8 * 3; i++) {
		unsigned digit = i % 8, mod = i / 8 % 2 * 3, width = i / 16 % 3;
		uint8_t opcode = (uint8_t)(i / 48), bytes[CODE_BYTES] = { LOCK };
		bool two_byte = i / 48 / 256;
		unsigned at = 1;

		if (!two_byte && (is_prefix(opcode) || opcode == 0x0f || opcode == REX2))
			continue;
		if (widths[width])
			bytes[at++] = widths[width];
		at = append_opcode(bytes, at, two_byte, opcode, mod, digit);
		compare_verdicts(bytes, at, digit, &v);
	}
	report(!v.wrong && v.accepted,
	       "decode: %lu opcodes with LOCK, the processor takes %lu, %lu wrong%s", v.tried,
	       v.accepted, v.wrong, v.first);
}

/* Up to 14 prefixes in any order, doubled and void ones too, and any opcode. */
static void test_prefix_soup(unsigned rounds)
{
	static const uint8_t prefixes[] = {
		LOCK, 0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0xf2, 0xf3, 0x48,
	};
	static const uint8_t lockable[] = { 0x01, 0x28, 0x83, 0x87, 0xfe, 0xf7 };
	static const uint8_t lockable_0f[] = { 0xab, 0xba, 0xb1, 0xc0, 0xc7 };
	struct random r = { 0x2545f4914f6cdd1d };
	struct verdicts v = { 0 };

	for (unsigned i = 0; i < rounds; i++) {
		unsigned count = 1 + random_below(&r, random_below(&r, 8) ? 6 : 14);
		unsigned digit = random_below(&r, 8), at;
		bool two_byte = random_below(&r, 2);
		uint8_t bytes[CODE_BYTES] = { 0 };
		uint8_t opcode = (uint8_t)random_next(&r);

		for (at = 0; at < count; at++)
			bytes[at] = prefixes[random_below(&r, sizeof(prefixes))];
		bytes[random_below(&r, count)] = LOCK;
		if (random_below(&r, 4))
			opcode = two_byte ? lockable_0f[random_below(&r, sizeof(lockable_0f))] :
					    lockable[random_below(&r, sizeof(lockable))];
		if (!two_byte && (is_prefix(opcode) || opcode == 0x0f || opcode == REX2))
			continue;
		at = append_opcode(bytes, at, two_byte, opcode, random_below(&r, 4) ? 0 : 3, digit);
		compare_verdicts(bytes, at, digit, &v);
	}
	report(!v.wrong && v.accepted > v.tried / 16,
	       "decode: %lu with random prefixes, the processor takes %lu, %lu wrong%s", v.tried,
	       v.accepted, v.wrong, v.first);
}

/* Each form without its LOCK, on a register, and cut short. */
static void test_spoilt_forms(void)
{
	static struct form forms[MAX_FORMS];
	unsigned count = forms_fill(forms), unlocked = 0, in_register = 0, cut = 0, refused = 0;

	for (unsigned i = 0; i < count; i++) {
		struct form form = forms[i];
		struct encoding e;
		struct lockop op;
		unsigned modrm;

		form_encode_plain(&form, 1, 2, &e);
		refused += !decode_lockop(e.bytes, e.length, 0, &op);
		for (unsigned length = 0; length < e.length; length++)
			cut += decode_lockop(e.bytes, length, 0, &op);
		modrm = e.length - form.immediate - 1;
		e.bytes[modrm] |= 0xc0;
		in_register += decode_lockop(e.bytes, e.length, 0, &op);
		form.lock = false;
		form_encode_plain(&form, 1, 2, &e);
		if (decode_lockop(e.bytes, e.length, 0, &op))
			unlocked += !strstr(form.name, "xchg") || form.compares;
		else
			refused += !forms[i].lock;
	}
	report(!refused, "decode: %u plain forms refused", refused);
	report(!unlocked, "decode: %u forms accepted without LOCK that are not xchg", unlocked);
	report(!in_register, "decode: %u forms accepted with a register destination", in_register);
	report(!cut, "decode: %u accepted with bytes missing", cut);
}

/* What looks like a locked instruction, and the engine must leave alone. */
static void test_refusals(void)
{
	static const struct { const char *name; uint8_t length, bytes[8]; } list[] = {
		{ "lock mov [rcx], eax", 3, { 0xf0, 0x89, 0x01 } },
		{ "lock add ecx, eax", 3, { 0xf0, 0x01, 0xc1 } },
		{ "lock add eax, [rcx]", 3, { 0xf0, 0x03, 0x01 } },
		{ "lock cmp [rcx], eax", 3, { 0xf0, 0x39, 0x01 } },
		{ "lock cmp dword [rcx], 1", 4, { 0xf0, 0x83, 0x39, 0x01 } },
		{ "lock test [rcx], eax", 3, { 0xf0, 0x85, 0x01 } },
		{ "lock bt [rcx], eax", 4, { 0xf0, 0x0f, 0xa3, 0x01 } },
		{ "lock bt dword [rcx], 1", 5, { 0xf0, 0x0f, 0xba, 0x21, 0x01 } },
		{ "lock nop [rcx]", 4, { 0xf0, 0x0f, 0x1f, 0x01 } },
		{ "lock shl dword [rcx], 1", 3, { 0xf0, 0xd1, 0x21 } },
		{ "lock push [rcx]", 3, { 0xf0, 0xff, 0x31 } },
		{ "lock xchg eax, ecx", 2, { 0xf0, 0x91 } },
		{ "lock xchg ecx, edx", 3, { 0xf0, 0x87, 0xd1 } },
		{ "xchg ecx, edx", 2, { 0x87, 0xd1 } },
		{ "xchg eax, ecx", 1, { 0x91 } },
		{ "add [rcx], eax", 2, { 0x01, 0x01 } },
		{ "xadd [rcx], eax", 3, { 0x0f, 0xc1, 0x01 } },
		{ "cmpxchg16b [rcx]", 4, { 0x48, 0x0f, 0xc7, 0x09 } },
		{ "rdrand eax", 3, { 0x0f, 0xc7, 0xf0 } },
		{ "xsave [rcx]", 3, { 0x0f, 0xae, 0x21 } },
		{ "mfence", 3, { 0x0f, 0xae, 0xf0 } },
	};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct lockop op;

		report(!decode_lockop(list[i].bytes, list[i].length, 0, &op), "decode: not a lockop: %s", list[i].name);
	}
}

/* cmpxchg16b alone cares, and only about multiples of 16. */
static void test_misaligned(void)
{
	static struct form forms[MAX_FORMS];
	unsigned count = forms_fill(forms), wrong = 0;

	for (unsigned i = 0; i < count; i++) {
		struct encoding e;
		struct lockop op;

		form_encode_plain(&forms[i], 7, 6, &e);
		for (unsigned offset = 0; offset < 16; offset++) {
			struct lockop_registers regs = { .rflags = 0 };

			regs.gpr[7] = ((uintptr_t)arena_low & ~63ull) + offset;
			native_load(e.bytes, e.length);
			wrong += !decode_lockop(e.bytes, e.length, 0, &op) ||
				 lockop_misaligned(&op, regs.gpr[7]) != (native_run(&regs) != 0);
		}
	}
	report(!wrong, "decode: misaligned: %u of %u differ from the processor", wrong, count * 16);
}

void test_decode(unsigned rounds)
{
	test_every_opcode();
	test_prefix_soup(rounds);
	test_spoilt_forms();
	test_refusals();
	test_misaligned();
}
