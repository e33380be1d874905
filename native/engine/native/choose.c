/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who executes an instruction: Unicorn, where it does so as a processor would and in its own code, this processor
 * otherwise. What Unicorn executes it is shown in the one form that it knows.
 */
#include <string.h>

#include "engine/native/native.h"

enum { NULL_SEGMENT = 0x2e, OPERAND16 = 0x66, FS = 0x64, GS = 0x65, LOCK = 0xf0, NOP = 0x90, REPE = 0xf3, UNDEFINED = 0x06 };

static bool is_rex(uint8_t byte)
{
	return (byte & 0xf0) == 0x40;
}

static bool is_null_segment(uint8_t byte)
{
	return byte == 0x26 || byte == NULL_SEGMENT || byte == 0x36 || byte == 0x3e;
}

/* Moves of vectors, and what is made of bits alone, between registers: Unicorn's translations of these are exact. Its
 * loads and stores of 16 bytes do not ask how they are aligned. */
static bool is_plain_vector(const struct x86_insn *insn)
{
	if (insn->encoding != X86_LEGACY || insn->map != 1 || insn->unit != X86_SSE || (insn->memory && insn->alignment))
		return false;
	switch (insn->opcode) {
	case 0x10: case 0x11:
		return true;
	case 0x12: case 0x13: case 0x16: case 0x17:
		return insn->pp < 2;
	case 0x28: case 0x29: case 0x54: case 0x55: case 0x56: case 0x57:
		return true;
	case 0x6e: case 0x7e: case 0xd6:
		return insn->pp == 1 || insn->opcode == 0x7e;
	case 0x6f: case 0x7f:
		return insn->pp != 0;
	case 0xdb: case 0xdf: case 0xeb: case 0xef:
		return insn->pp == 1;
	default:
		return false;
	}
}

/* SHLD, SHRD and RORX by an immediate, with an operand at RIP: Unicorn forgets the immediate's byte. */
static bool is_shift_at_rip(const struct x86_insn *insn)
{
	if (!insn->memory || insn->base != X86_RIP)
		return false;
	return insn->encoding == X86_LEGACY ? insn->map == 1 && (insn->opcode == 0xa4 || insn->opcode == 0xac) :
					      insn->map == 3 && insn->opcode == 0xf0;
}

/* Of the general registers': those that Unicorn gets wrong, or has not (adcx, adox). */
static bool is_wrong_integer(const struct x86_insn *insn)
{
	if (is_shift_at_rip(insn) || insn->kind == X86_CACHE_LINE || insn->kind == X86_ENTER)
		return true;
	if (insn->encoding == X86_LEGACY && insn->map == 2)
		return insn->opcode == 0xf6;
	if (insn->encoding == X86_LEGACY) /* cmpxchg: what of RAX it leaves alone */
		return insn->map == 1 && (insn->opcode == 0xb0 || insn->opcode == 0xb1) && !insn->lock;
	if (insn->map != 2)
		return false;
	return insn->opcode == 0xf3 || insn->opcode == 0xf5 || (insn->opcode == 0xf7 && !insn->pp); /* blsX, bzhi pdep pext, bextr */
}

/* FNSTSW AX stores in AX alone, and FWAIT is one byte long: translate.c has it. */
static bool is_plain_x87(const struct x86_insn *insn)
{
	return insn->unit == X86_X87 && ((insn->opcode == 0xdf && insn->modrm == 0xe0) || insn->opcode == 0x9b);
}

static bool is_whole(const struct x86_insn *insn)
{
	return insn->kind == X86_VZERO || insn->kind == X86_GATHER || insn->kind == X86_MASKED || insn->kind == X86_RET ||
	       insn->kind == X86_MXCSR || insn->kind == X86_XSAVE_OP || insn->kind == X86_CACHE_LINE || insn->kind == X86_ENTER;
}

/* RET imm16: Unicorn takes 0x8000 and more as negative. */
static bool is_far_release(const struct x86_insn *insn, const uint8_t *bytes)
{
	return insn->kind == X86_RET && insn->immediate_bytes == 2 && bytes[insn->immediate_at + 1] >> 7;
}

/* For Intel's processors near branches have 64 bits, whatever 66 says; Unicorn knows AMD's way. */
static bool is_near_branch(const struct x86_insn *insn)
{
	return insn->kind >= X86_JCC && insn->kind <= X86_RET;
}

/* Not moved there, but executed with what it has of the CPU's state by Unicorn. */
static bool is_state(const struct x86_insn *insn)
{
	return (insn->kind == X86_XSAVE_OP && !insn->memory) || (insn->kind == X86_MXCSR && insn->encoding == X86_LEGACY) || is_plain_x87(insn);
}

static bool is_native(const struct x86_insn *insn, const uint8_t *bytes)
{
	if (is_far_release(insn, bytes))
		return true;
	if (is_state(insn))
		return false;
	if (insn->kind == X86_XSAVE_OP)
		return true;
	if (insn->unit == X86_INTEGER)
		return is_wrong_integer(insn);
	return !is_plain_vector(insn);
}

/* FCOMI and its like are two bytes long, and set flags. */
static bool is_compare(const struct x86_insn *insn)
{
	return insn->unit == X86_X87 && insn->writes_flags;
}

/* In front of what becomes a call, prefixes that mean nothing there. */
static void show(uint8_t *bytes, unsigned length, const void *what, unsigned size)
{
	memset(bytes, NULL_SEGMENT, length - size);
	memcpy(bytes + length - size, what, size);
}

