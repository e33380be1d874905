/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A struct block for each of Unicorn's translation blocks, handed to on_block() with
 * each execution. Where there is one block hook, Unicorn translates a call of it into
 * the block, with the user data that the hook has at that moment (gen_uc_tracecode() in
 * its tcg-op.h). So that is exchanged whenever a block has been executed for the first
 * time, which is before the next one is translated. It then needs no look-up, and what
 * is known of a block is dropped when its translation is.
 */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a uc_hook points to is Unicorn's own: it has the callback, and behind it the user data. */
static void **find_user_data(uc_hook hook, void *callback, void *data)
{
	enum { WORDS = 8 };
	void **word = (void **)hook;

	for (unsigned i = 0; i + 1 < WORDS; i++)
		if (word[i] == callback && word[i + 1] == data)
			return &word[i + 1];
	return NULL;
}

/* What a hook was handed, call by call. */
struct probe {
	unsigned calls;
	const struct probed { struct probe *probe; } *seen[4];
	void **next;
	struct probed first, others;
};

static void on_probed(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	const struct probed *probed = data;
	struct probe *probe = probed->probe;

	(void)uc;
	(void)address;
	(void)size;
	if (probe->calls < 4)
		probe->seen[probe->calls] = probed;
	probe->calls++;
	if (probe->next)
		*probe->next = &probe->others;
}

/* Two blocks, twice: the second time, what they were translated with is not what the hook has. */
static bool probe_run(struct pv_engine *e, struct probe *probe, uint64_t address)
{
	static const uint8_t code[] = { 0xeb, 0x00, 0xf4 }; /* jmp .+2; hlt */

	if (uc_mem_write(e->uc, address, code, sizeof(code)) || uc_emu_start(e->uc, address, 0, 0, 0))
		return false;
	probe->next = NULL;
	return !uc_emu_start(e->uc, address, 0, 0, 0) && probe->calls == 4 &&
	       probe->seen[0] == &probe->first && probe->seen[1] == &probe->others &&
	       probe->seen[2] == &probe->first && probe->seen[3] == &probe->others;
}

int blocks_calibrate(struct pv_engine *e)
{
	enum { PAGE = 0x1000 };
	struct probe probe = { .first.probe = &probe, .others.probe = &probe };
	uc_hook hook;
	bool ok;

	if (uc_mem_map(e->uc, PAGE, 4096, UC_PROT_ALL) ||
	    uc_hook_add(e->uc, &hook, UC_HOOK_BLOCK, (void *)on_probed, &probe.first, (uint64_t)1, (uint64_t)0))
		return -ENOMEM;
	probe.next = find_user_data(hook, (void *)on_probed, &probe.first);
	ok = probe.next && probe_run(e, &probe, PAGE);
	if (uc_hook_del(e->uc, hook) || uc_mem_unmap(e->uc, PAGE, 4096))
		return -ENOMEM;
	return ok ? 0 : -EOPNOTSUPP;
}

/* One that waits for the next translation. */
static void draw(struct pv_engine *e)
{
	struct blocks *blocks = &e->blocks;
	struct block *block = &blocks->all[blocks->used++];

	*block = (struct block){ .cost = COST_SLOW, .engine = e };
	*blocks->next = block;
}

int blocks_create(struct pv_engine *e)
{
	struct blocks *blocks = &e->blocks;
	uc_hook hook;

	blocks->all = calloc(BLOCKS, sizeof(*blocks->all));
	if (!blocks->all ||
	    uc_hook_add(e->uc, &hook, UC_HOOK_BLOCK, (void *)on_block, blocks->all, (uint64_t)1, (uint64_t)0))
		return -ENOMEM;
	blocks->next = find_user_data(hook, (void *)on_block, blocks->all);
	draw(e);
	return 0;
}

static void forget(struct blocks *blocks)
{
	for (; blocks->used; blocks->used--) {
		free(blocks->all[blocks->used - 1].offset);
		free(blocks->all[blocks->used - 1].trap);
	}
}

void blocks_destroy(struct pv_engine *e)
{
	forget(&e->blocks);
	free(e->blocks.all);
}

void blocks_forget(struct pv_engine *e)
{
	e->current = NULL;
	forget(&e->blocks);
	draw(e);
}

bool blocks_take(struct pv_engine *e, const struct block *block)
{
	struct blocks *blocks = &e->blocks;

	if (block != &blocks->all[blocks->used - 1])
		return true;
	if (blocks->used == BLOCKS) {
		vmexit_fail(e, -EOVERFLOW, "%u blocks were translated, and could not be dropped", BLOCKS);
		return false;
	}
	draw(e);
	if (blocks->used >= BLOCKS - BLOCKS_RESERVE)
		count_attend(e, ATTEND_FLUSH);
	return true;
}
