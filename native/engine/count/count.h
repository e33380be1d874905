/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exact counting at block cost.
 *
 * Unicorn calls on_block() before it executes a translation block, with what is known of that
 * very block (blocks.c). The block is charged there, whole, with what it will retire; whatever
 * ends it early (a fault, a locked operation, a store into itself, a VM exit) takes back what
 * did not retire. So between blocks the totals are exact, and inside one they are ahead by a
 * known number of instructions.
 *
 * What a block retires is charged with one subtraction: `budget` holds the instructions left
 * before the next look at the doorbell in its upper bits, and the branches and the locked
 * operations charged since the last fold in its lower ones. It starts so small that it
 * goes below zero at the block that may reach an alarm (alarm.c).
 */
#ifndef PV_COUNT_H
#define PV_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/run_page.h"
#include "engine/unicorn/block.h"

struct cpu;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum {
	BRANCH_BITS = 16, /* of a budget, the lowest: more than can be charged between two folds */
	LOCKED_BITS = 16, /* the next */
	INSTRUCTION_SHIFT = BRANCH_BITS + LOCKED_BITS,
	CHUNK_INSTRUCTIONS = 10000, /* between two looks at the doorbell */
};

_Static_assert((int)CHUNK_INSTRUCTIONS + (int)BLOCK_MAX_BYTES < 1 << BRANCH_BITS, "as many branches at most");
_Static_assert((int)LOCKED_BITS >= (int)BRANCH_BITS, "and locked operations");

/* What wants a look before the next block is charged. */
enum {
	ATTEND_RING = 1 << 0,    /* CPL may have changed */
	ATTEND_SPACE = 1 << 1,   /* addresses mean something else */
	ATTEND_FLUSH = 1 << 2,   /* leave Unicorn and drop translated code */
	ATTEND_UNKNOWN = 1 << 3, /* the last block should have raised #UD */
	ATTEND_ENTRY = 1 << 4,   /* the host's answer to an exit that could not act on it at once */
	ATTEND_IRET = 1 << 5,    /* the last block ended in an iret while an NMI was in service */
	ATTEND_ALARM = 1 << 6,   /* an alarm may have been reached */
	ATTEND_INJECT = 1 << 7,  /* an NMI or an interrupt is pending */
	ATTEND_DEBUG = 1 << 8,   /* a data breakpoint was touched */
	ATTEND_TIMER = 1 << 9,   /* `timer` may have been reached */
	ATTEND_CODE = 1 << 10,   /* RAM that holds code was changed, here or by another vCPU */

	/* boundary.c's: they wait until it is known what the last block retired. */
	ATTEND_BOUNDARY = ATTEND_FLUSH | ATTEND_ENTRY | ATTEND_IRET | ATTEND_ALARM | ATTEND_INJECT | ATTEND_DEBUG |
			  ATTEND_TIMER | ATTEND_CODE,
};

struct count {
	/* The block hook's line. */
	int64_t budget;
	struct block *current; /* charged last, and may still be executing */

	int64_t chunk; /* instructions that `budget` started from */
	int64_t unlooked; /* instructions folded since the doorbell was looked at */
	uint32_t attend;
	uint32_t cpl;       /* PV_CPL_KERNEL or PV_CPL_USER */
	uint64_t tsc_start; /* of the guest-mode interval that is not yet in total */
	/* Of cycles, what is counted beside the one of each instruction: all, if cycles_tsc. */
	uint64_t total[PV_COUNTS][PV_CPLS];
	uint64_t discarded; /* instructions that were executed while the counters stood still */
	uint64_t timer;     /* how many have elapsed when the platform wants a look; UINT64_MAX: it does not */
	bool within_rep;     /* the last block was left between two iterations of it, and not behind it */
	bool cycles_watched; /* an alarm for cycles has been armed: blocks with locked operations are looked at */
};

/* What was charged ahead of the point that is looked at. */
struct charged {
	uint64_t instructions, branches, locked;
};

void count_fold(struct cpu *cpu);
/* Instructions that were charged until the last fold, whether or not counters stood still. */
uint64_t count_elapsed(const struct cpu *cpu);
/* Takes back what the current block was charged beyond `rip`; the block is over. */
void count_leave_block(struct cpu *cpu, uint64_t rip);
/* Totals into the run page, less what the current block was charged from `rip` on. */
void count_publish(struct cpu *cpu, uint64_t rip);
/* Every counter, whether or not it is wanted, with the totals exact. */
void count_publish_all(struct cpu *cpu);
void count_take_back_branch(struct cpu *cpu, unsigned cpl);
void count_attend(struct cpu *cpu, uint32_t what);
void count_penalty(struct cpu *cpu, uint64_t cycles);
/* What the current block was charged from `rip` on. */
struct charged count_ahead(const struct cpu *cpu, uint64_t rip);
/* A counter less what was charged ahead. */
uint64_t count_value(const struct cpu *cpu, unsigned counter, unsigned cpl, const struct charged *ahead);
/* The privilege level from here on. */
void count_enter_cpl(struct cpu *cpu, unsigned cpl);
/* It is the kernel's from here on, in Unicorn too, with a null SS, as an interrupt leaves it. */
void count_enter_kernel(struct cpu *cpu);

#endif
