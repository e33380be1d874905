/* SPDX-License-Identifier: GPL-2.0-only */
/* Decodes a translation block once, with Capstone, into what counting needs. */
#include "engine/run/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };
_Static_assert(PAGE / (int)CODE_LINE == 64, "a word for each page");

int decode_create(struct pv_engine *e)
{
	uint64_t pages = (e->config.ram_size + PAGE - 1) / PAGE;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &e->capstone) != CS_ERR_OK)
		return -ENOMEM;
	cs_option(e->capstone, CS_OPT_DETAIL, CS_OPT_ON);
	e->insn = cs_malloc(e->capstone);
	e->code_lines = calloc(pages, sizeof(*e->code_lines));
	return e->insn && e->code_lines ? 0 : -ENOMEM;
}

void decode_destroy(struct pv_engine *e)
{
	free(e->code_lines);
	if (e->insn)
		cs_free(e->insn, 1);
	if (e->capstone)
		cs_close(&e->capstone);
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
 * Decodes the next instruction into e->insn. Locked operations are decoded by
 * lockop.c, which knows prefix sequences that Capstone does not.
 */
static bool next_instruction(struct pv_engine *e, const uint8_t **code, size_t *left, uint64_t *address)
{
	size_t size = *left < MAX_INSTRUCTION ? *left : MAX_INSTRUCTION;

	e->is_locked = e->config.lock != PV_LOCK_LEFT && lockop_decode_bytes(*code, size, *address, &e->locked);
	if (!e->is_locked)
		return cs_disasm_iter(e->capstone, code, left, address, e->insn);
	e->insn->id = X86_INS_INVALID;
	e->insn->address = *address;
	e->insn->size = e->locked.length;
	memset(e->insn->detail, 0, sizeof(*e->insn->detail));
	*code += e->locked.length;
	*left -= e->locked.length;
	*address += e->locked.length;
	return true;
}

/* Does the instruction in e->insn need a trap, beside that of a breakpoint? */
static bool find_trap(const struct pv_engine *e, enum trap_kind *kind)
{
	if (e->is_locked && e->parallel.on && lockop_in_block(&e->locked, e->parallel.exchanges))
		return false;
	if (e->is_locked) {
		*kind = TRAP_LOCKED;
		return true;
	}
	switch (e->insn->id) {
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
		return !e->parallel.on;
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

/* Does a breakpoint watch the instruction in e->insn? */
static bool is_watched(const struct pv_engine *e)
{
	bool watched = false;

	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++)
		watched |= hooks_code_breakpoint(&e->hooks, slot) &&
			   e->hooks.breakpoint[slot].address == e->insn->address;
	return watched;
}

static int trap_add(struct pv_engine *e, struct block *block, enum trap_kind kind)
{
	struct trap *traps = realloc(block->trap, (block->traps + 1u) * sizeof(*traps));
	uint64_t next = kind == TRAP_WATCHED || is_string(e->insn) ? e->insn->address : NOWHERE;

	if (!traps)
		return -ENOMEM;
	block->trap = traps;
	traps += block->traps++;
	*traps = (struct trap){
		.address = e->insn->address,
		.kind = kind,
		.length = (uint8_t)e->insn->size,
		.next_first = next,
		.next_last = next,
	};
	if (kind == TRAP_LOCKED)
		traps->locked = e->locked;
	else if (is_port(kind))
		traps->port = port_decode(e->insn->bytes, e->insn->size);
	return 0;
}

/* Traps the instruction in e->insn, if need be. *trapped: the last trap leaves the block behind it. */
static int trap_instruction(struct pv_engine *e, struct block *block, bool *trapped)
{
	enum trap_kind kind;

	*trapped = false;
	if (is_watched(e) && trap_add(e, block, TRAP_WATCHED))
		return -ENOMEM;
	if (!find_trap(e, &kind))
		return 0;
	*trapped = leaves_block(kind);
	return trap_add(e, block, kind);
}

/* The traps of the block that begins behind one that leaves its own. */
static void find_next_traps(struct pv_engine *e, struct trap *trap, const uint8_t *code, size_t left, uint64_t address)
{
	enum trap_kind kind = TRAP_WATCHED;

	while (left && !leaves_block(kind) && next_instruction(e, &code, &left, &address)) {
		if (!find_trap(e, &kind) && !is_watched(e))
			continue;
		if (trap->next_first == NOWHERE)
			trap->next_first = e->insn->address;
		trap->next_last = e->insn->address;
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
static int decode_bytes(struct pv_engine *e, const uint8_t *bytes, struct block *block, uint16_t *offset)
{
	const uint8_t *code = bytes;
	size_t left = block->size;
	uint64_t address = block->address;
	bool trapped = false, wrmsr = false; /* which does not end a block */

	while (left && !trapped && next_instruction(e, &code, &left, &address)) {
		const cs_insn *insn = e->insn;

		if (trap_instruction(e, block, &trapped))
			return -ENOMEM;
		block->last_offset = (uint16_t)(insn->address - block->address);
		offset[block->instructions++] = block->last_offset;
		if (e->is_locked && !trapped) {
			offset[block->instructions - 1] |= OFFSET_LOCKED;
			block->locked++;
		}
		wrmsr |= insn->id == X86_INS_WRMSR;
		block->last_is_branch = is_branch(e->capstone, insn);
		block->branch = block->last_is_branch ? branch_kind(insn) : BRANCH_NONE;
		block->flags = trapped ? 0 : last_flags(insn);
		if (block->instructions == 1 && !left && !trapped && (e->is_locked || writes_memory(insn)) && !has_rep(insn) &&
		    (!block->last_is_branch || insn->id == X86_INS_CALL))
			block->flags |= BLOCK_LONE_STORE;
	}
	if (left && !trapped)
		block->flags |= BLOCK_UNKNOWN;
	if (wrmsr)
		block->flags |= BLOCK_SPACE;
	if (trapped)
		find_next_traps(e, &block->trap[block->traps - 1], code, left, address);
	find_traps_behind_out(block);
	block->offset = malloc(block->instructions * sizeof(*offset) + 1);
	if (!block->offset)
		return -ENOMEM;
	memcpy(block->offset, offset, block->instructions * sizeof(*offset));
	return 0;
}

static void mark_code(struct pv_engine *e, uint64_t address, uint32_t size)
{
	uint64_t next, end = address + size, gpa;

	for (; address < end; address = next) {
		next = (address | (CODE_LINE - 1)) + 1;
		if (uc_vmem_translate(e->uc, address, UC_PROT_EXEC, &gpa) != UC_ERR_OK || gpa >= e->config.ram_size)
			continue;
		if (!e->code_lines[gpa / PAGE])
			stores_look(e);
		e->code_lines[gpa / PAGE] |= 1ull << gpa / CODE_LINE % 64;
	}
}

unsigned decode_fetch(struct pv_engine *e, uint64_t rip, uint8_t code[MAX_INSTRUCTION])
{
	uint64_t cr2 = reg_get(e, UC_X86_REG_CR2); /* which a read that fails changes */
	unsigned n = 0;

	if (uc_vmem_read(e->uc, rip, UC_PROT_EXEC, code, MAX_INSTRUCTION) == UC_ERR_OK)
		return MAX_INSTRUCTION;
	while (n < MAX_INSTRUCTION && uc_vmem_read(e->uc, rip + n, UC_PROT_EXEC, &code[n], 1) == UC_ERR_OK)
		n++;
	reg_set(e, UC_X86_REG_CR2, cr2);
	return n;
}

bool decode_block(struct pv_engine *e, struct block *block, uint64_t address, uint32_t size)
{
	uint8_t bytes[BLOCK_MAX_BYTES];
	uint16_t offset[BLOCK_MAX_BYTES];
	uc_err err;
	int ret;

	if (size > sizeof(bytes)) {
		vmexit_fail(e, -EOVERFLOW, "a block of %u bytes at 0x%llx", size, (unsigned long long)address);
		return false;
	}
	err = uc_vmem_read(e->uc, address, UC_PROT_EXEC, bytes, size);
	if (err) {
		vmexit_fail(e, -EFAULT, "cannot read the block at 0x%llx: %s",
			    (unsigned long long)address, uc_strerror(err));
		return false;
	}
	block->address = address;
	block->size = size;
	ret = decode_bytes(e, bytes, block, offset);
	if (ret) {
		vmexit_fail(e, ret, "cannot keep what was decoded of the block at 0x%llx",
			    (unsigned long long)address);
		return false;
	}
	mark_code(e, address, size);
	e->config.run->blocks_decoded++;
	return true;
}
