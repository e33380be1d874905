/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/atomic/lockop.h"

enum {
	FLAGS_LOW = 0xd5,    /* SF ZF AF PF CF, as lahf and sahf have them */
	FLAG_OF_BIT = 11,
	FLAG_ZF = 1 << 6,
	RAX = 0, RCX = 1, RDX = 2, RBX = 3,
};

/* The first seven in the order in which opcodes number them. */
enum operation {
	OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR,
	OP_INC, OP_DEC, OP_NOT, OP_NEG,
	OP_BTS, OP_BTR, OP_BTC,
	OP_XADD, OP_XCHG, OP_CMPXCHG,
	OP_CMPXCHG_PAIR, /* cmpxchg8b, cmpxchg16b */
};

/*
 * Execution: one function for each operation and width, around the host's own
 * instruction, which also makes the flags and the partial register writes.
 */

/* What passes through the host instruction. */
struct operands {
	uint64_t source;      /* the whole register, or the immediate */
	uint64_t accumulator; /* RAX of cmpxchg */
	uint16_t flags;       /* AH: the low flags, AL: OF */
};

typedef void execute_fn(void *at, struct operands *o);

/* With 0 or 1 in AL, adding 0x7f sets OF to it; sahf loads the others. Unlike popf
 * this leaves the stack alone, and takes a few cycles. */
#define FLAGS_LOAD "addb $0x7f, %%al\n\tsahf\n\t"
#define FLAGS_STORE "\n\tseto %%al\n\tlahf"

#define DEFINE(op, width, text)                                                        \
	static void op##_##width(void *at, struct operands *o)                         \
	{                                                                              \
		__asm__ volatile(FLAGS_LOAD text FLAGS_STORE                           \
				 : "+&a"(o->flags), [source] "+&r"(o->source),         \
				   [accumulator] "+&r"(o->accumulator)                 \
				 : [at] "r"(at)                                        \
				 : "memory", "cc");                                    \
	}

