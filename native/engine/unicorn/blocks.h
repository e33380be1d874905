/* SPDX-License-Identifier: GPL-2.0-only */
/* One struct block for each of Unicorn's translation blocks, and traps where a block has some. */
#ifndef PV_BLOCKS_H
#define PV_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

#include "engine/unicorn/block.h"

enum {
	BLOCKS = 1 << 16,         /* translated ones, until all are dropped and translated anew */
	BLOCKS_OF_SYSTEM = 1 << 18, /* the same of a guest that is a whole system */
	BLOCKS_RESERVE = 1 << 10, /* how many may come before they are */
	RETAKEN_BITS = 6,
	RETAKEN = 1 << RETAKEN_BITS,
	RETAKEN_OFTEN = 4,        /* times that a block may be translated again before its traps are expected always */
	REST_BYTES = 1024,        /* of code that may have more calls of on_trap() than it has traps */
	TCG_BUFFER_BYTES = 64 << 20,
	TCG_BUFFER_BYTES_OF_SYSTEM = 512 << 20,
};

/* No instruction lies there: the address is not canonical. */
#define NOWHERE (1ull << 63)

struct blocks {
	struct pv_engine *engine;
	bool stepped; /* each instruction has a hook of its own, and so a call of on_trap() */
	struct block *all;
	uint32_t most;       /* of them there may be */
	uint64_t code_bytes; /* for their translations */
	uint32_t used; /* of `all`; the last waits for the next translation */
	struct hook_record *hook;  /* on_block()'s */
	struct hook_record *traps; /* on_trap()'s */
	uintptr_t code;            /* where Unicorn put the first translation */
	struct retaken { uint64_t address; unsigned times; } retaken[RETAKEN]; /* by address: translated again for traps */
	uint64_t rest_first, rest_last; /* traps that every translation comes with, or NOWHERE */
};

/* Callbacks of Unicorn's. */
typedef void code_hook_fn(uc_engine *uc, uint64_t address, uint32_t size, void *data);
/* One that does nothing. */
code_hook_fn on_block_empty;

/* -EOPNOTSUPP: this Unicorn does not translate a block with what its hooks have at that moment. Tried on this page. */
int blocks_calibrate(uc_engine *uc, uint64_t page);
/* How many there may be, and how much code; `system`: of a guest that is a whole one. */
void blocks_limit(struct blocks *blocks, bool system);
/* Adds both hooks: that of blocks is handed each block, that of traps the engine. */
int blocks_create(struct blocks *blocks, uc_engine *uc, struct pv_engine *engine, bool stepped, code_hook_fn *block_hook,
		  code_hook_fn *trap_hook);
void blocks_destroy(struct blocks *blocks);
/* Those with locked operations: they take the slow path the next time. */
void blocks_slow_locked(struct blocks *blocks);
/* Call it when Unicorn was made to drop every translation. */
void blocks_forget(struct blocks *blocks);
/* A block is executed for the first time, and its translation lies at `code`. -EINVAL: that block is another
 * translation's, too; -EOVERFLOW: there are too many. */
int blocks_take(struct blocks *blocks, const struct block *block, const void *code);
/* As one was taken: must all translations be dropped soon? */
bool blocks_are_nearly_full(const struct blocks *blocks, const void *code);
/* That block was decoded, with traps from `first` to `last`, or NOWHERE. False: they are not called, unless it is
 * translated again. */
bool blocks_trap(struct blocks *blocks, const struct block *block, uint64_t first, uint64_t last);
/* A trap is about to be executed: the next translation comes with the traps that it will have, from here to there. */
void blocks_expect(struct blocks *blocks, uint64_t first, uint64_t last);

#endif
