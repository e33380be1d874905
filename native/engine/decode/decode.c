/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/decode/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/atomic/lockop.h"
#include "engine/decode/branch.h"
#include "engine/models/predictor.h"
#include "engine/unicorn/block.h"
#include "engine/unicorn/blocks.h"
#include "engine/unicorn/parallel.h"
#include "engine/unicorn/registers.h"
#include "engine/x86/insn.h"

/* What any processor has: what the guest's lacks raises #UD when it is executed, and ends its block there. Unicorn's
 * branches of 16 bits are those of Intel. */
static const struct x86_cpu any_cpu = { .features = ~0ull, .intel = true };

void decode_create(struct decode *decode, const struct parallel *parallel, bool lock_left)
{
	decode->parallel = parallel;
	decode->lock_left = lock_left;
}

/* String instructions, which Unicorn runs an iteration at a time when rep-prefixed. */
static bool is_string(const struct x86_insn *insn)
{
	return insn->kind == X86_STRING || insn->kind == X86_INS || insn->kind == X86_OUTS;
}

static bool has_rep(const struct x86_insn *insn)
{
	return insn->rep && is_string(insn);
}

static uint32_t last_flags(const struct x86_insn *insn)
{
	switch (insn->kind) {
	case X86_IRET:
		return BLOCK_RING | BLOCK_IRET;
	case X86_SYSRET: case X86_SYSEXIT: case X86_FAR:
		return BLOCK_RING;
	case X86_PAUSE:
		return BLOCK_PAUSE;
	case X86_INVLPG: case X86_MOV_CR:
		return BLOCK_SPACE;
	default:
		return has_rep(insn) ? BLOCK_REP : 0;
	}
}

/* Is it, alone, a block that stores? It may be a call, but no other branch. */
static bool is_lone_store(const struct decode *decode)
{
	const struct x86_insn *insn = &decode->insn;

	if (decode->is_locked)
		return true;
	return insn->writes_memory && !has_rep(insn) &&
	       (!branch_is(insn) || insn->kind == X86_CALL || insn->kind == X86_CALL_INDIRECT);
}

/* Decodes the next instruction into decode->insn, and what is locked into decode->locked, too. */
static bool next_instruction(struct decode *decode, const uint8_t **code, size_t *left, uint64_t *address)
{
	size_t size = *left < MAX_INSTRUCTION ? *left : MAX_INSTRUCTION;

	x86_decode(&any_cpu, *code, size, &decode->insn);
	if (decode->insn.verdict != X86_OK)
		return false;
	decode->is_locked = !decode->lock_left && lockop_is(&decode->insn, *code, *address, &decode->locked);
	decode->address = *address;
	decode->bytes = *code;
	*code += decode->insn.length;
	*left -= decode->insn.length;
	*address += decode->insn.length;
	return true;
}

/* Does the instruction in decode->insn need a trap, beside that of a breakpoint? */
static bool find_trap(const struct decode *decode, enum trap_kind *kind)
{
	if (decode->is_locked && decode->parallel->on && lockop_in_block(&decode->locked, decode->parallel->exchanges))
		return false;
	if (decode->is_locked) {
		*kind = TRAP_LOCKED;
		return true;
	}
	switch (decode->insn.kind) {
	case X86_OUT:
		*kind = TRAP_OUT;
		return true;
	case X86_IN: case X86_INS: case X86_OUTS:
		*kind = TRAP_PORT;
		return true;
	case X86_MFENCE:
		*kind = TRAP_FENCE;
		return !decode->parallel->on;
	default:
		return false;
	}
}

/* Nothing of its block is charged behind it. */
static bool leaves_block(enum trap_kind kind)
{
	return kind == TRAP_LOCKED;
}

static bool is_port(enum trap_kind kind)
{
	return kind == TRAP_OUT || kind == TRAP_PORT;
}

/* Does a breakpoint watch the instruction in decode->insn? */
static bool is_watched(const struct decode *decode)
{
	for (unsigned i = 0; i < decode->watches; i++)
		if (decode->watched[i] == decode->address)
			return true;
	return false;
}

static struct port_access port_access_of(const struct x86_insn *insn, const uint8_t *bytes)
{
	struct port_access ret = { .size = 4, .in_dx = !insn->immediate_bytes };

	if (!(insn->opcode & 1))
		ret.size = 1;
	else if (insn->operand16 && !insn->w)
		ret.size = 2;
	if (!ret.in_dx)
		ret.immediate = bytes[insn->immediate_at];
	return ret;
}

static int trap_add(struct decode *decode, struct block *block, enum trap_kind kind)
{
	struct trap *traps = realloc(block->trap, (block->traps + 1u) * sizeof(*traps));
	uint64_t next = kind == TRAP_WATCHED || is_string(&decode->insn) ? decode->address : NOWHERE;

	if (!traps)
		return -ENOMEM;
	block->trap = traps;
	traps += block->traps++;
	*traps = (struct trap){
		.address = decode->address,
		.kind = kind,
		.length = decode->insn.length,
		.next_first = next,
		.next_last = next,
	};
	if (kind == TRAP_LOCKED)
		traps->locked = decode->locked;
	else if (is_port(kind))
		traps->port = port_access_of(&decode->insn, decode->bytes);
	return 0;
}

