/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/decode/narrow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "engine/decode/branch.h"
#include "engine/unicorn/block.h"

enum { MAX_BYTES = 15 };

static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
		return true;
	default:
		return false;
	}
}

static bool is_string(uint8_t opcode)
{
	return (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);
}

/* What counts as a branch, beside 0F 80 to 8F and FF. */
static bool is_branch(uint8_t opcode)
{
	return (opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xc2 && opcode <= 0xc3) || (opcode >= 0xca && opcode <= 0xcf) ||
	       (opcode >= 0xe0 && opcode <= 0xe3) || (opcode >= 0xe8 && opcode <= 0xeb) || opcode == 0x9a;
}

int narrow_decode(uc_engine *uc, struct block *block, uint64_t address, uint32_t size, const char **why)
{
	uint8_t code[MAX_BYTES + 1] = { 0 };
	uint32_t at = 0;
	bool rep = false;

	if (size > MAX_BYTES || uc_vmem_read(uc, address, UC_PROT_EXEC, code, size) != UC_ERR_OK) {
		*why = "no instruction of 16 or 32 bits";
		return -EFAULT;
	}
	for (; at + 1 < size && is_prefix(code[at]); at++)
		rep |= code[at] == 0xf2 || code[at] == 0xf3;
	block->address = address;
	block->size = size;
	block->instructions = 1;
	block->last_offset = 0;
	block->last_is_branch = is_branch(code[at]) || (code[at] == 0x0f && code[at + 1] >> 4 == 8) ||
				(code[at] == 0xff && (code[at + 1] >> 3 & 7) >= 2 && (code[at + 1] >> 3 & 7) <= 5);
	block->branch = BRANCH_NONE;
	block->flags = rep && is_string(code[at]) ? BLOCK_REP : 0;
	block->offset = calloc(1, sizeof(*block->offset));
	*why = "no memory for what was decoded";
	return block->offset ? 0 : -ENOMEM;
}
