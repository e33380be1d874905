/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Code that executes one or more of a guest's instructions on this processor: loads the registers that they read and write
 * from the CPU's state, executes them, a memory operand being somewhere else, and stores what they wrote. Where the processor
 * raises an exception, nothing is stored but MXCSR.
 */
#ifndef PV_STUB_H
#define PV_STUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/interposed/inside.h"
#include "engine/x86/insn.h"

/* What goes in and out beside the CPU's state. */
struct stub_pass {
	uint8_t fx[512]; /* x87 and MMX: as FXSAVE64 has them, aligned to 16 */
	uint32_t host_mxcsr;
	uint16_t flags;  /* AH as LAHF has it, AL is OF */
	uint16_t status; /* of x87 alone, what FNSTSW says */
} __attribute__((aligned(16)));

/* 0: executed; 1: stub_fault() says why not. */
typedef uint64_t stub_fn(struct inside_state *state, void *memory, struct stub_pass *pass);

/* Of x87 alone, with all exceptions masked. */
typedef void x87_fn(struct inside_x87 *top, void *memory, struct stub_pass *pass, struct inside_x87 *other);

enum { STUB_MOST = 16 /* instructions */, STUB_MOST_BYTES = 1024, STUB_ARENA_BYTES = 1 << 22 };

struct stub_exception {
	unsigned vector;
	uint32_t error;
};

/* Stubs of one thread, one behind the other. */
struct stub_arena {
	uint8_t *code;
	uint32_t used; /* bytes */
	uint32_t stubs;
	struct stub_place { uintptr_t begin, fault; } *place; /* of each stub: where it goes on if it raised an exception */
	struct stub_exception exception; /* that the last stub which returned 1 has raised */
};

struct stub_source {
	const struct x86_insn *insn;
	const uint8_t *bytes;
};

/* From then on exceptions in these stubs are caught. 0, or a negative errno. */
int stub_arena_create(struct stub_arena *arena);
void stub_arena_destroy(struct stub_arena *arena);
/* Of n instructions, at most STUB_MOST: only the first may have general registers, flags, or memory; the units are one. There
 * must be room for STUB_MOST_BYTES. */
stub_fn *stub_make(struct stub_arena *arena, const struct stub_source *sources, unsigned n);
/* Does it need, and store, all of x87's registers? What has MMX registers needs those. */
static inline bool stub_has_x87(const struct x86_insn *insn)
{
	enum { EMMS = 0x77 };

	return insn->unit == X86_X87 || (insn->unit == X86_MMX && !(insn->mmx_read | insn->mmx_written) && insn->opcode != EMMS);
}

static inline bool stub_arena_has_room(const struct stub_arena *arena, unsigned stubs)
{
	return arena->used + stubs * STUB_MOST_BYTES <= STUB_ARENA_BYTES;
}

/* Of n elements that have an address first, sorted by that: the last that does not lie behind this one. NULL: all do. */
static inline const void *last_begun(const void *elements, size_t n, size_t bytes, uintptr_t address)
{
	const uint8_t *begin = elements;

	while (n) {
		const uint8_t *middle = begin + n / 2 * bytes;

		if (*(const uintptr_t *)(const void *)middle <= address) {
			begin = middle + bytes;
			n -= n / 2 + 1;
		} else {
			n /= 2;
		}
	}
	return begin == (const uint8_t *)elements ? NULL : begin - bytes;
}

#endif
