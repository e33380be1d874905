/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the instruction in progress has done, held back until it is known to have retired. A hook
 * sees an access before the processor is done with it: the next one may fault, or the
 * instruction may be begun anew because it stores into its own block. Then it must not count.
 *
 * What counts, by retired instruction (by iteration, for a rep):
 *   L1D loads           1 if it reads memory, however many lines or pieces that takes
 *   L1D load misses     1 if a line that it reads was not in L1D
 *   L1D stores          1 if it writes memory
 *   cache references    each line that was not in L1D, read or written
 *   cache misses        each of those that the last level did not have
 *   breakpoint R, W, RW 1 if an access of that kind touches the range, by linear address
 *   breakpoint X        1 for the instruction at that address; for a rep, with its iterations together
 * The processor's own accesses count with the instruction that causes them (descriptors, the
 * frame that iret pops). An exception's frame belongs to no instruction, and counts nowhere.
 * While the counters are frozen nothing is seen: an NMI handler leaves caches and predictor alone.
 */
#ifndef PV_HELD_H
#define PV_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/run_page.h"
#include "engine/models/predictor.h"

struct cpu;
struct block;

enum { HELD_PIECES = 128 }; /* an fxsave has some 30, an enter of the deepest nesting 65 */

struct held {
	/* The accesses of one instruction. */
	uint64_t rip;
	uint32_t pieces;
	struct held_piece {
		gpa_t gpa;
		uint64_t address; /* linear, if `located` */
		uint32_t size;
		bool write, located;
	} piece[HELD_PIECES];
	/* A watched instruction that is being executed: a bit per breakpoint. */
	uint64_t executed_rip;
	uint32_t executed;
	/* The branch at the end of the current block. */
	enum branch_kind branch;
	uint64_t block, branch_rip, next;
};

/* From a hook: the instruction at `rip` accesses memory, or is about to be executed. */
void held_access(struct cpu *cpu, uint64_t rip, const struct held_piece *access);
void held_execute(struct cpu *cpu, uint64_t rip);
/* A block is about to begin at `rip`: what it cannot take back has retired. */
void held_arrive(struct cpu *cpu, uint64_t rip);
/* The block that begins at `rip` continues no rep: all that came before has retired. */
void held_retire(struct cpu *cpu, uint64_t rip);
/* This block is executed. */
void held_begin(struct cpu *cpu, const struct block *block);
/* The vCPU is at `rip`, in the midst of a block: what lies elsewhere has retired. */
void held_settle(struct cpu *cpu, uint64_t rip);
/* The block was left at `rip`: what lies elsewhere has retired, and that instruction has not. */
void held_leave(struct cpu *cpu, uint64_t rip);

#endif
