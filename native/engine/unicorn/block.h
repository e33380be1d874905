/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A translation block, as the block hook is handed it with each execution. It is decoded when it is first executed: until
 * then its size is 0.
 */
#ifndef PV_BLOCK_H
#define PV_BLOCK_H

#include <stdint.h>

struct pv_engine;
struct trap;

enum {
	BLOCK_MAX_BYTES = 8192, /* Unicorn ends a block within a page and one instruction */
	OFFSET_LOCKED = 1 << 15,
};

/* Why a block never takes the fast path. */
enum {
	BLOCK_REP = 1 << 0,        /* ends in a rep-prefixed string instruction */
	BLOCK_RING = 1 << 1,       /* may change CPL natively: iret, sysret, far transfers */
	BLOCK_SPACE = 1 << 2,      /* may change what addresses mean, and so serialises: mov to cr3, invlpg, wrmsr */
	BLOCK_LONE_STORE = 1 << 3, /* one instruction that writes memory: see block_hook.c */
	BLOCK_PAUSE = 1 << 4,
	BLOCK_UNKNOWN = 1 << 5,    /* ends in bytes that must turn out to be no instruction */
	BLOCK_IRET = 1 << 6,       /* ends in iret, which lets NMIs through again */
	BLOCK_DROPPED = 1 << 7,    /* must never be executed: it was translated without its traps */
};

/* What an execution subtracts from the budget while the block has to take the slow path: all of it. */
#define COST_SLOW ((int64_t)1 << 62)

struct block {
	int64_t cost;  /* what one execution subtracts from the budget, or COST_SLOW */
	struct pv_engine *engine;
	uint64_t address;
	uint32_t size;  /* bytes */
	uint32_t flags;
	uint16_t instructions; /* that it can retire: up to the first trap */
	uint16_t last_offset;
	uint16_t last_is_branch;
	uint16_t traps;
	uint16_t locked; /* of the instructions: atomic operations that are executed in the block */
	uint32_t branch; /* of the last: enum branch_kind */
	uint16_t *offset; /* of each instruction, from `address`; with OFFSET_LOCKED */
	struct trap *trap;
};

_Static_assert(sizeof(struct block) == 64, "a cache line");
_Static_assert((int)BLOCK_MAX_BYTES <= (int)OFFSET_LOCKED, "an offset and a bit");

#endif
