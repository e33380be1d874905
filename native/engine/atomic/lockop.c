/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/atomic/lockop.h"

enum {
	FLAGS_LOW = 0xd5,    /* SF ZF AF PF CF, as lahf and sahf have them */
	FLAG_OF_BIT = 11,
	FLAG_ZF = 1 << 6,
	MAX_LENGTH = 15,
	REX_W = 8, REX_R = 4, REX_X = 2, REX_B = 1,
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

enum source {
	SOURCE_NONE,
	SOURCE_REGISTER,
	SOURCE_IMMEDIATE8,  /* sign-extended */
	SOURCE_IMMEDIATE,   /* of the operand's width, at most 32 bits */
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

/* The source operand; of a bit offset, the part within the word that
 * lockop_address() found. */
static uint64_t source_load(const struct lockop *op, const struct lockop_registers *regs)
{
	uint64_t source = (uint64_t)op->immediate;

	if (op->source == SOURCE_REGISTER && op->reg >= LOCKOP_HIGH_BYTE)
		source = regs->gpr[op->reg - LOCKOP_HIGH_BYTE] >> 8;
	else if (op->source == SOURCE_REGISTER)
		source = regs->gpr[op->reg];
	if (op->op >= OP_BTS && op->op <= OP_BTC)
		source &= 8u * op->width - 1;
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
		execute_pair(op->width, at, regs);
		return;
	}
	o.source = source_load(op, regs);
	o.accumulator = regs->gpr[RAX];
	o.flags = (uint16_t)((regs->rflags & FLAGS_LOW) << 8 | (regs->rflags >> FLAG_OF_BIT & 1));
	executors[op->op][__builtin_ctz(op->width)](at, &o);
	if (op->op == OP_XADD || op->op == OP_XCHG)
		source_store(op, o.source, regs);
	else if (op->op == OP_CMPXCHG)
		regs->gpr[RAX] = o.accumulator;
	regs->rflags = (regs->rflags & ~arithmetic) | (o.flags >> 8 & FLAGS_LOW) |
		       (uint64_t)(o.flags & 1) << FLAG_OF_BIT;
}

/* Bytes from the operand to the word that holds the bit: the offset is signed. */
static uint64_t bit_offset_bytes(const struct lockop *op, uint64_t offset)
{
	unsigned unused = 64 - 8u * op->width; /* upper bits of the register */
	unsigned word_bits = 3 + (unsigned)__builtin_ctz(op->width);
	int64_t bits = (int64_t)(offset << unused) >> unused;

	return (uint64_t)(bits >> word_bits) * op->width;
}

uint64_t lockop_address(const struct lockop *op, const struct lockop_registers *regs)
{
	uint64_t address = (uint64_t)op->displacement;

	if (op->base == LOCKOP_RIP)
		address += regs->rip + op->length;
	else if (op->base != LOCKOP_NONE)
		address += regs->gpr[op->base];
	if (op->index != LOCKOP_NONE)
		address += regs->gpr[op->index] * op->scale;
	if (op->op >= OP_BTS && op->op <= OP_BTC && op->source == SOURCE_REGISTER)
		address += bit_offset_bytes(op, regs->gpr[op->reg]);
	if (op->address_bits == 32)
		address = (uint32_t)address;
	if (op->segment == LOCKOP_FS)
		address += regs->fs_base;
	else if (op->segment == LOCKOP_GS)
		address += regs->gs_base;
	return address;
}

bool lockop_misaligned(const struct lockop *op, uint64_t address)
{
	return op->width == 16 && address % 16 != 0;
}

/*
 * Decoding: prefixes, opcode, ModRM and immediate (Intel SDM vol. 2, chapter 2).
 */

struct cursor {
	const uint8_t *at, *end;
	bool overrun; /* the instruction is longer than the bytes there are */
};

struct prefixes {
	uint8_t segment;
	uint8_t rex;
	bool has_rex, lock, operand16, address32, null_segment;
};

static uint8_t fetch(struct cursor *c)
{
	if (c->at == c->end) {
		c->overrun = true;
		return 0;
	}
	return *c->at++;
}

/* A little-endian number of 0, 1, 2 or 4 bytes, sign-extended. */
static int64_t fetch_signed(struct cursor *c, unsigned bytes)
{
	uint64_t value = 0;
	unsigned unused = 64 - 8 * bytes;

	if (!bytes)
		return 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)fetch(c) << 8 * i;
	return (int64_t)(value << unused) >> unused;
}

