/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that this machine's processor executes in Unicorn's place, on the guest's registers and memory: those that
 * Unicorn gets wrong, or does not have. Which, is decided once, when a block is translated (choose.c): the translator
 * is shown something that becomes a call (translate.h), and behind that call the instruction is looked up, its memory is
 * reached as Unicorn would reach it, and code made for it is run (stub.h). What the processor does not do as a guest would
 * see it, vectors of addresses and masked moves, is done here (whole.c).
 */
#ifndef PV_NATIVE_H
#define PV_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

#include "engine/interposed/translate.h"
#include "engine/native/stub.h"
#include "engine/x86/insn.h"

struct cpu;

/* What an x87 instruction does to the stack, where that is known (x87_fast.c). */
struct x87_shape {
	enum { X87_WHOLE /* no */, X87_FAST, X87_IN_C } how;
	uint8_t other;            /* the register beside the top, counted from there */
	bool reads_top, reads_other;
	bool named;               /* the other one, by ModRM */
	enum { X87_NO_RESULT, X87_TO_TOP, X87_TO_OTHER, X87_PUSHED } result;
	uint8_t pops;
	uint16_t conditions;      /* of the status word, that it sets */
	bool keeps_c1;            /* on some processors, of those; others clear it */
};

/* One instruction of a translation, executed natively. */
struct native_op {
	uint64_t address;
	uint8_t bytes[16];
	struct x86_insn insn;
	bool whole;  /* whole.c does it */
	bool simple; /* nothing but vector registers, and perhaps MXCSR */
	struct native_op *next; /* is executed by the same call, right behind it */
	/* Made when it is executed for the first time: */
	stub_fn *run, *run_all; /* it alone; with those behind it that are simple, if they raise nothing, up to: */
	struct native_op *behind;
	struct x87_shape x87;
	x87_fn *run_x87;
};

struct native_block {
	uintptr_t code;
	uint32_t first, ops; /* among all */
};

enum { NATIVE_SLOT_BITS = 13 };

struct native {
	struct translation translation;
	bool on;
	uc_engine *uc;
	struct cpu *cpu;
	struct x86_cpu model;
	struct stub_pass pass;
	struct native_block *block;
	uint32_t blocks, block_room;
	struct native_op **op;
	uint32_t ops, op_room;
	struct stub_arena arena;
	struct native_slot {
		uintptr_t retaddr;
		struct native_op *op; /* NULL: that call is no instruction of ours */
	} slot[1 << NATIVE_SLOT_BITS];
	uint8_t bounce[1024]; /* an operand whose two pages are no neighbours */
};

/* For a new engine, whose CPU is as new. 0, or a negative errno; without the library of translate.c nothing is replaced. */
int native_create(struct native **native, struct cpu *cpu);
void native_destroy(struct native *native);

/* choose.c: what the translator is shown of an instruction at `bytes`: changes them, and for one that is too long as many as that takes. */
enum { NATIVE_TOO_LONG = X86_MAX_LENGTH + 1 };
enum native_choice { NATIVE_LEFT, NATIVE_EXECUTED, NATIVE_WHOLE };
enum native_choice native_choose(const struct x86_cpu *model, const struct x86_insn *insn, uint8_t *bytes);
/* May it be executed by the call of the one in front of it? Then nothing is left to be shown of it. */
bool native_joins(const struct x86_insn *insn);
void native_show_nothing(const struct x86_insn *insn, uint8_t *bytes);
/* run.c, for translate.h. */
bool native_execute(struct translation *translation, uintptr_t retaddr);
/* An exception of the guest's, at the instruction whose call came from `retaddr`; 0: that RIP is at. */
void native_raise(struct native *native, unsigned vector, uint32_t error, uintptr_t retaddr) __attribute__((noreturn));
/* reach.c: `bytes` of guest memory at a linear address, to be read, or also written; a fault of the guest's does not
 * return. Of an operand that lies in pages that are no neighbours, a copy: native_reached() takes it back if it was written. */
struct reached {
	uint8_t *at;
	uint8_t *part[2]; /* of a copy: where it came from */
	uint64_t address;
	uint32_t bytes, first; /* in part[0] */
	bool write; /* a copy would have to go back */
};
/* Who accesses memory: an instruction, called from there. `access`: X86_READ, X86_WRITE, or both. */
struct reaching {
	const struct native_op *op;
	uintptr_t retaddr;
	uint32_t accessed; /* so many bytes of what must be accessible; 0: all */
};
void native_reach(struct native *native, struct reached *reached, uint64_t address, uint32_t bytes, unsigned access,
		  const struct reaching *by);
void native_reached(struct reached *reached);
/* As x86_address(), with its segment. */
uint64_t native_address(const struct native *native, const struct native_op *op, uint64_t more);
/* x87.c */
void x87_load(struct inside_state *state, uint8_t fx[512]);
void x87_store(struct inside_state *state, const uint8_t fx[512]);
/* What MMX makes of the stack, by an instruction that writes these registers; or EMMS. */
void x87_enter_mmx(struct inside_state *state, uint8_t written, bool leaves);
/* The pointers to the last instruction and its operand, which would be those of the stub: behind one with this memory. */
void x87_executed(struct inside_state *state, const struct native_op *op, uint64_t address, uint8_t *memory);
/* x87_fast.c */
void x87_shape_of(const struct x86_insn *insn, struct x87_shape *shape);
x87_fn *x87_make(struct stub_arena *arena, const struct x86_insn *insn, const struct x87_shape *shape);
/* With what there is of its memory. False: nothing is done, and all of the x87 has to be loaded. */
bool x87_fast(struct native *native, const struct native_op *op, uint8_t *memory);
/* xsave.c: one of X86_XSAVE_OP with a memory operand. */
void native_save(struct native *native, const struct reaching *by);
/* whole.c: False: it is none of these. */
bool native_whole(struct native *native, const struct reaching *by);

#endif