static void show_call(const struct x86_insn *insn, uint8_t *bytes)
{
	static const uint8_t call[] = { 0x0f, 0xa2 }, call_flags[] = { 0x0f, 0x00, 0xe0 }, compare[] = { 0xdb, 0xf0 };

	if (is_compare(insn))
		show(bytes, insn->length, compare, sizeof(compare));
	else if (insn->writes_flags)
		show(bytes, insn->length, call_flags, sizeof(call_flags));
	else
		show(bytes, insn->length, call, sizeof(call));
}

/* RDFSBASE, WRGSBASE and so on, of 32 bits or 64. */
static bool is_base_access(const struct x86_insn *insn)
{
	return insn->map == 1 && insn->opcode == 0xae && !insn->memory && insn->rep == REPE;
}

/* POPCNT, LZCNT, TZCNT of 64 bits. */
static bool is_wide_count(const struct x86_insn *insn)
{
	return insn->map == 1 && insn->w && (insn->opcode == 0xb8 || insn->opcode == 0xbc || insn->opcode == 0xbd);
}

/* One prefix as Unicorn is to see it. `next` is the one behind, if that is a legacy prefix. */
static uint8_t prefix(const struct x86_cpu *model, const struct x86_insn *insn, uint8_t byte, uint8_t next)
{
	bool fs_gs = insn->segment != X86_NONE;

	if (is_near_branch(insn) && !insn->memory && (byte == 0xf2 || byte == REPE || (byte == OPERAND16 && model->intel)))
		return NULL_SEGMENT;
	if (byte == FS || byte == GS || (is_null_segment(byte) && fs_gs))
		return fs_gs ? (uint8_t)(insn->segment == X86_FS ? FS : GS) : byte;
	if (byte == 0xf2 || byte == REPE)
		return insn->rep;
	if (byte == OPERAND16 && insn->rep && (insn->unit == X86_SSE || is_base_access(insn) || is_wide_count(insn)))
		return insn->rep;
	if (is_rex(byte) && next)
		return next;
	return byte;
}

static unsigned prefixes_of(const struct x86_insn *insn)
{
	if (insn->encoding != X86_LEGACY)
		return insn->opcode_at - (insn->encoding == X86_VEX2 ? 2u : 3u);
	return insn->opcode_at - (insn->map >= 1u) - (insn->map >= 2u);
}

/* It takes each F2 and F3, a REX that is not the last prefix, and overrides of other segments for what they are not. */
static void mend_prefixes(const struct x86_cpu *model, const struct x86_insn *insn, uint8_t *bytes)
{
	unsigned n = prefixes_of(insn);
	uint8_t next = 0;

	if (insn->rex)
		n--;
	while (n-- > 0) {
		bytes[n] = prefix(model, insn, bytes[n], next);
		next = bytes[n];
	}
}

/* The same instruction in other bytes. */
static void mend_opcode(const struct x86_insn *insn, uint8_t *bytes)
{
	unsigned digit = insn->modrm >> 3 & 7;

	if (insn->map == 0 && (insn->opcode == 0xf6 || insn->opcode == 0xf7) && digit == 1)
		bytes[insn->modrm_at] &= (uint8_t)~0x38; /* test */
	else if (insn->map == 0 && digit == 6 &&
		 (insn->opcode == 0xc0 || insn->opcode == 0xc1 || (insn->opcode >= 0xd0 && insn->opcode <= 0xd3)))
		bytes[insn->modrm_at] &= (uint8_t)~0x10; /* shl */
	else if (insn->map == 0 && (insn->opcode == 0x9e || insn->opcode == 0x9f) && insn->rex)
		bytes[insn->opcode_at - 1] = NULL_SEGMENT; /* lahf, sahf */
	else if (insn->map == 0 && (insn->opcode == 0xc6 || insn->opcode == 0xc7) && insn->rex)
		bytes[insn->opcode_at - 1] &= (uint8_t)~4; /* mov: REX.R does not belong to the digit */
	else if (insn->map == 1 && insn->opcode == 0xae && insn->modrm >= 0xe8 && !insn->rep && !insn->operand16)
		bytes[insn->modrm_at] &= (uint8_t)~7; /* fences */
}

void native_show_nothing(const struct x86_insn *insn, uint8_t *bytes)
{
	static const uint8_t nop[] = { NOP };

	show(bytes, insn->length, nop, sizeof(nop));
}

/*
 * One that changes neither memory, which may hold what comes behind, nor flags, of which Unicorn must know when. If it
 * faults, RIP is at it, and what is in front of it is done.
 */
bool native_joins(const struct x86_insn *insn)
{
	return !(insn->memory_access & X86_WRITE) && !insn->reads_flags && !insn->writes_flags;
}

static void mend(const struct x86_cpu *model, const struct x86_insn *insn, uint8_t *bytes)
{
	static const uint8_t pause[] = { REPE, NOP };

	if (insn->kind == X86_NOP) {
		native_show_nothing(insn, bytes);
	} else if (insn->kind == X86_PAUSE) {
		show(bytes, insn->length, pause, sizeof(pause));
	} else {
		mend_prefixes(model, insn, bytes);
		if (insn->encoding == X86_LEGACY)
			mend_opcode(insn, bytes);
	}
}

enum native_choice native_choose(const struct x86_cpu *model, const struct x86_insn *insn, uint8_t *bytes)
{

	if (insn->verdict == X86_UD) {
		bytes[0] = UNDEFINED;
		return NATIVE_LEFT;
	}
	if (insn->verdict == X86_GP) /* whatever Unicorn would make of what it begins with */
		memset(bytes, NULL_SEGMENT, NATIVE_TOO_LONG);
	if (insn->verdict != X86_OK)
		return NATIVE_LEFT;
	if (!is_native(insn, bytes)) {
		mend(model, insn, bytes);
		return NATIVE_LEFT;
	}
	show_call(insn, bytes);
	return is_whole(insn) ? NATIVE_WHOLE : NATIVE_EXECUTED;
}
