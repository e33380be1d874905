/* SPDX-License-Identifier: GPL-2.0-only */
/* An instruction is executed natively: found by where its call came from, checked, and run. */
#include <stddef.h>
#include <string.h>

#include "engine/count/cpu.h"
#include "engine/interposed/inside.h"
#include "engine/native/native.h"

/* Unicorn's: the state as it is at the call; the flags; an exception at the call. */
bool cpu_restore_state_x86_64(void *cpu, uintptr_t retaddr, bool leaves);
uint32_t cpu_cc_compute_all_x86_64(void *env, int kind);
void raise_exception_err_ra_x86_64(void *env, int vector, int error, uintptr_t retaddr) __attribute__((noreturn));

#define HASH 0x9e3779b97f4a7c15ull

enum {
	EMMS = 0x77,
	VECTOR_UD = 6, VECTOR_NM = 7, VECTOR_GP = 13, VECTOR_MF = 16, VECTOR_XM = 19,
	STATUS_ES = 1 << 7, CR0_NE = 1 << 5,
	HFLAGS_EM = 1 << 10, HFLAGS_TS = 1 << 11, HFLAGS_OSFXSR = 1 << 22,
	CR4_OSXMMEXCPT = 1 << 10, CR4_OSXSAVE = 1 << 18,
	XCR0_VECTORS = 6, MXCSR_MASKS = 0x1f80,
	CC_EFLAGS = 1, /* Unicorn's CC_OP_EFLAGS */
	FLAGS_LOW = 0xd5, FLAG_OF_BIT = 11,
};

static struct native *native_of(struct translation *translation)
{
	return (struct native *)(void *)((uint8_t *)translation - offsetof(struct native, translation));
}

static struct inside_state *state_of(const struct native *native)
{
	return native->translation.env;
}

void native_raise(struct native *native, unsigned vector, uint32_t error, uintptr_t retaddr)
{
	raise_exception_err_ra_x86_64(native->translation.env, (int)vector, (int)error, retaddr);
}

static struct native_op *find(struct native *native, uintptr_t retaddr)
{
	const struct native_block *block = last_begun(native->block, native->blocks, sizeof(*block), retaddr);
	uint8_t *cpu = (uint8_t *)native->translation.env - INSIDE_STATE_BEHIND_CPU;

	if (!block || !block->ops || !cpu_restore_state_x86_64(cpu, retaddr, false))
		return NULL;
	for (uint32_t i = 0; i < block->ops; i++)
		if (native->op[block->first + i]->address == state_of(native)->rip)
			return native->op[block->first + i];
	return NULL;
}

/* May it be executed at all, as CR0, CR4 and XCR0 are? (SDM vol. 2, 2.4 and vol. 3, 12.1) */
static void check(struct native *native, const struct native_op *op, uintptr_t retaddr)
{
	const struct inside_state *state = state_of(native);
	const struct x86_insn *insn = &op->insn;
	bool vectors = insn->vector_read | insn->vector_written;

	if (insn->unit == X86_INTEGER)
		return;
	if (insn->unit == X86_VEX && (!(state->cr[4] & CR4_OSXSAVE) || (state->xcr0 & XCR0_VECTORS) != XCR0_VECTORS))
		native_raise(native, VECTOR_UD, 0, retaddr);
	if ((insn->unit == X86_SSE || insn->unit == X86_MMX) && state->hflags & HFLAGS_EM)
		native_raise(native, VECTOR_UD, 0, retaddr);
	if ((insn->unit == X86_SSE || vectors) && insn->unit != X86_VEX && !(state->hflags & HFLAGS_OSFXSR))
		native_raise(native, VECTOR_UD, 0, retaddr);
	if (state->hflags & HFLAGS_TS || (insn->unit == X86_X87 && state->hflags & HFLAGS_EM))
		native_raise(native, VECTOR_NM, 0, retaddr);
}

/* An exception of x87's that waits comes in front of all that the instruction does, unless it is one that does not look. */
static bool meets_pending(const struct native *native, const struct x86_insn *insn)
{
	const struct inside_state *state = state_of(native);
	unsigned digit = insn->modrm >> 3 & 7;

	if (!(state->x87_status & STATUS_ES) || !(state->cr[0] & CR0_NE))
		return false;
	if (insn->unit == X86_MMX)
		return true;
	if (!insn->memory)
		return insn->opcode != 0xdb || digit != 4; /* fnclex, fninit, ... */
	return !(insn->opcode == 0xd9 && digit >= 6) && !(insn->opcode == 0xdd && digit >= 6); /* fnst..., fnsave */
}

static void flags_in(struct native *native)
{
	uint32_t flags = cpu_cc_compute_all_x86_64(native->translation.env, (int)state_of(native)->cc_kind);

	native->pass.flags = (uint16_t)((flags & FLAGS_LOW) << 8 | (flags >> FLAG_OF_BIT & 1));
}

static void flags_out(struct native *native)
{
	state_of(native)->cc_kind = CC_EFLAGS;
	state_of(native)->cc_flags = (native->pass.flags >> 8 & FLAGS_LOW) | (uint64_t)(native->pass.flags & 1) << FLAG_OF_BIT;
}

