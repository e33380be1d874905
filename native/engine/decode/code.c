/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/decode/code.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/decode/share.h"
#include "engine/interposed/fast_store.h"
#include "engine/unicorn/stores.h"

enum { PAGE = 4096 };
_Static_assert(PAGE / (int)CODE_LINE == 64, "a word for each page");

int code_create(struct code *code, uint64_t ram_size, struct share *share)
{
	uint64_t pages = (ram_size + PAGE - 1) / PAGE;

	code->ram_size = ram_size;
	code->share = share;
	if (share) {
		code->lines = share->lines;
		return 0;
	}
	code->lines = calloc(pages, sizeof(*code->lines));
	return code->lines ? 0 : -ENOMEM;
}

void code_destroy(struct code *code)
{
	if (!code->share)
		free(code->lines);
}

void code_mark(struct code *code, uc_engine *uc, const struct stores *stores, uint64_t address, uint32_t size)
{
	uint64_t next, end = address + size, gpa;

	for (; address < end; address = next) {
		next = (address | (CODE_LINE - 1)) + 1;
		if (uc_vmem_translate(uc, address, UC_PROT_EXEC, &gpa) != UC_ERR_OK || gpa >= code->ram_size)
			continue;
		if (code->share) {
			share_mark(code->share, uc, gpa / PAGE, 1ull << gpa / CODE_LINE % 64);
			continue;
		}
		if (!code->lines[gpa / PAGE])
			stores_look(stores, uc);
		code->lines[gpa / PAGE] |= 1ull << gpa / CODE_LINE % 64;
	}
}

bool code_operand(const struct code *code, uc_engine *uc, uint64_t address, unsigned width, struct operand_gpa *ret)
{
	uint64_t last = address + width - 1;

	if (last < address || uc_vmem_translate(uc, address, UC_PROT_WRITE, &ret->first) != UC_ERR_OK)
		return false;
	if (address / PAGE == last / PAGE)
		ret->last = ret->first + width - 1;
	else if (uc_vmem_translate(uc, last, UC_PROT_WRITE, &ret->last) != UC_ERR_OK)
		return false;
	return ret->first < code->ram_size && ret->last < code->ram_size;
}

void code_stored(const struct code *code, const struct operand_gpa *at)
{
	if (!code->share)
		return;
	share_stored(code->share, at->first, 1);
	share_stored(code->share, at->last, 1);
}

bool code_holds(const struct code *code, gpa_t first, gpa_t last)
{
	if (code->share && !share_has(code->share, first / PAGE))
		return false;
	for (gpa_t line = first / CODE_LINE; line <= last / CODE_LINE; line++)
		if (code->lines[line / 64] >> line % 64 & 1)
			return true;
	return false;
}

bool code_holds_operand(const struct code *code, uc_engine *uc, uint64_t address, unsigned width)
{
	struct operand_gpa at;

	return code_operand(code, uc, address, width, &at) &&
	       (code_holds(code, at.first, at.first) || code_holds(code, at.last, at.last));
}
