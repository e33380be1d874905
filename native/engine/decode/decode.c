/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/decode/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/atomic/lockop.h"
#include "engine/decode/port_access.h"
#include "engine/models/branch.h"
#include "engine/models/predictor.h"
#include "engine/unicorn/block.h"
#include "engine/unicorn/blocks.h"
#include "engine/unicorn/parallel.h"
#include "engine/unicorn/registers.h"

int decode_create(struct decode *decode, const struct parallel *parallel, bool lock_left)
{
	decode->parallel = parallel;
	decode->lock_left = lock_left;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &decode->capstone) != CS_ERR_OK)
		return -ENOMEM;
	cs_option(decode->capstone, CS_OPT_DETAIL, CS_OPT_ON);
	decode->insn = cs_malloc(decode->capstone);
	return decode->insn ? 0 : -ENOMEM;
}

void decode_destroy(struct decode *decode)
{
	if (decode->insn)
		cs_free(decode->insn, 1);
	if (decode->capstone)
		cs_close(&decode->capstone);
}

/*
 * Branches are what the architectural event "branch instructions retired" counts
 * (Intel SDM vol. 3, 20.2.1): near and far jumps, calls and returns, taken or not,
 * loop and jrcxz, and the far transfers int n, iret, syscall and sysret.
 */
static bool is_branch(csh capstone, const cs_insn *insn)
{
	switch (insn->id) {
	case X86_INS_SYSCALL:
	case X86_INS_SYSRET:
	case X86_INS_SYSRETQ:
	case X86_INS_SYSENTER:
	case X86_INS_SYSEXIT:
	case X86_INS_SYSEXITQ:
	case X86_INS_LOOP:
	case X86_INS_LOOPE:
	case X86_INS_LOOPNE:
		return true;
	case X86_INS_VMCALL:
	case X86_INS_VMMCALL:
		return false;
	default:
		return cs_insn_group(capstone, insn, X86_GRP_JUMP) ||
		       cs_insn_group(capstone, insn, X86_GRP_CALL) ||
		       cs_insn_group(capstone, insn, X86_GRP_RET) ||
		       cs_insn_group(capstone, insn, X86_GRP_IRET) ||
		       cs_insn_group(capstone, insn, X86_GRP_INT);
	}
}

/* String instructions, which Unicorn runs an iteration at a time when rep-prefixed. */
static bool is_string(const cs_insn *insn)
{
	switch (insn->id) {
	case X86_INS_MOVSB: case X86_INS_MOVSW: case X86_INS_MOVSD: case X86_INS_MOVSQ:
	case X86_INS_STOSB: case X86_INS_STOSW: case X86_INS_STOSD: case X86_INS_STOSQ:
	case X86_INS_LODSB: case X86_INS_LODSW: case X86_INS_LODSD: case X86_INS_LODSQ:
	case X86_INS_CMPSB: case X86_INS_CMPSW: case X86_INS_CMPSD: case X86_INS_CMPSQ:
	case X86_INS_SCASB: case X86_INS_SCASW: case X86_INS_SCASD: case X86_INS_SCASQ:
	case X86_INS_INSB: case X86_INS_INSW: case X86_INS_INSD:
	case X86_INS_OUTSB: case X86_INS_OUTSW: case X86_INS_OUTSD:
		/* MOVSD and CMPSD are also SSE2 instructions: those have 0F as opcode. */
		return insn->detail->x86.opcode[0] != 0x0f;
	default:
		return false;
	}
}

static bool has_rep(const cs_insn *insn)
{
	uint8_t prefix = insn->detail->x86.prefix[0];

	return (prefix == X86_PREFIX_REP || prefix == X86_PREFIX_REPNE) && is_string(insn);
}

static bool writes_memory(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	if (insn->id == X86_INS_PUSH || insn->id == X86_INS_PUSHF || insn->id == X86_INS_PUSHFQ || insn->id == X86_INS_CALL ||
	    insn->id == X86_INS_ENTER || is_string(insn))
		return true;
	for (unsigned i = 0; i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_MEM && (x86->operands[i].access & CS_AC_WRITE))
			return true;
	/* Capstone gives no access for some; a memory destination comes first. */
	return x86->op_count && x86->operands[0].type == X86_OP_MEM && x86->operands[0].access == 0;
}

/* A far call or jump through memory, which Capstone tells from a near one only with REX.W. */
static bool is_far_indirect(const cs_x86 *x86)
{
	unsigned extension = x86->modrm >> 3 & 7;

	return x86->opcode[0] == 0xff && (extension == 3 || extension == 5);
}

