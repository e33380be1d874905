/* SPDX-License-Identifier: GPL-2.0-only */
/* Exact counting at block cost: see state.h for the idea. */
#include "state.h"

#include <errno.h>
#include <sched.h>
#include <x86intrin.h>

/* The sum of what was charged since the last fold goes to the totals of this CPL. */
void count_fold(struct pv_engine *e)
{
	uint64_t now = __rdtsc();

	e->total[PV_COUNT_INSTRUCTIONS][e->cpl] += (uint64_t)(e->chunk - (e->budget >> BRANCH_BITS));
	e->total[PV_COUNT_BRANCHES][e->cpl] += (uint64_t)e->budget & ((1u << BRANCH_BITS) - 1);
	e->total[PV_COUNT_GUEST_TSC][e->cpl] += now - e->tsc_start;
	e->tsc_start = now;
	e->chunk = e->attend ? 0 : CHUNK_INSTRUCTIONS;
	e->budget = e->chunk << BRANCH_BITS;
}

/* Asks for a look before the next block is charged: with nothing left in the
 * budget, the next charge goes below zero. */
void count_attend(struct pv_engine *e, uint32_t what)
{
	e->attend |= what;
	count_fold(e);
}

void count_penalty(struct pv_engine *e, uint64_t cycles)
{
	e->penalty_cycles[e->cpl] += cycles;
}

static void charge(struct pv_engine *e, int64_t cost)
{
	e->budget -= cost;
}

/* How many of the block's charged instructions, and branches among them, lie at or behind `rip`. */
static void charged_from(const struct block *block, uint64_t rip, uint64_t *instructions, uint64_t *branches)
{
	uint64_t at = rip - block->address;
	unsigned k = 0;

	*instructions = *branches = 0;
	if (at >= block->size)
		return;
	while (k < block->instructions && block->offset[k] < at)
		k++;
	*instructions = block->instructions - k;
	*branches = *instructions && block->last_is_branch;
}

/* From the totals, not from the budget: the charge may have been folded since. */
void count_leave_block(struct pv_engine *e, uint64_t rip)
{
	uint64_t instructions, branches;

	e->attend &= ~(uint32_t)ATTEND_UNKNOWN; /* those bytes were not reached */
	if (e->hooks.wanted)
		held_leave(e, rip);
	if (!e->current)
		return;
	charged_from(e->current, rip, &instructions, &branches);
	count_fold(e);
	e->total[PV_COUNT_INSTRUCTIONS][e->cpl] -= instructions;
	e->total[PV_COUNT_BRANCHES][e->cpl] -= branches;
	e->current = NULL;
}

/* An int n that was taken as retired has faulted: the fault will point at it. */
void count_take_back_branch(struct pv_engine *e, unsigned cpl)
{
	e->total[PV_COUNT_INSTRUCTIONS][cpl]--;
	e->total[PV_COUNT_BRANCHES][cpl]--;
	if (e->config.oracle) {
		e->oracle.count[PV_COUNT_INSTRUCTIONS][cpl]--;
		e->oracle.count[PV_COUNT_BRANCHES][cpl]--;
	}
}

void count_publish(struct pv_engine *e, uint64_t rip)
{
	struct pv_run *run = e->config.run;
	uint64_t ahead[2] = { 0, 0 };

	count_fold(e);
	if (e->hooks.wanted)
		held_settle(e, rip);
	if (e->current)
		charged_from(e->current, rip, &ahead[0], &ahead[1]);
	for (unsigned cpl = 0; cpl < PV_CPLS; cpl++) {
		uint64_t instructions = e->total[PV_COUNT_INSTRUCTIONS][cpl];
		uint64_t branches = e->total[PV_COUNT_BRANCHES][cpl];

		if (cpl == e->cpl) {
			instructions -= ahead[0];
			branches -= ahead[1];
		}
		run->count[PV_COUNT_INSTRUCTIONS][cpl] = instructions;
		run->count[PV_COUNT_BRANCHES][cpl] = branches;
		run->count[PV_COUNT_GUEST_TSC][cpl] = e->total[PV_COUNT_GUEST_TSC][cpl];
		run->count[PV_COUNT_CYCLES][cpl] = e->config.page->cycles_tsc ?
			e->total[PV_COUNT_GUEST_TSC][cpl] : instructions + e->penalty_cycles[cpl];
		for (unsigned c = PV_COUNTS_AT_EXIT; c < PV_COUNTS; c++)
			run->count[c][cpl] = e->total[c][cpl];
	}
	run->cpl = e->cpl;
	run->rip = rip;
}

/* False: the guest has left 64-bit mode, in which alone its code can be decoded. */
static bool look_at_ring(struct pv_engine *e)
{
	uint32_t cs = (uint32_t)reg_get(e, UC_X86_REG_CS);

	e->cpl = cs & 3 ? PV_CPL_USER : PV_CPL_KERNEL;
	if (cs == e->known_cs[e->cpl])
		return true;
	if (!hidden_is_64bit(e)) {
		vmexit_fail(e, -EOPNOTSUPP, "the guest runs 32-bit code (CS 0x%x), which is not supported", cs);
		return false;
	}
	e->known_cs[e->cpl] = cs;
	return true;
}

