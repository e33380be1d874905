/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions that are more than one access, or none that a stub makes: done here, one element after the other. */
#include <string.h>

#include "engine/interposed/inside.h"
#include "engine/native/native.h"

/* Unicorn's: on with the block at RIP. */
void cpu_loop_exit_noexc_x86_64(void *cpu) __attribute__((noreturn));

enum { RSP = 4, RBP = 5, VECTORS = 16, HALF = 16, VECTOR_GP = 13, MXCSR_RESERVED = 0xffff0000 };

static struct inside_state *state_of(const struct native *native)
{
	return native->translation.env;
}

static void zero(struct inside_state *state, bool all)
{
	for (unsigned i = 0; i < VECTORS; i++)
		memset(state->vector[i] + (all ? 0 : HALF), 0, all ? 2 * HALF : HALF);
}

static void load(struct native *native, uint64_t address, void *to, unsigned bytes, const struct reaching *by)
{
	struct reached reached;

	native_reach(native, &reached, address, bytes, X86_READ, by);
	memcpy(to, reached.at, bytes);
}

static void store(struct native *native, uint64_t address, const void *from, unsigned bytes, const struct reaching *by)
{
	struct reached reached;

	native_reach(native, &reached, address, bytes, X86_WRITE, by);
	memcpy(reached.at, from, bytes);
	native_reached(&reached);
}

static bool is_set(const uint8_t *mask, unsigned element, unsigned bytes)
{
	return mask[element * bytes + bytes - 1] >> 7;
}

/* VGATHER*, VPGATHER*: elements in front of one that faults are done, and their mask is gone (SDM vol. 2, VPGATHERDD). */
static void gather(struct native *native, const struct reaching *by)
{
	const struct x86_insn *insn = &by->op->insn;
	struct inside_state *state = state_of(native);
	unsigned element = insn->w ? 8 : 4, index = insn->opcode & 1 ? 8 : 4, width = insn->vex_l ? 32 : 16;
	unsigned wide = element > index ? element : index, n = width / wide;
	uint8_t *to = state->vector[(insn->modrm >> 3 & 7) | insn->r << 3], *mask = state->vector[insn->vvvv];
	const uint8_t *indices = state->vector[insn->index];

	for (unsigned i = 0; i < n; i++) {
		int64_t offset = 0;
		int32_t narrow;

		if (!is_set(mask, i, element)) {
			memset(mask + i * element, 0, element);
			continue;
		}
		memcpy(&narrow, indices + i * index, sizeof(narrow));
		offset = narrow;
		if (index == 8)
			memcpy(&offset, indices + i * index, sizeof(offset));
		load(native, native_address(native, by->op, (uint64_t)offset * insn->scale), to + i * element, element, by);
		memset(mask + i * element, 0, element);
	}
	memset(mask, 0, 2 * HALF);
	memset(to + n * element, 0, 2 * HALF - n * element);
}

/* MASKMOVQ and MASKMOVDQU, to (RDI). */
static void masked_bytes(struct native *native, const struct reaching *by)
{
	const struct x86_insn *insn = &by->op->insn;
	struct inside_state *state = state_of(native);
	unsigned from = (insn->modrm >> 3 & 7) | insn->r << 3, masks = (insn->modrm & 7) | insn->b << 3, n = insn->unit == X86_MMX ? 8 : 16;
	const uint8_t *bytes = state->vector[from], *mask = state->vector[masks];
	uint64_t address = native_address(native, by->op, 0);

	if (insn->unit == X86_MMX) {
		bytes = (const uint8_t *)&state->x87[from & 7].significand;
		mask = (const uint8_t *)&state->x87[masks & 7].significand;
		x87_enter_mmx(state, 0, false);
	}
	for (unsigned i = 0; i < n; i++) /* whether they can all be written is found out before the first is */
		if (is_set(mask, i, 1)) {
			struct reached reached;

			native_reach(native, &reached, address + i, 1, X86_WRITE, by);
		}
	for (unsigned i = 0; i < n; i++)
		if (is_set(mask, i, 1))
			store(native, address + i, bytes + i, 1, by);
}

static bool is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)address >> 47) + 1 <= 1;
}

/* VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ: what is masked out is not touched. */
static void masked_elements(struct native *native, const struct reaching *by)
{
	const struct x86_insn *insn = &by->op->insn;
	struct inside_state *state = state_of(native);
	bool stores = insn->memory_access & X86_WRITE, floats = insn->opcode < 0x80;
	unsigned element = (floats ? insn->opcode & 1 : insn->w) ? 8 : 4, width = insn->vex_l ? 32 : 16;
	uint8_t *reg = state->vector[(insn->modrm >> 3 & 7) | insn->r << 3], value[2 * HALF] = { 0 };
	const uint8_t *mask = state->vector[insn->vvvv];
	uint64_t address = native_address(native, by->op, 0);

	for (unsigned i = 0; i < width / element; i++) /* comes before all that is absent */
		if (is_set(mask, i, element) &&
		    !(is_canonical(address + i * element) && is_canonical(address + (i + 1) * element - 1)))
			native_raise(native, VECTOR_GP, 0, by->retaddr);
	for (unsigned i = 0; i < width / element; i++) {
		struct reached reached;

		if (!is_set(mask, i, element))
			continue;
		native_reach(native, &reached, address + i * element, element, stores ? X86_WRITE : X86_READ, by);
		memcpy(value + i * element, reached.at, element);
	}
	for (unsigned i = 0; stores && i < width / element; i++)
		if (is_set(mask, i, element))
			store(native, address + i * element, reg + i * element, element, by);
	if (!stores)
		memcpy(reg, value, sizeof(value));
}

/* VLDMXCSR, VSTMXCSR. */
static void control(struct native *native, const struct reaching *by)
{
	struct inside_state *state = state_of(native);
	uint64_t address = native_address(native, by->op, 0);
	uint32_t value;

	if (by->op->insn.memory_access & X86_WRITE) {
		store(native, address, &state->mxcsr, sizeof(state->mxcsr), by);
		return;
	}
	load(native, address, &value, sizeof(value), by);
	if (value & MXCSR_RESERVED)
		native_raise(native, VECTOR_GP, 0, by->retaddr);
	state->mxcsr = value;
}

/* RET imm16, of which Unicorn takes 0x8000 and more as negative: the block ends with it. */
static __attribute__((noreturn)) void leave(struct native *native, const struct reaching *by)
{
	struct inside_state *state = state_of(native);
	uint16_t more;
	uint64_t to;

	memcpy(&more, by->op->bytes + by->op->insn.immediate_at, sizeof(more));
	load(native, state->gpr[RSP], &to, sizeof(to), by);
	if (!is_canonical(to))
		native_raise(native, VECTOR_GP, 0, by->retaddr);
	state->gpr[RSP] += sizeof(to) + more;
	state->rip = to;
	cpu_loop_exit_noexc_x86_64((uint8_t *)native->translation.env - INSIDE_STATE_BEHIND_CPU);
}

/* CLFLUSH and its like: the page has to be there. */
static void cache_line(struct native *native, const struct reaching *by)
{
	struct reached reached;

	native_reach(native, &reached, native_address(native, by->op, 0), 1, 0, by);
}

/* ENTER: what it copies, and where it ends, can be accessed, or nothing but memory below the stack is changed. */
static void enter(struct native *native, const struct reaching *by)
{
	struct inside_state *state = state_of(native);
	const uint8_t *immediate = by->op->bytes + by->op->insn.immediate_at;
	unsigned bytes = by->op->insn.operand16 && !by->op->insn.w ? 2 : 8, level = immediate[2] % 32;
	uint64_t sp = state->gpr[RSP] - bytes, from = state->gpr[RBP], frame = sp, value;
	struct reached reached;
	uint16_t size;

	memcpy(&size, immediate, sizeof(size));
	store(native, sp, &from, bytes, by);
	for (unsigned i = 1; i < level; i++) {
		from -= bytes;
		sp -= bytes;
		load(native, from, &value, bytes, by);
		store(native, sp, &value, bytes, by);
	}
	if (level) {
		sp -= bytes;
		store(native, sp, &frame, bytes, by);
	}
	sp -= size;
	native_reach(native, &reached, sp, bytes, X86_WRITE, by);
	memcpy(&state->gpr[RBP], &frame, bytes);
	state->gpr[RSP] = sp;
}

bool native_whole(struct native *native, const struct reaching *by)
{
	switch (by->op->insn.kind) {
	case X86_VZERO:
		zero(state_of(native), by->op->insn.vex_l);
		return true;
	case X86_GATHER:
		gather(native, by);
		return true;
	case X86_MASKED:
		if (by->op->insn.map == 1)
			masked_bytes(native, by);
		else
			masked_elements(native, by);
		return true;
	case X86_RET:
		leave(native, by);
	case X86_XSAVE_OP:
		native_save(native, by);
		return true;
	case X86_CACHE_LINE:
		cache_line(native, by);
		return true;
	case X86_ENTER:
		enter(native, by);
		return true;
	case X86_MXCSR:
		control(native, by);
		return true;
	default:
		return false;
	}
}
