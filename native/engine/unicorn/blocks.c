/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A struct block for each of Unicorn's translation blocks, handed to on_block() with
 * each execution, and calls of on_trap() where the block has traps, and nowhere else.
 *
 * Where there is one hook of a kind, Unicorn translates a call of it into a block, with
 * the user data that the hook has at that moment, and in front of those instructions that lie
 * within its bounds at that moment (gen_uc_tracecode() in its tcg-op.h). So user data and
 * bounds are changed between two translations. A new block is always executed before
 * the next one is translated (tb_find() in its cpu-exec.c: nothing that asks for an exit may
 * be called from there), and only then is it known where it has traps: if it has any, and
 * they were not expected, it is translated again with the bounds set. Thus neither hook
 * looks anything up, however many blocks and traps there are.
 *
 * Unicorn can only drop all translations of some bytes at once: those for another CPL, other
 * flags or another address go with the one that lacked its traps. Where they would drop each
 * other again and again, their traps are expected in every translation from then on, as long
 * as they lie close together.
 *
 * What is known of blocks is dropped when the engine drops all translations: before too many
 * are known, and before Unicorn would drop them itself, for want of room. It might do
 * that while it executes a store into its own block, which it then no longer does alone, so
 * that block_hook.c would not notice.
 *
 * With an oracle, whose hook makes two of that kind, the bounds are looked at as the code
 * is executed: they hold everything then.
 */
#include "engine/unicorn/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/unicorn/block.h"

/* A hook as Unicorn keeps it, as far as it looks at that when it translates. */
struct hook_record {
	uint64_t begin, end;
	void *callback, *data;
};

#define HASH 0x9e3779b97f4a7c15ull /* code is aligned: its lowest bits tell little */

/* Adds one, and finds where Unicorn keeps it: in what a uc_hook points to. */
static int hook_add(uc_engine *uc, int type, struct hook_record record, uc_hook *hook, struct hook_record **ret)
{
	enum { WORDS = 8 };

	if (uc_hook_add(uc, hook, type, record.callback, record.data, record.begin, record.end))
		return -ENOMEM;
	for (unsigned i = 0; i + sizeof(record) / sizeof(uint64_t) <= WORDS; i++) {
		*ret = (struct hook_record *)((uint64_t *)*hook + i);
		if (!memcmp(*ret, &record, sizeof(record)))
			return 0;
	}
	return -EOPNOTSUPP;
}

void on_block_empty(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	(void)uc;
	(void)address;
	(void)size;
	(void)data;
}

/* What two hooks were handed, call by call, the first of which changes both. */
struct probe {
	struct probed { struct probe *probe; } first, others, instruction;
	const struct probed *seen[6];
	unsigned calls;
	struct hook_record *hook, *traps;
};

static void on_probed(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	const struct probed *probed = data;
	struct probe *probe = probed->probe;

	(void)uc;
	(void)address;
	(void)size;
	if (probe->calls < sizeof(probe->seen) / sizeof(probe->seen[0]))
		probe->seen[probe->calls] = probed;
	probe->calls++;
	probe->hook->data = &probe->others;
	probe->traps->begin = probe->traps->end = NOWHERE;
}

/* Two blocks, run twice: each time as they were translated, whatever the hooks have by then. */
static int probe_run(uc_engine *uc, struct probe *probe, uint64_t address)
{
	static const uint8_t code[] = { 0x90, 0xeb, 0x00, 0xf4 }; /* nop; jmp .+2; hlt */
	const struct probed *expected[] = {
		&probe->first, &probe->instruction, &probe->others,
		&probe->first, &probe->instruction, &probe->others,
	};

	if (uc_mem_write(uc, address, code, sizeof(code)) || uc_emu_start(uc, address, 0, 0, 0) ||
	    uc_emu_start(uc, address, 0, 0, 0))
		return -EOPNOTSUPP;
	return probe->calls == 6 && !memcmp(expected, probe->seen, sizeof(expected)) ? 0 : -EOPNOTSUPP;
}

int blocks_calibrate(uc_engine *uc, uint64_t page)
{
	struct probe probe = { .first.probe = &probe, .others.probe = &probe, .instruction.probe = &probe };
	struct hook_record block = { 1, 0, (void *)on_probed, &probe.first };
	struct hook_record instruction = { page + 1, page + 1, (void *)on_probed, &probe.instruction }; /* the jmp */
	uc_hook hook[2];
	int ret;

	ret = hook_add(uc, UC_HOOK_BLOCK, block, &hook[0], &probe.hook);
	if (!ret)
		ret = hook_add(uc, UC_HOOK_CODE, instruction, &hook[1], &probe.traps);
	if (!ret)
		ret = probe_run(uc, &probe, page);
	return !ret && (uc_hook_del(uc, hook[0]) || uc_hook_del(uc, hook[1])) ? -ENOMEM : ret;
}

