/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/exception/stack.h"

#include "engine/count/cpu.h"
#include "engine/decode/decode.h"
#include "engine/unicorn/registers.h"
#include "engine/x86/insn.h"

enum { RSP = 4, RBP = 5, WORD = 8, VECTOR_SS = 12, VECTOR_GP = 13 };

static const int general[16] = {
	UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI, UC_X86_REG_RDI,
	UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11, UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
};

static bool is_canonical(uint64_t address, uint64_t bytes)
{
	uint64_t last = address + bytes - 1;

	return (uint64_t)((int64_t)(address << 16) >> 16) == address && (uint64_t)((int64_t)(last << 16) >> 16) == last;
}

/* bt and its like: how far from its operand the bit lies that a register names, in bytes. */
static uint64_t bit_distance(struct cpu *cpu, const struct x86_insn *insn)
{
	unsigned bits = insn->w ? 64 : insn->operand16 ? 16 : 32, op = insn->opcode;
	uint64_t value;

	if (insn->encoding != X86_LEGACY || insn->map != 1 || (op != 0xa3 && op != 0xab && op != 0xb3 && op != 0xbb))
		return 0;
	value = reg_get(cpu->uc, general[(insn->modrm >> 3 & 7) | insn->r << 3]);
	return (uint64_t)((int64_t)(value << (64 - bits)) >> (64 - bits) >> 3) & ~(uint64_t)(bits / 8 - 1);
}

static uint64_t address_of(struct cpu *cpu, const struct x86_insn *insn, uint64_t rip)
{
	uint64_t address = (uint64_t)(int64_t)insn->displacement;

	if (insn->base == X86_RIP)
		address += rip + insn->length;
	else if (insn->base != X86_NONE)
		address += reg_get(cpu->uc, general[insn->base]);
	if (insn->index != X86_NONE && insn->kind != X86_GATHER)
		address += reg_get(cpu->uc, general[insn->index]) * insn->scale;
	address += bit_distance(cpu, insn);
	if (insn->address32)
		address = (uint32_t)address;
	if (insn->segment != X86_NONE)
		address += reg_get(cpu->uc, insn->segment == X86_FS ? UC_X86_REG_FS_BASE : UC_X86_REG_GS_BASE);
	return address;
}

/* Where the stack is read or written, from RSP (of leave, RBP) on; 0 bytes: it is not. */
struct stack_access {
	int64_t from;
	uint64_t bytes;
	bool by_rbp;
};

static struct stack_access push(void)
{
	return (struct stack_access){ .from = -WORD, .bytes = WORD };
}

static struct stack_access pop(unsigned words)
{
	return (struct stack_access){ .bytes = (uint64_t)words * WORD };
}

static struct stack_access stack_access_of(const struct x86_insn *insn)
{
	unsigned op = insn->opcode, digit = insn->modrm >> 3 & 7;

	if (insn->encoding != X86_LEGACY || insn->map > 1)
		return (struct stack_access){ 0 };
	if (insn->map == 1)
		return op == 0xa0 || op == 0xa8 ? push() : op == 0xa1 || op == 0xa9 ? pop(1) : (struct stack_access){ 0 };
	if (op >= 0x50 && op < 0x60)
		return op < 0x58 ? push() : pop(1);
	switch (op) {
	case 0x68: case 0x6a: case 0x9c: case 0xe8:
		return push();
	case 0x8f: case 0x9d: case 0xc2: case 0xc3:
		return pop(1);
	case 0xc9:
		return (struct stack_access){ .bytes = WORD, .by_rbp = true };
	case 0xca: case 0xcb:
		return pop(2);
	case 0xcf:
		return pop(5);
	case 0xff:
		return digit == 2 || digit == 3 || digit == 6 ? push() : (struct stack_access){ 0 };
	default:
		return (struct stack_access){ 0 };
	}
}

/* Is its operand in the stack's segment? */
static bool is_by_stack(const struct x86_insn *insn)
{
	return insn->memory && insn->segment == X86_NONE && (insn->base == RSP || insn->base == RBP);
}

static bool is_enter(const struct x86_insn *insn)
{
	return insn->kind == X86_ENTER;
}