/* Takes one legacy prefix. F2 and F3 are elision hints here, and change nothing;
 * the other segments' overrides are ignored in 64-bit mode, and do not undo FS or GS. */
static bool take_legacy_prefix(uint8_t byte, struct prefixes *p)
{
	switch (byte) {
	case 0xf0:
		p->lock = true;
		return true;
	case 0x66:
		p->operand16 = true;
		return true;
	case 0x67:
		p->address32 = true;
		return true;
	case 0x64:
		p->segment = LOCKOP_FS;
		return true;
	case 0x65:
		p->segment = LOCKOP_GS;
		return true;
	case 0x26: case 0x2e: case 0x36: case 0x3e:
		p->null_segment = true;
		return true;
	case 0xf2: case 0xf3:
		return true;
	default:
		return false;
	}
}

/* Takes all prefixes; the byte after them. A REX that is not the last is void. */
static uint8_t decode_prefixes(struct cursor *c, struct prefixes *p)
{
	uint8_t byte;

	*p = (struct prefixes){ .segment = LOCKOP_NONE };
	for (;;) {
		byte = fetch(c);
		if (c->overrun)
			return 0;
		if ((byte & 0xf0) == 0x40) {
			p->has_rex = true;
			p->rex = byte & 0xf;
		} else if (take_legacy_prefix(byte, p)) {
			p->has_rex = false;
			p->rex = 0;
		} else {
			return byte;
		}
	}
}

/* The lockable one-byte opcodes, and xchg. `digit` is ModRM's reg field. */
static bool decode_opcode(uint8_t opcode, unsigned digit, struct lockop *ret)
{
	ret->source = SOURCE_REGISTER;
	if (opcode < 0x38 && (opcode & 7) < 2) {
		ret->op = opcode >> 3;
		return true;
	}
	switch (opcode) {
	case 0x80: case 0x81: case 0x83:
		ret->op = (uint8_t)digit;
		ret->source = opcode == 0x83 ? SOURCE_IMMEDIATE8 : SOURCE_IMMEDIATE;
		return digit <= OP_XOR;
	case 0x86: case 0x87:
		ret->op = OP_XCHG;
		return true;
	case 0xf6: case 0xf7:
		ret->op = digit == 2 ? OP_NOT : OP_NEG;
		ret->source = SOURCE_NONE;
		return digit == 2 || digit == 3;
	case 0xfe: case 0xff:
		ret->op = digit ? OP_DEC : OP_INC;
		ret->source = SOURCE_NONE;
		return digit <= 1;
	default:
		return false;
	}
}

/* The lockable opcodes behind 0F. */
static bool decode_opcode_0f(uint8_t opcode, unsigned digit, struct lockop *ret)
{
	ret->source = SOURCE_REGISTER;
	switch (opcode) {
	case 0xab:
		ret->op = OP_BTS;
		return true;
	case 0xb3:
		ret->op = OP_BTR;
		return true;
	case 0xbb:
		ret->op = OP_BTC;
		return true;
	case 0xba:
		ret->op = (uint8_t)(OP_BTS + digit - 5);
		ret->source = SOURCE_IMMEDIATE8;
		return digit >= 5;
	case 0xb0: case 0xb1:
		ret->op = OP_CMPXCHG;
		return true;
	case 0xc0: case 0xc1:
		ret->op = OP_XADD;
		return true;
	case 0xc7:
		ret->op = OP_CMPXCHG_PAIR;
		ret->source = SOURCE_NONE;
		return digit == 1;
	default:
		return false;
	}
}

/* Bytes of the memory operand. Opcodes come in pairs of which the even one is for
 * bytes, except for the bt* and cmpxchg8b. */
static uint8_t operand_width(const struct prefixes *p, uint8_t opcode, uint8_t op)
{
	bool bit = op >= OP_BTS && op <= OP_BTC;

	if (op == OP_CMPXCHG_PAIR)
		return p->rex & REX_W ? 16 : 8;
	if (!bit && !(opcode & 1))
		return 1;
	if (p->rex & REX_W)
		return 8;
	return p->operand16 ? 2 : 4;
}

/* The memory operand of ModRM, whose mod field is not 3. */
static void decode_memory(struct cursor *c, const struct prefixes *p, uint8_t modrm,
			  struct lockop *ret)
{
	unsigned mod = modrm >> 6, low = modrm & 7;
	unsigned displacement_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;