static bool is_inside(const struct block *block, uint64_t address)
{
	return block && address - block->address < block->size;
}

/*
 * Attends to what was asked for, with everything before this block folded and
 * nothing of it charged. False: the block will not be executed now.
 */
static bool attend(struct pv_engine *e, uint64_t address)
{
	uint32_t what = e->attend;

	e->attend = 0;
	count_fold(e);
	if ((what & ATTEND_RING) && !look_at_ring(e))
		return false;
	if (what & ATTEND_SPACE)
		decode_forget_all(e);
	if ((what & ATTEND_UNKNOWN) && !is_inside(e->current, address)) {
		vmexit_fail(e, -1, "executed bytes before 0x%llx that could not be decoded",
			    (unsigned long long)address);
		return false;
	}
	if (what & ATTEND_ENTRY) {
		vmexit_late_entry(e);
		return false;
	}
	if (what & ATTEND_FLUSH) {
		e->flush = true;
		hooks_remove(e);
		e->current = NULL;
		uc_emu_stop(e->uc);
		return false;
	}
	return true;
}

/*
 * A store into its own block makes Unicorn give the block up before that store,
 * run the store alone, and translate the rest anew. Nothing announces it, but no
 * other block is a lone store that lies inside the block before it.
 */
static void leave_rewritten_block(struct pv_engine *e, const struct block *block)
{
	if (is_inside(e->current, block->address) && e->current->instructions > 1)
		count_leave_block(e, block->address);
}

/* Another iteration of the rep that the block before ended in: it was counted on
 * its first. Only the doorbell is looked at now and then. */
static void continue_rep(struct pv_engine *e, struct block *block)
{
	e->current = block;
	if (++e->rep_iterations % REP_DOORBELL == 0 && handover_doorbell(e->config.run))
		vmexit_kick(e, block->address, true);
}

static bool continues_rep(const struct pv_engine *e, const struct block *block)
{
	const struct block *last = e->current;

	return last && (last->flags & BLOCK_REP) && (block->flags & BLOCK_REP) &&
	       block->instructions == 1 && block->address == last->address + last->last_offset;
}

/* The ways in which this block asks for a look at what follows it. */
static void announce(struct pv_engine *e, const struct block *block)
{
	uint32_t what = 0;

	if (block->flags & BLOCK_RING)
		what |= ATTEND_RING;
	if (block->flags & BLOCK_SPACE)
		what |= ATTEND_SPACE;
	if (block->flags & BLOCK_UNKNOWN)
		what |= ATTEND_UNKNOWN;
	if (what)
		count_attend(e, what);
	if ((block->flags & BLOCK_PAUSE) && ++e->pauses % PAUSES_TO_YIELD == 0)
		sched_yield();
}

/* A guest that polls must not keep the others of its core from running, nor the
 * host from getting it out: the doorbell is looked at when the budget is spent. */
static void spent(struct pv_engine *e, uint64_t address)
{
	count_fold(e);
	if (handover_doorbell(e->config.run))
		vmexit_kick(e, address, true);
}

static __attribute__((noinline, cold)) void block_slow(struct pv_engine *e, uint64_t address, uint32_t size)
{
	struct slot *slot = &e->slots[address % BLOCK_SLOTS];
	struct block *block;
	bool retranslate;

	if (e->hooks.wanted)
		held_arrive(e, address);
	if (e->attend && !attend(e, address))
		return;
	block = decode_block(e, address, size, &retranslate);
	if (!block)
		return;
	if (retranslate) {
		/* Traps were set in it: it must not run as it is translated now. */
		uc_ctl_remove_cache(e->uc, address, address + size);
		rip_set_in_block(e, address);
		return;
	}
	if (continues_rep(e, block)) {
		continue_rep(e, block);
		return;
	}
	if (block->flags & BLOCK_LONE_STORE)
		leave_rewritten_block(e, block);
	if (e->hooks.wanted)
		held_begin(e, block);
	charge(e, block->cost);
	e->current = block;
	if (block->flags)
		announce(e, block);
	else if (!e->hooks.wanted) /* held_begin() must see every block */
		*slot = (struct slot){ .address = address, .size = size, .cost = block->cost, .block = block };
	if (e->budget < 0)
		spent(e, address);
}

/* The fast path went below zero: the budget is spent, or something wants a look. */
static __attribute__((noinline, cold)) void block_below_zero(struct pv_engine *e, const struct slot *slot,
							      uint32_t size)
{
	uint64_t address = slot->address;

	if (!e->attend) {
		spent(e, address);
		return;
	}
	e->budget += slot->cost;
	e->current = NULL;
	block_slow(e, address, size);
}

/* Before every block. */
void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	struct pv_engine *e = data;
	struct slot *slot = &e->slots[address % BLOCK_SLOTS];

	(void)uc;
	if (unlikely(slot->address != address || slot->size != size)) {
		block_slow(e, address, size);
		return;
	}
	e->current = slot->block;
	e->budget -= slot->cost;
	if (unlikely(e->budget < 0))
		block_below_zero(e, slot, size);
}

/* A block was translated: what was decoded at its address may be stale. */
void on_edge(uc_engine *uc, uc_tb *block, uc_tb *previous, void *data)
{
	(void)uc;
	(void)previous;
	decode_forget(data, block->pc);
}
