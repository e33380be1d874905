/* SPDX-License-Identifier: GPL-2.0-only */
/* Decodes a translation block once into what counting needs. */
#ifndef PV_DECODE_H
#define PV_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

#include "abi/run_page.h"
#include "engine/atomic/lockop.h"
#include "engine/x86/insn.h"

struct block;
struct parallel;

enum { MAX_INSTRUCTION = 15 }; /* bytes */

enum trap_kind {
	TRAP_LOCKED,
	TRAP_OUT,     /* asks for permission, and exits */
	TRAP_PORT,    /* in, ins, outs: only asks for permission, Unicorn executes them */
	TRAP_FENCE,   /* mfence: Unicorn, which thinks it has the memory to itself, leaves it out */
	TRAP_WATCHED, /* of a breakpoint */
};

/* What an in, out, ins or outs does with ports, beside its direction. */
struct port_access {
	uint8_t size;  /* bytes */
	bool in_dx;    /* the port; or else */
	uint8_t immediate;
};

/* An instruction that a code hook executes in Unicorn's place, or adds to. */
struct trap {
	uint64_t address;
	enum trap_kind kind;
	uint8_t length;
	struct lockop locked;
	struct port_access port;
	/* Where a block has traps that is translated next: here, for what is translated again, alone, as an
	 * iteration of a rep or a store into its own block is; otherwise behind it, or NOWHERE. */
	uint64_t next_first, next_last;
};

struct decode {
	struct x86_insn insn; /* being decoded */
	uint64_t address;     /* of it */
	const uint8_t *bytes; /* its */
	struct lockop locked; /* the same, if it is_locked */
	bool is_locked;
	bool lock_left;       /* nothing is locked */
	const struct parallel *parallel; /* what is locked and needs no trap */
	uint64_t watched[PV_BREAKPOINTS]; /* addresses of instructions that need a trap */
	unsigned watches;
};

void decode_create(struct decode *decode, const struct parallel *parallel, bool lock_left);
/* Fills the block. Or a negative errno, and what could not be done in `why`. */
int decode_block(struct decode *decode, uc_engine *uc, struct block *block, uint64_t address, uint32_t size,
		 const char **why);
/* The bytes of code from `rip` on, as far as they can be executed: how many. */
unsigned decode_fetch(uc_engine *uc, uint64_t rip, uint8_t code[MAX_INSTRUCTION]);

#endif
