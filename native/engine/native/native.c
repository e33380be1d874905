/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/native/native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xmmintrin.h>

#include "engine/count/cpu.h"
#include "engine/interposed/inside.h"
#include "engine/unicorn/registers.h"

/* Nobody may have loaded the library of translate.c. */
extern __typeof__(pv_translate_fetch) pv_translate_fetch __attribute__((weak));

enum { PAGE = 4096, MXCSR_FLAGS = 0x3f };

static struct native *native_of(struct translation *translation)
{
	return (struct native *)(void *)((uint8_t *)translation - offsetof(struct native, translation));
}

/* Nothing that was translated is left. */
static void forget(struct native *native)
{
	for (uint32_t i = 0; i < native->ops; i++)
		free(native->op[i]);
	native->ops = native->blocks = native->arena.used = native->arena.stubs = 0;
	memset(native->slot, 0, sizeof(native->slot));
}

/* Translations lie one behind the other: one that begins in front of the last comes after all were dropped, and where the
 * last began, that came to nothing. */
static bool begin_block(struct native *native, uintptr_t code)
{
	struct native_block *last = native->blocks ? &native->block[native->blocks - 1] : NULL;

	if (last && code < last->code) {
		forget(native);
	} else if (last && code == last->code) {
		while (native->ops > last->first)
			free(native->op[--native->ops]);
		native->blocks--;
		memset(native->slot, 0, sizeof(native->slot)); /* or all were dropped, and it was the only one */
	}
	if (native->blocks == native->block_room) {
		uint32_t room = native->block_room ? native->block_room * 2 : 1024;
		struct native_block *block = realloc(native->block, room * sizeof(*block));

		if (!block)
			return false;
		native->block = block;
		native->block_room = room;
	}
	native->block[native->blocks++] = (struct native_block){ code, native->ops, 0 };
	return true;
}

static bool add_op(struct native *native, const struct native_op *op)
{
	if (native->ops == native->op_room) {
		uint32_t room = native->op_room ? native->op_room * 2 : 1024;
		struct native_op **ops = realloc(native->op, room * sizeof(*ops));

		if (!ops)
			return false;
		native->op = ops;
		native->op_room = room;
	}
	native->op[native->ops] = malloc(sizeof(*op));
	if (!native->op[native->ops])
		return false;
	*native->op[native->ops++] = *op;
	native->block[native->blocks - 1].ops++;
	return true;
}

/* Behind it Unicorn translates nothing more of the block. */
static bool ends_block(const struct x86_insn *insn)
{
	if (insn->verdict != X86_OK)
		return true;
	switch (insn->kind) {
	case X86_JCC: case X86_JMP: case X86_JMP_INDIRECT: case X86_CALL: case X86_CALL_INDIRECT: case X86_RET: case X86_FAR:
	case X86_IRET: case X86_INT: case X86_SYSCALL: case X86_SYSRET: case X86_SYSENTER_OP: case X86_SYSEXIT: case X86_HLT:
		return true;
	default:
		return false;
	}
}

/* Looked at from the first byte to the end of the page: what lies in a block. */
struct look {
	uint8_t bytes[SHOWN_BYTES];
	unsigned have; /* of the page */
};

/* Reads on, up to the end of the page, of which a byte can be executed: so all can. */
static void look_ahead(struct look *look, void *env, uint64_t address, unsigned bytes)
{
	unsigned left = PAGE - (unsigned)(address % PAGE);

	for (; look->have < bytes && look->have < left; look->have++)
		look->bytes[look->have] = pv_translate_fetch(env, address + look->have);
}

/* The first instruction goes on in the next page: that may be a fault of the guest's. */
static unsigned look_across(struct look *look, const struct native *native, uint64_t address, struct x86_insn *insn)
{
	unsigned n = look->have;

	while (insn->verdict == X86_SHORT && n < X86_MAX_LENGTH) {
		look->bytes[n] = pv_translate_fetch(native->translation.env, address + n);
		x86_decode(&native->model, look->bytes, ++n, insn);
	}
	return n;
}

/* Nobody looks at each instruction in front of it. */
static bool may_join(const struct native *native)
{
	return !native->cpu->config.oracle && !native->cpu->decode.watches;
}

static bool is_simple(const struct x86_insn *insn)
{
	return (insn->unit == X86_SSE || insn->unit == X86_VEX) && !insn->memory && !insn->gpr_read && !insn->gpr_written &&
	       !insn->reads_flags && !insn->writes_flags;
}

/* The last of the block, if that is right in front of this address and may execute another one. */
static struct native_op *in_front(const struct native *native, uint64_t address)
{
	struct native_op *last = native->block[native->blocks - 1].ops ? native->op[native->ops - 1] : NULL;

	return last && last->address + last->insn.length == address && last->insn.kind != X86_RET ? last : NULL;
}

/* False: no memory to note it. *ends: Unicorn does not know that it ends the block. */
static bool plan_instruction(struct native *native, const struct x86_insn *insn, const uint8_t *bytes, uint64_t address,
			     uint8_t *shown, bool *ends)
{
	struct native_op *before = in_front(native, address);
	struct native_op op = { .address = address, .insn = *insn };
	enum native_choice choice = native_choose(&native->model, insn, shown);

	*ends = choice != NATIVE_LEFT && ends_block(insn);
	if (choice == NATIVE_LEFT)
		return true;
	op.whole = choice == NATIVE_WHOLE;
	op.simple = !op.whole && is_simple(insn);
	memcpy(op.bytes, bytes, insn->length);
	if (!add_op(native, &op))
		return false;
	if (before && choice == NATIVE_EXECUTED && native_joins(insn) && may_join(native)) {
		before->next = native->op[native->ops - 1];
		native_show_nothing(insn, shown);
	}
	return true;
}