	ret->segment = p->segment;
	ret->null_segment = p->null_segment;
	ret->address_bits = p->address32 ? 32 : 64;
	ret->index = LOCKOP_NONE;
	ret->scale = 1;
	if (low == 4) {
		uint8_t sib = fetch(c);
		uint8_t index = (uint8_t)((sib >> 3 & 7) | (p->rex & REX_X ? 8 : 0));

		low = sib & 7;
		ret->scale = (uint8_t)(1u << (sib >> 6));
		if (index != 4)
			ret->index = index;
		ret->base = LOCKOP_NONE; /* what mod 0 with base 5 means here */
	} else {
		ret->base = LOCKOP_RIP;
	}
	if (mod == 0 && low == 5)
		displacement_bytes = 4;
	else
		ret->base = (uint8_t)(low | (p->rex & REX_B ? 8 : 0));
	ret->displacement = fetch_signed(c, displacement_bytes);
}

static void decode_register(const struct prefixes *p, unsigned digit, struct lockop *ret)
{
	ret->reg = LOCKOP_NONE;
	if (ret->source != SOURCE_REGISTER)
		return;
	if (ret->width == 1 && !p->has_rex && digit >= 4)
		ret->reg = (uint8_t)(LOCKOP_HIGH_BYTE + digit - 4);
	else
		ret->reg = (uint8_t)(digit | (p->rex & REX_R ? 8 : 0));
}

static uint16_t register_bit(uint8_t reg)
{
	return (uint16_t)(reg < 16 ? 1u << reg : 0);
}

/* Fills in which registers the instruction reads and writes. */
static void decode_uses(struct lockop *ret)
{
	uint8_t reg = ret->reg;

	if (reg != LOCKOP_NONE && reg >= LOCKOP_HIGH_BYTE)
		reg = (uint8_t)(reg - LOCKOP_HIGH_BYTE);
	ret->reads = register_bit(ret->base);
	ret->reads |= register_bit(ret->index);
	ret->reads |= register_bit(reg);
	ret->writes = 0;
	if (ret->op == OP_XADD || ret->op == OP_XCHG)
		ret->writes = register_bit(reg);
	if (ret->op == OP_CMPXCHG)
		ret->writes = 1u << RAX;
	if (ret->op == OP_CMPXCHG_PAIR) {
		ret->reads |= 1u << RCX | 1u << RBX;
		ret->writes = 1u << RAX | 1u << RDX;
	}
	ret->flags = ret->op != OP_XCHG && ret->op != OP_NOT;
	ret->reads |= ret->writes; /* 8 and 16 bits leave the rest of a register */
}

bool lockop_decode_bytes(const uint8_t *bytes, size_t size, uint64_t address, struct lockop *ret)
{
	struct cursor c = { bytes, bytes + (size < MAX_LENGTH ? size : MAX_LENGTH), false };
	struct prefixes p;
	uint8_t opcode = decode_prefixes(&c, &p), modrm;
	bool two_byte = opcode == 0x0f, known;

	*ret = (struct lockop){ .address = address };
	if (two_byte)
		opcode = fetch(&c);
	modrm = fetch(&c);
	if (c.overrun || modrm >> 6 == 3)
		return false;
	known = two_byte ? decode_opcode_0f(opcode, modrm >> 3 & 7, ret) :
			   decode_opcode(opcode, modrm >> 3 & 7, ret);
	if (!known || (!p.lock && ret->op != OP_XCHG))
		return false;
	ret->width = operand_width(&p, opcode, ret->op);
	decode_register(&p, modrm >> 3 & 7, ret);
	decode_memory(&c, &p, modrm, ret);
	if (ret->source == SOURCE_IMMEDIATE8)
		ret->immediate = fetch_signed(&c, 1);
	else if (ret->source == SOURCE_IMMEDIATE)
		ret->immediate = fetch_signed(&c, ret->width < 4 ? ret->width : 4);
	decode_uses(ret);
	ret->length = (uint8_t)(c.at - bytes);
	return !c.overrun;
}

/* NEG has the flags of another subtraction there. CMPXCHG of 32 bits clears the upper half of RAX even where the
 * processor leaves RAX alone, and those of pairs are not translated with the others. A void override undoes FS or GS. */
bool lockop_in_block(const struct lockop *op, bool exchanges)
{
	if (op->segment != LOCKOP_NONE && op->null_segment)
		return false;
	switch (op->op) {
	case OP_NEG: case OP_CMPXCHG_PAIR:
		return false;
	case OP_XCHG:
		return exchanges;
	case OP_CMPXCHG:
		return op->width != 4;
	default:
		return true;
	}
}
