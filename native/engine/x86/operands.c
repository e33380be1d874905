/* SPDX-License-Identifier: GPL-2.0-only */
/* What the operands of a row mean for an instruction: the bytes, the registers. */
#include "engine/x86/rows.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

bool x86_next_operand(const char **operands, struct x86_operand *ret)
{
	const char *at = *operands;

	if (!*at)
		return false;
	*ret = (struct x86_operand){ .where = at[0], .size = at[1], .read = true };
	at += 2;
	if (*at == '=' || *at == '+') {
		ret->written = true;
		ret->read = *at++ == '+';
	}
	*operands = *at ? at + 1 : at;
	return true;
}

unsigned x86_operand_size(const struct x86_cpu *cpu, const struct x86_insn *insn, uint64_t what)
{
	bool word = insn->operand16 && !insn->w && insn->encoding == X86_LEGACY;

	if (what & NEAR)
		return word && !cpu->intel ? 2 : 8;
	if (what & STACK64)
		return word ? 2 : 8;
	return insn->w ? 8 : word ? 2 : 4;
}

/* AMD's far pointers are never of 64 bits. */
static unsigned far_pointer(const struct x86_cpu *cpu, const struct x86_insn *insn)
{
	if (insn->w && cpu->intel)
		return 10;
	return insn->operand16 && !insn->w ? 4 : 6;
}

static unsigned operand_bytes(const struct x86_cpu *cpu, const struct x86_row *row, const struct x86_insn *insn, char size)
{
	unsigned vector = insn->vex_l ? 32 : 16, word = x86_operand_size(cpu, insn, row->what);

	switch (size) {
	case 'b': return 1;
	case 'w': return 2;
	case 'd': return 4;
	case 'q': return 8;
	case 't': return 10;
	case 'o': return 16;
	case 'v': return word;
	case 'z': return word < 4 ? word : 4;
	case 'g': return insn->w ? 8 : 4;
	case 'p': return far_pointer(cpu, insn);
	case 'x': case 'u': return vector;
	case 'h': return vector / 2;
	case 'f': return vector / 4;
	case 'e': return vector / 8;
	case 'k': return word == 2 ? 14 : 28;
	case 'l': return word == 2 ? 94 : 108;
	case 'm': return 512;
	default: return 0;
	}
}

static void use(uint16_t *read, uint16_t *written, unsigned reg, const struct x86_operand *operand)
{
	uint16_t bit = (uint16_t)(1u << (reg & 15));

	if (operand->read)
		*read |= bit;
	if (operand->written)
		*written |= bit;
}

static void use_vector(struct x86_insn *insn, unsigned reg, const struct x86_operand *operand)
{
	use(&insn->vector_read, &insn->vector_written, reg, operand);
}

static void use_mmx(struct x86_insn *insn, unsigned reg, const struct x86_operand *operand)
{
	uint8_t bit = (uint8_t)(1u << (reg & 7));

	insn->mmx_read |= operand->read ? bit : 0;
	insn->mmx_written |= operand->written ? bit : 0;
}

/* What writes 8 or 16 bits leaves the rest of the register. */
static void use_gpr(struct x86_insn *insn, unsigned reg, const struct x86_operand *operand, unsigned bytes)
{
	use(&insn->gpr_read, &insn->gpr_written, reg, operand);
	if (operand->written && bytes < 4)
		insn->gpr_read |= (uint16_t)(1u << (reg & 15));
}

/* One that an opcode or ModRM numbers: of bytes, 4 to 7 are AH to BH without REX. */
static void use_numbered(struct x86_insn *insn, unsigned reg, const struct x86_operand *operand, unsigned bytes)
{
	bool high = bytes == 1 && reg >= 4 && reg < 8 && !insn->rex && insn->encoding == X86_LEGACY;

	use_gpr(insn, high ? reg - 4 : reg, operand, bytes);
}

/* Operands of strings. */
static void use_pointer(struct x86_insn *insn, unsigned reg, const struct x86_operand *operand)
{
	const struct x86_operand moved = { .read = true, .written = true };

	use_gpr(insn, reg, &moved, 8);
	if (insn->rep)
		use_gpr(insn, RCX, &moved, 8);
	insn->writes_memory |= operand->written;
}