/* Unicorn may end a block where it likes: what lies behind is executed by a call of its own, in another one. */
static void translated(struct translation *translation, unsigned bytes)
{
	struct native *native = native_of(translation);
	const struct native_block *block = native->blocks ? &native->block[native->blocks - 1] : NULL;

	for (uint32_t i = 0; block && i < block->ops; i++) {
		struct native_op *op = native->op[block->first + i];

		if (op->next && op->next->address - translation->shown.address >= bytes)
			op->next = NULL;
	}
}

static int look_at(struct translation *translation, uint64_t address, uintptr_t code, int most, struct look *look)
{
	struct native *native = native_of(translation);
	struct shown *shown = &translation->shown;
	unsigned at = 0;
	int n = 0;

	shown->size = 0;
	if (!native->on || !begin_block(native, code))
		return most;
	shown->address = address;
	while (n < most && at + address % PAGE < PAGE) {
		struct x86_insn insn;
		bool ends;

		look_ahead(look, translation->env, address, at + X86_MAX_LENGTH);
		x86_decode(&native->model, look->bytes + at, look->have - at < X86_MAX_LENGTH ? look->have - at : X86_MAX_LENGTH, &insn);
		if (insn.verdict == X86_SHORT && n)
			return n; /* it begins another block: what comes before it is executed, whatever the next page is */
		if (insn.verdict == X86_SHORT)
			look->have = look_across(look, native, address, &insn);
		memcpy(shown->bytes + at, look->bytes + at, X86_MAX_LENGTH);
		if (!plan_instruction(native, &insn, look->bytes + at, address + at, shown->bytes + at, &ends))
			return n ? n : most;
		n++;
		at += insn.verdict == X86_GP ? (unsigned)NATIVE_TOO_LONG : insn.length;
		shown->size = at;
		if (ends_block(&insn))
			return ends ? n : most;
	}
	return n;
}

/* Other vCPUs, whose stores may change it meanwhile, are told that it is read; then it is read again. */
static bool changes(struct native *native, uint64_t address, const struct look *look)
{
	struct shown *shown = &native->translation.shown;
	struct cpu *cpu = native->cpu;
	unsigned size = shown->size, same = 0;

	if (!cpu->share.map || !size)
		return false;
	code_mark(&cpu->code, cpu->uc, &cpu->stores, address, size);
	shown->size = 0; /* what is fetched is what is there */
	while (same < size && pv_translate_fetch(native->translation.env, address + same) == look->bytes[same])
		same++;
	shown->size = size;
	return same < size;
}

static int plan(struct translation *translation, uint64_t address, uintptr_t code, int most)
{
	struct native *native = native_of(translation);
	struct look look;
	int n;

	do {
		look.have = 0;
		n = look_at(translation, address, code, most, &look);
	} while (changes(native, address, &look));
	return n;
}

/* What inside.h says of the CPU's state, where the API can show it. */
static bool is_known(uc_engine *uc, struct inside_state *state)
{
	uint64_t mark[4] = { 0x7076706572666e30, 0x7076706572666e31, 0x7076706572666e32, 0x7076706572666e33 }, zero[4] = { 0 };
	uint64_t mxcsr = reg_get(uc, UC_X86_REG_MXCSR), cr4 = reg_get(uc, UC_X86_REG_CR4);
	bool known;

	reg_set(uc, UC_X86_REG_R15, mark[0]);
	uc_reg_write(uc, UC_X86_REG_YMM13, mark);
	reg_set(uc, UC_X86_REG_FPCW, 0x27f);
	reg_set(uc, UC_X86_REG_MXCSR, 0x1fbf);
	known = state->gpr[15] == mark[0] && !memcmp(state->vector[13], mark, sizeof(mark)) && state->x87_control == 0x27f &&
		state->mxcsr == 0x1fbf && state->cr[4] == cr4 && state->xcr0 == 3;
	reg_set(uc, UC_X86_REG_R15, 0);
	uc_reg_write(uc, UC_X86_REG_YMM13, zero);
	reg_set(uc, UC_X86_REG_FPCW, 0x37f);
	reg_set(uc, UC_X86_REG_MXCSR, mxcsr);
	return known;
}

int native_create(struct native **ret, struct cpu *cpu)
{
	struct native *native;
	int err;

	if (!pv_translate_fetch || uc_version(NULL, NULL) != INSIDE_RELEASE)
		return 0;
	native = aligned_alloc(64, (sizeof(*native) + 63) / 64 * 64);
	if (!native)
		return -ENOMEM;
	memset(native, 0, sizeof(*native));
	*ret = native;
	native->uc = cpu->uc;
	native->cpu = cpu;
	native->translation.plan = plan;
	native->translation.translated = translated;
	native->translation.execute = native_execute;
	native->translation.env = ((uint8_t **)(void *)cpu->uc)[INSIDE_CPU] + INSIDE_STATE_BEHIND_CPU;
	native->pass.host_mxcsr = _mm_getcsr() & ~(uint32_t)MXCSR_FLAGS;
	native->model = cpu->x86;
	if (!is_known(cpu->uc, native->translation.env))
		return -EOPNOTSUPP;
	err = stub_arena_create(&native->arena);
	if (err)
		return err;
	((struct inside_state *)native->translation.env)->xcr0 = 1; /* as after a reset */
	native->on = true;
	return 0;
}

void native_destroy(struct native *native)
{
	if (!native)
		return;
	forget(native);
	free(native->block);
	free(native->op);
	stub_arena_destroy(&native->arena);
	free(native);
}