/* One that waits for the next translation. */
static void draw(struct blocks *blocks)
{
	struct block *block = &blocks->all[blocks->used++];

	*block = (struct block){ .cost = COST_SLOW, .engine = blocks->engine };
	blocks->hook->data = block;
}

void blocks_limit(struct blocks *blocks, bool system)
{
	blocks->most = system ? BLOCKS_OF_SYSTEM : BLOCKS;
	blocks->code_bytes = system ? TCG_BUFFER_BYTES_OF_SYSTEM : TCG_BUFFER_BYTES;
}

int blocks_create(struct blocks *blocks, uc_engine *uc, struct pv_engine *engine, bool stepped, code_hook_fn *block_hook,
		  code_hook_fn *trap_hook)
{
	struct hook_record hook = { 1, 0, (void *)block_hook, NULL };
	struct hook_record traps = { NOWHERE, NOWHERE, (void *)trap_hook, engine };
	uc_hook unused;
	int ret;

	if (stepped) {
		traps.begin = 1;
		traps.end = 0;
	}
	blocks->engine = engine;
	blocks->stepped = stepped;
	blocks->rest_first = blocks->rest_last = NOWHERE;
	blocks->all = aligned_alloc(sizeof(*blocks->all), blocks->most * sizeof(*blocks->all));
	if (!blocks->all)
		return -ENOMEM;
	ret = hook_add(uc, UC_HOOK_BLOCK, hook, &unused, &blocks->hook);
	if (!ret)
		ret = hook_add(uc, UC_HOOK_CODE, traps, &unused, &blocks->traps);
	if (!ret)
		draw(blocks);
	return ret;
}

static void forget(struct blocks *blocks)
{
	for (; blocks->used; blocks->used--) {
		free(blocks->all[blocks->used - 1].offset);
		free(blocks->all[blocks->used - 1].trap);
	}
}

void blocks_destroy(struct blocks *blocks)
{
	forget(blocks);
	free(blocks->all);
}

void blocks_forget(struct blocks *blocks)
{
	forget(blocks);
	draw(blocks);
}

void blocks_slow_locked(struct blocks *blocks)
{
	for (uint32_t i = 0; i < blocks->used; i++)
		if (blocks->all[i].locked)
			blocks->all[i].cost = COST_SLOW;
}

int blocks_take(struct blocks *blocks, const struct block *block, const void *code)
{
	if (block != &blocks->all[blocks->used - 1])
		return -EINVAL;
	if (blocks->used == blocks->most)
		return -EOVERFLOW;
	draw(blocks);
	if (!blocks->code || (uintptr_t)code < blocks->code)
		blocks->code = (uintptr_t)code;
	return 0;
}

/* Translations lie one behind the other, from the first on. */
bool blocks_are_nearly_full(const struct blocks *blocks, const void *code)
{
	return blocks->used >= blocks->most - BLOCKS_RESERVE || (uintptr_t)code - blocks->code > blocks->code_bytes / 4 * 3;
}

/* The next translation comes with traps from here to there, or with those that all come with. */
void blocks_expect(struct blocks *blocks, uint64_t first, uint64_t last)
{
	if (blocks->stepped)
		return;
	blocks->traps->begin = first == NOWHERE ? blocks->rest_first : first;
	blocks->traps->end = first == NOWHERE ? blocks->rest_last : last;
}

/* A block from whose translation traps were missing. */
static void note_retaken(struct blocks *blocks, uint64_t address, uint64_t first, uint64_t last)
{
	struct retaken *retaken = &blocks->retaken[address * HASH >> (64 - RETAKEN_BITS)];
	uint64_t low = first < blocks->rest_first ? first : blocks->rest_first;
	uint64_t high = last > blocks->rest_last ? last : blocks->rest_last;

	if (retaken->address != address)
		*retaken = (struct retaken){ .address = address };
	if (++retaken->times < RETAKEN_OFTEN)
		return;
	*retaken = (struct retaken){ 0 };
	if (blocks->rest_first == NOWHERE || high - low >= REST_BYTES) {
		low = first;
		high = last;
	}
	blocks->rest_first = low;
	blocks->rest_last = high;
}

bool blocks_trap(struct blocks *blocks, const struct block *block, uint64_t first, uint64_t last)
{
	const struct hook_record *traps = blocks->traps;

	if (first == NOWHERE || blocks->stepped || (traps->begin <= first && last <= traps->end)) {
		blocks_expect(blocks, NOWHERE, NOWHERE);
		return true;
	}
	note_retaken(blocks, block->address, first, last);
	blocks_expect(blocks, first, last);
	return false;
}
