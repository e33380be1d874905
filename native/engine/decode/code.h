/* SPDX-License-Identifier: GPL-2.0-only */
/* Which lines of RAM have ever been executed: who writes there past Unicorn must have translations dropped. */
#ifndef PV_CODE_H
#define PV_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

#include "abi/run_page.h"

struct stores;
struct share;

struct code {
	uint64_t *lines; /* by page, a bit per CODE_LINE bytes of RAM that a block was decoded from */
	uint64_t ram_size;
	struct share *share; /* NULL: `lines` are this vCPU's own */
};

/* Where the first and the last byte of an operand lie: in one page, or in two that need not be neighbours in RAM. */
struct operand_gpa {
	gpa_t first, last;
};

/* `share`, if there is one, has been created. 0 or -ENOMEM. */
int code_create(struct code *code, uint64_t ram_size, struct share *share);
void code_destroy(struct code *code);
/* A block was decoded from there, or is about to be. */
void code_mark(struct code *code, uc_engine *uc, const struct stores *stores, uint64_t address, uint32_t size);
/* False if the guest may not write all of it, or it is not in RAM. */
bool code_operand(const struct code *code, uc_engine *uc, uint64_t address, unsigned width, struct operand_gpa *ret);
/* An operand was stored past Unicorn. */
void code_stored(const struct code *code, const struct operand_gpa *at);
/* Has what lies from here to there been executed? */
bool code_holds(const struct code *code, gpa_t first, gpa_t last);
/* Has what lies at either end of these few bytes, which may be written, been executed? */
bool code_holds_operand(const struct code *code, uc_engine *uc, uint64_t address, unsigned width);

#endif