static uint32_t last_flags(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	if (is_far_indirect(x86))
		return BLOCK_RING;
	switch (insn->id) {
	case X86_INS_IRET: case X86_INS_IRETD: case X86_INS_IRETQ:
		return BLOCK_RING | BLOCK_IRET;
	case X86_INS_SYSRET: case X86_INS_SYSRETQ: case X86_INS_SYSEXIT: case X86_INS_SYSEXITQ:
	case X86_INS_RETF: case X86_INS_RETFQ: case X86_INS_LJMP: case X86_INS_LCALL:
		return BLOCK_RING;
	case X86_INS_PAUSE:
		return BLOCK_PAUSE;
	case X86_INS_INVLPG:
		return BLOCK_SPACE;
	case X86_INS_MOV:
		if (x86->op_count == 2 && x86->operands[0].type == X86_OP_REG &&
		    x86->operands[0].reg >= X86_REG_CR0 && x86->operands[0].reg <= X86_REG_CR15)
			return BLOCK_SPACE;
		return 0;
	default:
		return has_rep(insn) ? BLOCK_REP : 0;
	}
}

/*
 * Decodes the next instruction into decode->insn. Locked operations are decoded by
 * lockop.c, which knows prefix sequences that Capstone does not.
 */
static bool next_instruction(struct decode *decode, const uint8_t **code, size_t *left, uint64_t *address)
{
	size_t size = *left < MAX_INSTRUCTION ? *left : MAX_INSTRUCTION;

	decode->is_locked = !decode->lock_left && lockop_decode_bytes(*code, size, *address, &decode->locked);
	if (!decode->is_locked)
		return cs_disasm_iter(decode->capstone, code, left, address, decode->insn);
	decode->insn->id = X86_INS_INVALID;
	decode->insn->address = *address;
	decode->insn->size = decode->locked.length;
	memset(decode->insn->detail, 0, sizeof(*decode->insn->detail));
	*code += decode->locked.length;
	*left -= decode->locked.length;
	*address += decode->locked.length;
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
	switch (decode->insn->id) {
	case X86_INS_OUT:
		*kind = TRAP_OUT;
		return true;
	case X86_INS_IN:
	case X86_INS_INSB: case X86_INS_INSW: case X86_INS_INSD:
	case X86_INS_OUTSB: case X86_INS_OUTSW: case X86_INS_OUTSD:
		*kind = TRAP_PORT;
		return true;
	case X86_INS_MFENCE:
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
		if (decode->watched[i] == decode->insn->address)
			return true;
	return false;
}

static int trap_add(struct decode *decode, struct block *block, enum trap_kind kind)
{
	struct trap *traps = realloc(block->trap, (block->traps + 1u) * sizeof(*traps));
	uint64_t next = kind == TRAP_WATCHED || is_string(decode->insn) ? decode->insn->address : NOWHERE;

	if (!traps)
		return -ENOMEM;
	block->trap = traps;
	traps += block->traps++;
	*traps = (struct trap){
		.address = decode->insn->address,
		.kind = kind,
		.length = (uint8_t)decode->insn->size,
		.next_first = next,
		.next_last = next,
	};
	if (kind == TRAP_LOCKED)
		traps->locked = decode->locked;
	else if (is_port(kind))
		traps->port = port_decode(decode->insn->bytes, decode->insn->size);
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
			trap->next_first = decode->insn->address;
		trap->next_last = decode->insn->address;
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
		const cs_insn *insn = decode->insn;

		if (trap_instruction(decode, block, &trapped))
			return -ENOMEM;
		block->last_offset = (uint16_t)(insn->address - block->address);
		offset[block->instructions++] = block->last_offset;
		if (decode->is_locked && !trapped) {
			offset[block->instructions - 1] |= OFFSET_LOCKED;
			block->locked++;
		}
		wrmsr |= insn->id == X86_INS_WRMSR;
		block->last_is_branch = is_branch(decode->capstone, insn);
		block->branch = block->last_is_branch ? branch_kind(insn) : BRANCH_NONE;
		block->flags = trapped ? 0 : last_flags(insn);
		if (block->instructions == 1 && !left && !trapped && (decode->is_locked || writes_memory(insn)) && !has_rep(insn) &&
		    (!block->last_is_branch || insn->id == X86_INS_CALL))
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

bool decode_is_locked(uc_engine *uc, uint64_t rip)
{
	uint8_t code[MAX_INSTRUCTION];
	struct lockop ignored;

	return lockop_decode_bytes(code, decode_fetch(uc, rip, code), rip, &ignored);
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