/* Traps the instruction in decode->insn, if need be. *trapped: the last trap leaves the block behind it. */
static int trap_instruction(struct decode *decode, struct block *block, bool *trapped)
{
	enum trap_kind kind;

	*trapped = false;
	if (is_watched(decode) && trap_add(decode, block, TRAP_WATCHED))
		return -ENOMEM;
	if (!find_trap(decode, &kind))
		return 0;
	*trapped = leaves_block(kind);
	return trap_add(decode, block, kind);
}

/* The traps of the block that begins behind one that leaves its own. */
static void find_next_traps(struct decode *decode, struct trap *trap, const uint8_t *code, size_t left, uint64_t address)
{
	enum trap_kind kind = TRAP_WATCHED;

	while (left && !leaves_block(kind) && next_instruction(decode, &code, &left, &address)) {
		if (!find_trap(decode, &kind) && !is_watched(decode))
			continue;
		if (trap->next_first == NOWHERE)
			trap->next_first = decode->address;
		trap->next_last = decode->address;
	}
}

/* The traps of the block that begins behind an out, if that had to leave its own: all that follow. */
static void find_traps_behind_out(struct block *block)
{
	for (unsigned i = 0; i + 1u < block->traps; i++)
		if (block->trap[i].kind == TRAP_OUT) {
			block->trap[i].next_first = block->trap[i + 1].address;
			block->trap[i].next_last = block->trap[block->traps - 1].address;
		}
}

/*
 * Fills `block`, and offset[], which is long enough, from its bytes, up to the first trap that
 * leaves the block: nothing behind that matters.
 */
static int decode_bytes(struct decode *decode, const uint8_t *bytes, struct block *block, uint16_t *offset)
{
	const uint8_t *code = bytes;
	size_t left = block->size;
	uint64_t address = block->address;
	bool trapped = false, wrmsr = false; /* which does not end a block */

	while (left && !trapped && next_instruction(decode, &code, &left, &address)) {
		const struct x86_insn *insn = &decode->insn;

		if (trap_instruction(decode, block, &trapped))
			return -ENOMEM;
		block->last_offset = (uint16_t)(decode->address - block->address);
		offset[block->instructions++] = block->last_offset;
		if (decode->is_locked && !trapped) {
			offset[block->instructions - 1] |= OFFSET_LOCKED;
			block->locked++;
		}
		wrmsr |= insn->kind == X86_WRMSR;
		block->last_is_branch = branch_is(insn);
		block->branch = block->last_is_branch ? branch_kind_of(insn) : BRANCH_NONE;
		block->flags = trapped ? 0 : last_flags(insn);
		if (block->instructions == 1 && !left && !trapped && is_lone_store(decode))
			block->flags |= BLOCK_LONE_STORE;
	}
	if (left && !trapped)
		block->flags |= BLOCK_UNKNOWN;
	if (wrmsr)
		block->flags |= BLOCK_SPACE;
	if (trapped)
		find_next_traps(decode, &block->trap[block->traps - 1], code, left, address);
	find_traps_behind_out(block);
	block->offset = malloc(block->instructions * sizeof(*offset) + 1);
	if (!block->offset)
		return -ENOMEM;
	memcpy(block->offset, offset, block->instructions * sizeof(*offset));
	return 0;
}

unsigned decode_fetch(uc_engine *uc, uint64_t rip, uint8_t code[MAX_INSTRUCTION])
{
	uint64_t cr2 = reg_get(uc, UC_X86_REG_CR2); /* which a read that fails changes */
	unsigned n = 0;

	if (uc_vmem_read(uc, rip, UC_PROT_EXEC, code, MAX_INSTRUCTION) == UC_ERR_OK)
		return MAX_INSTRUCTION;
	while (n < MAX_INSTRUCTION && uc_vmem_read(uc, rip + n, UC_PROT_EXEC, &code[n], 1) == UC_ERR_OK)
		n++;
	reg_set(uc, UC_X86_REG_CR2, cr2);
	return n;
}

int decode_block(struct decode *decode, uc_engine *uc, struct block *block, uint64_t address, uint32_t size,
		 const char **why)
{
	uint8_t bytes[BLOCK_MAX_BYTES];
	uint16_t offset[BLOCK_MAX_BYTES];
	uc_err err;

	if (size > sizeof(bytes)) {
		*why = "it is too long";
		return -EOVERFLOW;
	}
	err = uc_vmem_read(uc, address, UC_PROT_EXEC, bytes, size);
	if (err) {
		*why = uc_strerror(err);
		return -EFAULT;
	}
	block->address = address;
	block->size = size;
	*why = "no memory for what was decoded";
	return decode_bytes(decode, bytes, block, offset);
}