#define UNARY(op, width, suffix, size) DEFINE(op, width, "lock " #op suffix " (%[at])")
#define BINARY(op, width, suffix, size) \
	DEFINE(op, width, "lock " #op suffix " %" size "[source], (%[at])")
#define COMPARE(op, width, suffix, size)                                                 \
	DEFINE(op, width,                                                                \
	       "movq %[accumulator], %%rax\n\tlock " #op suffix " %" size "[source], (%[at])" \
	       "\n\tmovq %%rax, %[accumulator]")

#define WORDS(kind, op) kind(op, 16, "w", "w") kind(op, 32, "l", "k") kind(op, 64, "q", "q")
#define WIDTHS(kind, op) kind(op, 8, "b", "b") WORDS(kind, op)

WIDTHS(BINARY, add)
WIDTHS(BINARY, or)
WIDTHS(BINARY, adc)
WIDTHS(BINARY, sbb)
WIDTHS(BINARY, and)
WIDTHS(BINARY, sub)
WIDTHS(BINARY, xor)
WIDTHS(UNARY, inc)
WIDTHS(UNARY, dec)
WIDTHS(UNARY, not)
WIDTHS(UNARY, neg)
WORDS(BINARY, bts)
WORDS(BINARY, btr)
WORDS(BINARY, btc)
WIDTHS(BINARY, xadd)
WIDTHS(BINARY, xchg)
WIDTHS(COMPARE, cmpxchg)

#define WORDS_ROW(op) { NULL, op##_16, op##_32, op##_64 }
#define WIDTHS_ROW(op) { op##_8, op##_16, op##_32, op##_64 }

/* By operation and log2 of the width in bytes. */
static execute_fn *const executors[OP_CMPXCHG_PAIR][4] = {
	[OP_ADD] = WIDTHS_ROW(add),
	[OP_OR] = WIDTHS_ROW(or),
	[OP_ADC] = WIDTHS_ROW(adc),
	[OP_SBB] = WIDTHS_ROW(sbb),
	[OP_AND] = WIDTHS_ROW(and),
	[OP_SUB] = WIDTHS_ROW(sub),
	[OP_XOR] = WIDTHS_ROW(xor),
	[OP_INC] = WIDTHS_ROW(inc),
	[OP_DEC] = WIDTHS_ROW(dec),
	[OP_NOT] = WIDTHS_ROW(not),
	[OP_NEG] = WIDTHS_ROW(neg),
	[OP_BTS] = WORDS_ROW(bts),
	[OP_BTR] = WORDS_ROW(btr),
	[OP_BTC] = WORDS_ROW(btc),
	[OP_XADD] = WIDTHS_ROW(xadd),
	[OP_XCHG] = WIDTHS_ROW(xchg),
	[OP_CMPXCHG] = WIDTHS_ROW(cmpxchg),
};

/* cmpxchg8b and cmpxchg16b: of the flags they write ZF alone. */
static void execute_pair(unsigned width, void *at, struct lockop_registers *regs)
{
	uint64_t rax = regs->gpr[RAX], rdx = regs->gpr[RDX];
	bool equal;

	if (width == 16)
		__asm__ volatile("lock cmpxchg16b (%[at])"
				 : "=@ccz"(equal), "+a"(rax), "+d"(rdx)
				 : "b"(regs->gpr[RBX]), "c"(regs->gpr[RCX]), [at] "r"(at)
				 : "memory");
	else
		__asm__ volatile("lock cmpxchg8b (%[at])"
				 : "=@ccz"(equal), "+a"(rax), "+d"(rdx)
				 : "b"(regs->gpr[RBX]), "c"(regs->gpr[RCX]), [at] "r"(at)
				 : "memory");
	regs->gpr[RAX] = rax;
	regs->gpr[RDX] = rdx;
	regs->rflags = (regs->rflags & ~(uint64_t)FLAG_ZF) | (equal ? FLAG_ZF : 0);
}

static bool is_bit(const struct lockop *op)
{
	return op->op >= OP_BTS && op->op <= OP_BTC;
}

/* The source operand; of a bit offset, the part within the word that
 * lockop_address() found. */
static uint64_t source_load(const struct lockop *op, const struct lockop_registers *regs)
{
	uint64_t source = (uint64_t)op->immediate;

	if (op->reg != LOCKOP_NONE && op->reg >= LOCKOP_HIGH_BYTE)
		source = regs->gpr[op->reg - LOCKOP_HIGH_BYTE] >> 8;
	else if (op->reg != LOCKOP_NONE)
		source = regs->gpr[op->reg];
	if (is_bit(op))
		source &= 8u * op->insn.memory_bytes - 1;
	return source;
}

static void source_store(const struct lockop *op, uint64_t source, struct lockop_registers *regs)
{
	if (op->reg >= LOCKOP_HIGH_BYTE) {
		uint64_t *gpr = &regs->gpr[op->reg - LOCKOP_HIGH_BYTE];

		*gpr = (*gpr & ~(uint64_t)0xff00) | (source & 0xff) << 8;
	} else {
		regs->gpr[op->reg] = source;
	}
}

void lockop_execute(const struct lockop *op, void *at, struct lockop_registers *regs)
{
	const uint64_t arithmetic = FLAGS_LOW | 1u << FLAG_OF_BIT;
	struct operands o;

	if (op->op == OP_CMPXCHG_PAIR) {
		execute_pair(op->insn.memory_bytes, at, regs);
		return;
	}
	o.source = source_load(op, regs);
	o.accumulator = regs->gpr[RAX];
	o.flags = (uint16_t)((regs->rflags & FLAGS_LOW) << 8 | (regs->rflags >> FLAG_OF_BIT & 1));
	executors[op->op][__builtin_ctz(op->insn.memory_bytes)](at, &o);
	if (op->op == OP_XADD || op->op == OP_XCHG)
		source_store(op, o.source, regs);
	else if (op->op == OP_CMPXCHG)
		regs->gpr[RAX] = o.accumulator;
	regs->rflags = (regs->rflags & ~arithmetic) | (o.flags >> 8 & FLAGS_LOW) |
		       (uint64_t)(o.flags & 1) << FLAG_OF_BIT;
}

/* Bytes from the operand to the word that holds the bit: the offset is signed. */
static uint64_t bit_offset_bytes(unsigned width, uint64_t offset)
{
	unsigned unused = 64 - 8 * width; /* upper bits of the register */
	unsigned word_bits = 3 + (unsigned)__builtin_ctz(width);
	int64_t bits = (int64_t)(offset << unused) >> unused;

	return (uint64_t)(bits >> word_bits) * width;
}

uint64_t lockop_address(const struct lockop *op, const struct lockop_registers *regs)
{
	const struct x86_insn *insn = &op->insn;
	bool has_offset = is_bit(op) && op->reg != LOCKOP_NONE;
	uint64_t offset = has_offset ? bit_offset_bytes(insn->memory_bytes, regs->gpr[op->reg]) : 0;
	uint64_t address = x86_address(insn, regs->gpr, regs->rip, offset);

	if (insn->segment == X86_FS)
		address += regs->fs_base;
	else if (insn->segment == X86_GS)
		address += regs->gs_base;
	return address;
}

bool lockop_misaligned(const struct lockop *op, uint64_t address)
{
	return op->insn.alignment && address % op->insn.alignment;
}

/* Of what may have LOCK. */
static enum operation operation_of(const struct x86_insn *insn)
{
	unsigned digit = insn->modrm >> 3 & 7;

	switch (insn->map << 8 | insn->opcode) {
	case 0x80: case 0x81: case 0x83: return digit;
	case 0x86: case 0x87: return OP_XCHG;
	case 0xf6: case 0xf7: return digit == 2 ? OP_NOT : OP_NEG;
	case 0xfe: case 0xff: return digit ? OP_DEC : OP_INC;
	case 0x1ab: return OP_BTS;
	case 0x1b3: return OP_BTR;
	case 0x1bb: return OP_BTC;
	case 0x1ba: return OP_BTS + digit - 5;
	case 0x1b0: case 0x1b1: return OP_CMPXCHG;
	case 0x1c0: case 0x1c1: return OP_XADD;
	case 0x1c7: return OP_CMPXCHG_PAIR;
	default: return insn->opcode >> 3;
	}
}

/* The register that is the source. */
static uint8_t register_of(const struct x86_insn *insn, enum operation op)
{
	uint8_t digit = insn->modrm >> 3 & 7;

	if (insn->immediate_bytes || (op >= OP_INC && op <= OP_NEG) || op == OP_CMPXCHG_PAIR)
		return LOCKOP_NONE;
	if (insn->memory_bytes == 1 && !insn->rex && digit >= 4)
		return (uint8_t)(LOCKOP_HIGH_BYTE + digit - 4);
	return (uint8_t)(digit | insn->r << 3);
}

static int64_t immediate_of(const struct x86_insn *insn, const uint8_t *bytes)
{
	unsigned unused = 64 - 8u * insn->immediate_bytes;
	uint64_t value = 0;

	if (!insn->immediate_bytes)
		return 0;
	for (unsigned i = 0; i < insn->immediate_bytes; i++)
		value |= (uint64_t)bytes[insn->immediate_at + i] << 8 * i;
	return (int64_t)(value << unused) >> unused;
}

bool lockop_is(const struct x86_insn *insn, const uint8_t *bytes, uint64_t address, struct lockop *ret)
{
	if (insn->verdict != X86_OK || !insn->memory ||
	    !(insn->lock || (insn->map == 0 && insn->encoding == X86_LEGACY && (insn->opcode | 1) == 0x87)))
		return false;
	*ret = (struct lockop){ .insn = *insn, .address = address, .op = (uint8_t)operation_of(insn) };
	ret->reg = register_of(insn, ret->op);
	ret->immediate = immediate_of(insn, bytes);
	ret->reads = insn->gpr_read;
	if (insn->base < 16)
		ret->reads |= (uint16_t)(1u << insn->base);
	if (insn->index < 16)
		ret->reads |= (uint16_t)(1u << insn->index);
	return true;
}

/* NEG has the flags of another subtraction there. CMPXCHG of 32 bits clears the upper half of RAX even where the
 * processor leaves RAX alone, and those of pairs are not translated with the others. A void override undoes FS or GS. */
bool lockop_in_block(const struct lockop *op, bool exchanges)
{
	if (op->insn.segment != X86_NONE && op->insn.void_segment)
		return false;
	switch (op->op) {
	case OP_NEG: case OP_CMPXCHG_PAIR:
		return false;
	case OP_XCHG:
		return exchanges;
	case OP_CMPXCHG:
		return op->insn.memory_bytes != 4;
	default:
		return true;
	}
}