/* What it raises for an operand or for the stack, or 0: they are canonical. */
static unsigned vector_of(struct cpu *cpu, const struct x86_insn *insn, uint64_t rip)
{
	struct stack_access access;
	uint64_t address;

	if (insn->kind == X86_GATHER) /* of which nothing but an element can be to blame */
		return is_by_stack(insn) ? VECTOR_SS : VECTOR_GP;
	if (insn->memory) {
		address = address_of(cpu, insn, rip);
		if (insn->alignment && address % insn->alignment)
			return VECTOR_GP;
		if (!is_canonical(address, insn->memory_bytes ? insn->memory_bytes : 1))
			return is_by_stack(insn) ? VECTOR_SS : VECTOR_GP;
	}
	access = stack_access_of(insn);
	address = reg_get(cpu->uc, access.by_rbp ? UC_X86_REG_RBP : UC_X86_REG_RSP) + (uint64_t)access.from;
	return access.bytes && !is_canonical(address, access.bytes) ? VECTOR_SS : 0;
}

static bool decode_at(struct cpu *cpu, uint64_t rip, struct x86_insn *insn)
{
	uint8_t code[MAX_INSTRUCTION];

	x86_decode(&cpu->x86, code, decode_fetch(cpu->uc, rip, code), insn);
	return insn->verdict == X86_OK;
}

/* LGDT, LIDT, LMSW and INVLPG, which CPL 3 may not execute whatever their operand is. */
static bool is_privileged(const struct x86_insn *insn)
{
	unsigned digit = insn->modrm >> 3 & 7;

	return insn->encoding == X86_LEGACY && insn->map == 1 && insn->opcode == 0x01 && (digit == 2 || digit == 3 || digit >= 6);
}

bool stack_is_to_blame(struct cpu *cpu, uint64_t rip)
{
	struct x86_insn insn;

	if (!decode_at(cpu, rip, &insn) || (is_privileged(&insn) && reg_get(cpu->uc, UC_X86_REG_CS) & 3))
		return false;
	if (is_enter(&insn)) /* wherever in the frames it copies */
		return true;
	return vector_of(cpu, &insn, rip) == VECTOR_SS;
}

/* Bytes of one access of those that an instruction makes one after the other; 0: it makes one alone. */
static unsigned piece_of(const struct x86_insn *insn)
{
	if (insn->kind == X86_STRING)
		return !(insn->opcode & 1) ? 1 : insn->w ? 8 : insn->operand16 ? 2 : 4;
	if (is_enter(insn))
		return insn->operand16 && !insn->w ? 2 : WORD;
	if (insn->kind == X86_GATHER)
		return insn->w ? 8 : 4;
	return insn->kind == X86_MASKED ? 1 : 0; /* whole.c looks at those of more bytes */
}

unsigned stack_ends_behind(struct cpu *cpu, uint64_t rip, uint64_t address)
{
	struct x86_insn insn;
	unsigned bytes;

	if (!decode_at(cpu, rip, &insn))
		return 0;
	bytes = piece_of(&insn);
	if (!bytes)
		return vector_of(cpu, &insn, rip);
	if (is_canonical(address, bytes))
		return 0;
	return is_enter(&insn) || is_by_stack(&insn) ? VECTOR_SS : VECTOR_GP;
}

bool operand_begins_read_only(struct cpu *cpu, uint64_t rip, uint64_t behind, uint64_t *address)
{
	uint64_t cr2 = reg_get(cpu->uc, UC_X86_REG_CR2), gpa;
	struct x86_insn insn;
	bool ret;

	if (!decode_at(cpu, rip, &insn) || !insn.memory || insn.memory_access != (X86_READ | X86_WRITE))
		return false;
	*address = address_of(cpu, &insn, rip);
	if (*address >= behind || behind - *address >= insn.memory_bytes)
		return false;
	ret = uc_vmem_translate(cpu->uc, *address, UC_PROT_WRITE, &gpa) != UC_ERR_OK;
	reg_set(cpu->uc, UC_X86_REG_CR2, cr2); /* which one that fails changes */
	return ret;
}
