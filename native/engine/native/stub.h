/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Code that executes one of a guest's instructions on this processor: loads the registers that it reads and writes from the
 * CPU's state, executes it with its memory operand somewhere else, and stores what it wrote. Where the processor raises an
 * exception, nothing is stored but MXCSR.
 */
#ifndef PV_STUB_H
#define PV_STUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/decode/x86.h"
#include "engine/unicorn/inside.h"

/* What goes in and out beside the CPU's state. */
struct stub_pass {
	uint8_t fx[512]; /* x87 and MMX: as FXSAVE64 has them, aligned to 16 */
	uint32_t host_mxcsr;
	uint16_t flags;  /* AH as LAHF has it, AL is OF */
} __attribute__((aligned(16)));

/* 0: executed; 1: stub_fault() says why not. */
typedef uint64_t stub_fn(struct inside_state *state, void *memory, struct stub_pass *pass);

struct stub {
	stub_fn *run;
	const uint8_t *end;   /* behind its code */
	const uint8_t *fault; /* where it goes on if the instruction raised an exception */
};

enum { STUB_MOST_BYTES = 512 };

/* Makes one at `code`, where there is room for STUB_MOST_BYTES. The instruction's bytes are `bytes`. */
void stub_make(const struct x86_insn *insn, const uint8_t *bytes, uint8_t *code, struct stub *ret);

/* The exception that the last stub of this thread that returned 1 has raised. */
struct stub_exception {
	unsigned vector;
	uint32_t error;
};

/* From now on exceptions in stubs are caught, in the whole process. 0, or a negative errno. */
int stub_catch(void);
/* Runs it; if that is 1, *exception says why. */
uint64_t stub_run(const struct stub *stub, struct inside_state *state, void *memory, struct stub_pass *pass,
		  struct stub_exception *exception);

#endif
