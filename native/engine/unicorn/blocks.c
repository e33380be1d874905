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
 * that count.c would not notice.
 *
 * With an oracle, whose hook makes two of that kind, the bounds are looked at as the code
 * is executed: they hold everything then.
 */
#include "engine/run/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH 0x9e3779b97f4a7c15ull /* code is aligned: its lowest bits tell little */

/* Adds one, and finds where Unicorn keeps it: in what a uc_hook points to. */
static int hook_add(struct pv_engine *e, int type, struct hook_record record, uc_hook *hook, struct hook_record **ret)
{
	enum { WORDS = 8 };

	if (uc_hook_add(e->uc, hook, type, record.callback, record.data, record.begin, record.end))
		return -ENOMEM;
	for (unsigned i = 0; i + sizeof(record) / sizeof(uint64_t) <= WORDS; i++) {
		*ret = (struct hook_record *)((uint64_t *)*hook + i);
		if (!memcmp(*ret, &record, sizeof(record)))
			return 0;
	}
	return -EOPNOTSUPP;
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
static int probe_run(struct pv_engine *e, struct probe *probe, uint64_t address)
{
	static const uint8_t code[] = { 0x90, 0xeb, 0x00, 0xf4 }; /* nop; jmp .+2; hlt */
	const struct probed *expected[] = {
		&probe->first, &probe->instruction, &probe->others,
		&probe->first, &probe->instruction, &probe->others,
	};

	if (uc_mem_write(e->uc, address, code, sizeof(code)) || uc_emu_start(e->uc, address, 0, 0, 0) ||
	    uc_emu_start(e->uc, address, 0, 0, 0))
		return -EOPNOTSUPP;
	return probe->calls == 6 && !memcmp(expected, probe->seen, sizeof(expected)) ? 0 : -EOPNOTSUPP;
}

int blocks_calibrate(struct pv_engine *e, uint64_t page)
{
	struct probe probe = { .first.probe = &probe, .others.probe = &probe, .instruction.probe = &probe };
	struct hook_record block = { 1, 0, (void *)on_probed, &probe.first };
	struct hook_record instruction = { page + 1, page + 1, (void *)on_probed, &probe.instruction }; /* the jmp */
	uc_hook hook[2];
	int ret;

	ret = hook_add(e, UC_HOOK_BLOCK, block, &hook[0], &probe.hook);
	if (!ret)
		ret = hook_add(e, UC_HOOK_CODE, instruction, &hook[1], &probe.traps);
	if (!ret)
		ret = probe_run(e, &probe, page);
	return !ret && (uc_hook_del(e->uc, hook[0]) || uc_hook_del(e->uc, hook[1])) ? -ENOMEM : ret;
}

/* One that waits for the next translation. */
static void draw(struct pv_engine *e)
{
	struct blocks *blocks = &e->blocks;
	struct block *block = &blocks->all[blocks->used++];

	*block = (struct block){ .cost = COST_SLOW, .engine = e };
	blocks->hook->data = block;
}

int blocks_create(struct pv_engine *e)
{
	struct blocks *blocks = &e->blocks;
	struct hook_record hook = { 1, 0, (void *)on_block, NULL };
	struct hook_record traps = { NOWHERE, NOWHERE, (void *)on_trap, e };
	uc_hook unused;
	int ret;

	if (e->config.oracle) {
		traps.begin = 1;
		traps.end = 0;
	}
	blocks->rest_first = blocks->rest_last = NOWHERE;
	blocks->all = aligned_alloc(sizeof(*blocks->all), BLOCKS * sizeof(*blocks->all));
	if (!blocks->all)
		return -ENOMEM;
	ret = hook_add(e, UC_HOOK_BLOCK, hook, &unused, &blocks->hook);
	if (!ret)
		ret = hook_add(e, UC_HOOK_CODE, traps, &unused, &blocks->traps);
	if (!ret)
		draw(e);
	return ret;
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

void blocks_slow_locked(struct pv_engine *e)
{
	struct blocks *blocks = &e->blocks;

	for (uint32_t i = 0; i < blocks->used; i++)
		if (blocks->all[i].locked)
			blocks->all[i].cost = COST_SLOW;
}

/* Translations lie one behind the other, from the first on. */
static bool is_nearly_full(struct blocks *blocks, uintptr_t code)
{
	if (!blocks->code || code < blocks->code)
		blocks->code = code;
	return blocks->used >= BLOCKS - BLOCKS_RESERVE || code - blocks->code > TCG_BUFFER_BYTES / 4 * 3;
}

bool blocks_take(struct pv_engine *e, const struct block *block, const void *code)
{
	struct blocks *blocks = &e->blocks;

	if (block != &blocks->all[blocks->used - 1]) {
		vmexit_fail(e, -EINVAL, "two translations have one block");
		return false;
	}
	if (blocks->used == BLOCKS) {
		vmexit_fail(e, -EOVERFLOW, "%u blocks were translated, and could not be dropped", BLOCKS);
		return false;
	}
	draw(e);
	if (is_nearly_full(blocks, (uintptr_t)code))
		count_attend(e, ATTEND_FLUSH);
	return true;
}

/* The next translation comes with traps from here to there, or with those that all come with. */
static void hook_from(struct pv_engine *e, uint64_t first, uint64_t last)
{
	struct blocks *blocks = &e->blocks;

	if (e->config.oracle)
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

bool blocks_trap(struct pv_engine *e, const struct block *block)
{
	const struct hook_record *traps = e->blocks.traps;
	uint64_t first, last;

	if (!block->traps || e->config.oracle) {
		hook_from(e, NOWHERE, NOWHERE);
		return true;
	}
	first = block->trap[0].address;
	last = block->trap[block->traps - 1].address;
	if (traps->begin <= first && last <= traps->end) {
		hook_from(e, NOWHERE, NOWHERE);
		return true;
	}
	note_retaken(&e->blocks, block->address, first, last);
	hook_from(e, first, last);
	return false;
}

void blocks_expect(struct pv_engine *e, const struct trap *trap)
{
	hook_from(e, trap->next_first, trap->next_last);
}