static void use_fixed(struct x86_insn *insn, const struct x86_operand *operand, unsigned bytes)
{
	switch (operand->where) {
	case 'a': use_gpr(insn, RAX, operand, bytes); break;
	case 'b': use_gpr(insn, RBX, operand, bytes); break;
	case 'c': use_gpr(insn, RCX, operand, bytes); break;
	case 'd': use_gpr(insn, RDX, operand, bytes); break;
	case 's': use_gpr(insn, RSP, operand, bytes); break;
	case 'p': use_gpr(insn, RBP, operand, bytes); break;
	case 'v': use_vector(insn, 0, operand); break;
	case 'X': use_pointer(insn, RSI, operand); break;
	case 'Y': use_pointer(insn, RDI, operand); break;
	default: break;
	}
}

static void use_memory(const struct x86_row *row, struct x86_insn *insn, const struct x86_operand *operand, unsigned bytes)
{
	bool vector = operand->size == 'x' && operand->where != 'M';

	insn->memory_bytes = (uint16_t)bytes;
	if (operand->size != 'n')
		insn->memory_access = (uint8_t)((operand->read ? X86_READ : 0) | (operand->written ? X86_WRITE : 0));
	insn->writes_memory |= operand->written;
	if (row->what & ALIGN16)
		insn->alignment = 16;
	else if (row->what & ALIGN64)
		insn->alignment = 64;
	else if (vector && (insn->encoding == X86_LEGACY || row->what & ALIGNED))
		insn->alignment = (uint8_t)bytes;
}

/* What ModRM's rm field says, which is not memory. */
static void use_rm(struct x86_insn *insn, const struct x86_operand *operand, unsigned bytes)
{
	unsigned rm = (insn->modrm & 7u) | (insn->b ? 8u : 0);

	if (operand->size == 'n')
		return;
	if (operand->where == 'E' || operand->where == 'R')
		use_numbered(insn, rm, operand, bytes);
	else if (operand->where == 'W' || operand->where == 'U')
		use_vector(insn, rm, operand);
	else if (operand->where == 'Q' || operand->where == 'N')
		use_mmx(insn, rm, operand);
}

static void use_operand(const struct x86_cpu *cpu, const struct x86_row *row, struct x86_insn *insn,
			const struct x86_operand *operand)
{
	unsigned bytes = operand_bytes(cpu, row, insn, operand->size);
	unsigned reg = (insn->modrm >> 3 & 7u) | (insn->r ? 8u : 0);

	switch (operand->where) {
	case 'E': case 'M': case 'W': case 'Q':
		if (insn->memory)
			use_memory(row, insn, operand, bytes);
		else
			use_rm(insn, operand, bytes);
		break;
	case 'R': case 'U': case 'N': use_rm(insn, operand, bytes); break;
	case 'O': case 'K': use_memory(row, insn, operand, bytes); break;
	case 'G': use_numbered(insn, reg, operand, bytes); break;
	case 'V': use_vector(insn, reg, operand); break;
	case 'P': use_mmx(insn, reg, operand); break;
	case 'B': use_gpr(insn, insn->vvvv, operand, bytes); break;
	case 'H': use_vector(insn, insn->vvvv, operand); break;
	case 'L': use_vector(insn, insn->is4, operand); break;
	case 'Z': use_numbered(insn, (insn->opcode & 7u) | (insn->b ? 8u : 0), operand, bytes); break;
	default: use_fixed(insn, operand, bytes); break;
	}
}

void x86_fill_operands(const struct x86_cpu *cpu, const struct x86_row *row, struct x86_insn *insn)
{
	const char *operands = row->operands;
	struct x86_operand operand;

	while (x86_next_operand(&operands, &operand))
		use_operand(cpu, row, insn, &operand);
	if (row->what & PUSHES)
		insn->writes_memory = true;
	if (row->what & ALL_VECTORS)
		insn->vector_written = 0xffff;
	if (row->what & ALL_VECTORS && !insn->vex_l) /* vzeroupper leaves their lower halves */
		insn->vector_read = 0xffff;
}