/* The processor has raised an exception: #XM is one only for who says that it handles it. */
static __attribute__((noreturn, cold)) void raised(struct native *native, struct stub_exception exception, uintptr_t retaddr)
{
	if (exception.vector == VECTOR_XM && !(state_of(native)->cr[4] & CR4_OSXMMEXCPT))
		exception.vector = VECTOR_UD;
	native_raise(native, exception.vector, exception.error, retaddr);
}

/* Code for stubs is given back when all translations are dropped; if there is none left before, all are made anew. */
static void make_room(struct native *native)
{
	if (stub_arena_has_room(&native->arena, 2))
		return;
	native->arena.used = native->arena.stubs = 0;
	for (uint32_t i = 0; i < native->ops; i++)
		native->op[i]->run = native->op[i]->run_all = NULL;
}

static __attribute__((noinline, cold)) void make(struct native *native, struct native_op *op)
{
	struct stub_source sources[STUB_MOST] = { { &op->insn, op->bytes } };
	struct native_op *behind = op->next;
	bool fx = op->insn.unit == X86_X87 || op->insn.unit == X86_MMX || op->insn.unit == X86_INTEGER;
	unsigned n = 1;

	make_room(native);
	op->run = stub_make(&native->arena, sources, 1);
	x87_shape_of(&op->insn, &op->x87);
	if (op->x87.how == X87_FAST)
		op->run_x87 = x87_make(&native->arena, &op->insn, &op->x87);
	for (; !fx && behind && behind->simple && behind->insn.unit == op->insn.unit && n < STUB_MOST; behind = behind->next)
		sources[n++] = (struct stub_source){ &behind->insn, behind->bytes };
	op->behind = behind;
	if (n > 1)
		op->run_all = stub_make(&native->arena, sources, n);
}

/* With no exception of MXCSR's unmasked only the first one's memory can fault, and that is reached. */
static stub_fn *stub_of(struct native_op *op, const struct inside_state *state, bool *all)
{
	*all = op->run_all && (state->mxcsr & MXCSR_MASKS) == MXCSR_MASKS;
	return *all ? op->run_all : op->run;
}

/* Executes it, and perhaps some behind it. Returns what is next of those that are executed by the same call. */
static struct native_op *execute(struct native *native, struct native_op *op, uintptr_t retaddr)
{
	const struct x86_insn *insn = &op->insn;
	struct inside_state *state = state_of(native);
	const struct reaching by = { op, retaddr, 0 };
	bool fx = stub_has_x87(insn), all = false;
	struct reached reached;
	stub_fn *run;

	if (insn->kind != X86_XSAVE_OP)
		check(native, op, retaddr);
	if ((insn->unit == X86_X87 || insn->unit == X86_MMX) && meets_pending(native, insn))
		native_raise(native, VECTOR_MF, 0, retaddr);
	if (op->whole && native_whole(native, &by))
		return op->next;
	reached.at = NULL;
	if (insn->memory && insn->memory_bytes) {
		uint64_t address = native_address(native, op, 0);

		if (insn->alignment && address % insn->alignment)
			native_raise(native, VECTOR_GP, 0, retaddr);
		native_reach(native, &reached, address, insn->memory_bytes, insn->memory_access, &by);
	}
	if (__builtin_expect(!op->run, 0))
		make(native, op);
	if (!(insn->unit == X86_X87 && x87_fast(native, op, reached.at))) {
		if (insn->reads_flags || insn->writes_flags)
			flags_in(native);
		if (fx)
			x87_load(state, native->pass.fx);
		run = stub_of(op, state, &all);
		if (__builtin_expect(run(state, reached.at, &native->pass) != 0, 0)) {
			if (insn->unit == X86_MMX && !fx)
				x87_enter_mmx(state, 0, false);
			raised(native, native->arena.exception, retaddr);
		}
		if (fx)
			x87_store(state, native->pass.fx);
	}
	if (insn->unit == X86_MMX && !fx)
		x87_enter_mmx(state, insn->mmx_written, insn->opcode == EMMS);
	if (insn->unit == X86_X87)
		x87_executed(state, op, reached.at ? reached.address : 0, reached.at);
	if (insn->writes_flags)
		flags_out(native);
	if (reached.at)
		native_reached(&reached);
	return all ? op->behind : op->next;
}

bool native_execute(struct translation *translation, uintptr_t retaddr)
{
	struct native *native = native_of(translation);
	struct native_slot *slot = &native->slot[retaddr * HASH >> (64 - NATIVE_SLOT_BITS)];

	if (__builtin_expect(slot->retaddr != retaddr, 0))
		*slot = (struct native_slot){ retaddr, find(native, retaddr) };
	if (!slot->op)
		return false;
	for (struct native_op *op = execute(native, slot->op, retaddr); op; op = execute(native, op, 0))
		state_of(native)->rip = op->address; /* where it faults: the call is the first one's */
	return true;
}
