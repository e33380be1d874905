/* SPDX-License-Identifier: GPL-2.0-only */
/* Exact counting at block cost: see state.h for the idea. */
#include "engine/run/state.h"

#include <errno.h>
#include <sched.h>
#include <x86intrin.h>

/* How far to go until the next look: at the doorbell, an alarm, or what was asked for. */
static void choose_chunk(struct pv_engine *e)
{
	int64_t most = e->unlooked < CHUNK_INSTRUCTIONS ? CHUNK_INSTRUCTIONS - e->unlooked : 0;

	e->chunk = alarm_chunk(e, most);
	if (e->attend)
		e->chunk = 0;
	e->budget = e->chunk << INSTRUCTION_SHIFT;
}

/* Locked operations retired, or were taken back. */
static void add_locked(struct pv_engine *e, uint64_t n)
{
	e->config.run->locked_ops += n;
	if (!e->config.page->cycles_tsc)
		e->total[PV_COUNT_CYCLES][e->cpl] += n * PV_CYCLES_LOCKED_OP;
}

/* The sum of what was charged since the last fold goes to the totals of this CPL. */
void count_fold(struct pv_engine *e)
{
	uint64_t now = __rdtsc(), passed = now > e->tsc_start ? now - e->tsc_start : 0; /* another core's may be behind */
	int64_t charged = e->chunk - (e->budget >> INSTRUCTION_SHIFT);
	uint64_t beside = (uint64_t)e->budget & ((1ull << INSTRUCTION_SHIFT) - 1);

	e->total[PV_COUNT_INSTRUCTIONS][e->cpl] += (uint64_t)charged;
	e->total[PV_COUNT_BRANCHES][e->cpl] += beside & ((1u << BRANCH_BITS) - 1);
	add_locked(e, beside >> BRANCH_BITS);
	e->total[PV_COUNT_GUEST_TSC][e->cpl] += passed;
	if (e->config.page->cycles_tsc)
		e->total[PV_COUNT_CYCLES][e->cpl] += passed;
	e->tsc_start = now;
	e->unlooked += charged;
	choose_chunk(e);
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
	if (e->config.page->cycles_tsc)
		return;
	e->total[PV_COUNT_CYCLES][e->cpl] += cycles;
	if (unlikely(alarm_is_armed(e, PV_COUNT_CYCLES)))
		count_attend(e, ATTEND_ALARM);
}

void count_enter_cpl(struct pv_engine *e, unsigned cpl)
{
	if (cpl == e->cpl)
		return;
	count_fold(e);
	e->cpl = cpl;
	choose_chunk(e); /* other alarms are near */
}

/* What Unicorn is about to execute, and where its translation lies. */
struct arrival {
	uint64_t address;
	uint32_t size;
	const void *code;
};

static int64_t block_cost(const struct block *block)
{
	return ((int64_t)block->instructions << INSTRUCTION_SHIFT) - ((int64_t)block->locked << BRANCH_BITS) -
	       block->last_is_branch;
}

/* How many of the block's charged instructions, and what among them, lie at or behind `rip`. */
static struct charged charged_from(const struct block *block, uint64_t rip)
{
	uint64_t at = rip - block->address;
	struct charged ret = { 0 };

	if (at >= block->size)
		return ret;
	for (unsigned k = block->instructions; k && (block->offset[k - 1] & ~(unsigned)OFFSET_LOCKED) >= at; k--) {
		ret.instructions++;
		ret.locked += !!(block->offset[k - 1] & OFFSET_LOCKED);
	}
	ret.branches = ret.instructions && block->last_is_branch;
	return ret;
}

struct charged count_ahead(const struct pv_engine *e, uint64_t rip)
{
	return e->current ? charged_from(e->current, rip) : (struct charged){ 0 };
}

uint64_t count_value(const struct pv_engine *e, unsigned counter, unsigned cpl, const struct charged *ahead)
{
	bool of_model = counter == PV_COUNT_CYCLES && !e->config.page->cycles_tsc;
	uint64_t value = e->total[counter][cpl];

	if (of_model)
		value += e->total[PV_COUNT_INSTRUCTIONS][cpl];
	if (cpl == e->cpl && (of_model || counter == PV_COUNT_INSTRUCTIONS))
		value -= ahead->instructions;
	if (cpl == e->cpl && of_model)
		value -= ahead->locked * PV_CYCLES_LOCKED_OP;
	if (cpl == e->cpl && counter == PV_COUNT_BRANCHES)
		value -= ahead->branches;
	return value;
}

/* Where the current block was left: did its last instruction execute? An iret that faults
 * lets NMIs through all the same (SDM vol. 3, 6.7.1). */
static void leave_last(struct pv_engine *e, uint64_t rip)
{
	const struct block *block = e->current;

	e->attend &= ~(uint32_t)ATTEND_UNKNOWN; /* those bytes were not reached */
	if (block && rip - block->address < block->last_offset)
		e->attend &= ~(uint32_t)ATTEND_IRET;
}

/* From the totals, not from the budget: the charge may have been folded since. */
void count_leave_block(struct pv_engine *e, uint64_t rip)
{
	struct charged ahead = count_ahead(e, rip);

	leave_last(e, rip);
	if (e->hooks.wanted)
		held_leave(e, rip);
	if (!e->current)
		return;
	count_fold(e);
	e->total[PV_COUNT_INSTRUCTIONS][e->cpl] -= ahead.instructions;
	e->total[PV_COUNT_BRANCHES][e->cpl] -= ahead.branches;
	add_locked(e, -ahead.locked);
	e->current = NULL;
}

/* An int n that was taken as retired has faulted: the fault will point at it. */
void count_take_back_branch(struct pv_engine *e, unsigned cpl)
{
	e->total[PV_COUNT_INSTRUCTIONS][cpl]--;
	e->total[PV_COUNT_BRANCHES][cpl]--;
}

static void publish(struct pv_engine *e, unsigned counter, const struct charged *ahead)
{
	for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
		e->config.run->count[counter][cpl] = count_value(e, counter, cpl, ahead);
}

void count_publish_all(struct pv_engine *e)
{
	static const struct charged none = { 0 };

	for (unsigned counter = 0; counter < PV_COUNTS; counter++)
		publish(e, counter, &none);
}

void count_publish(struct pv_engine *e, uint64_t rip)
{
	struct pv_run *run = e->config.run;
	struct charged ahead = count_ahead(e, rip);

	count_fold(e);
	if (e->hooks.wanted)
		held_settle(e, rip);
	publish(e, PV_COUNT_GUEST_TSC, &ahead);
	if (!count_frozen(e)) {
		for (unsigned counter = 0; counter < PV_COUNTS_AT_EXIT; counter++)
			publish(e, counter, &ahead);
		for (uint32_t wanted = run->wanted; wanted; wanted &= wanted - 1)
			publish(e, (unsigned)__builtin_ctz(wanted), &ahead);
	}
	run->cpl = e->cpl;
	run->rip = rip;
}

/* False: the guest has left 64-bit mode, in which alone its code can be decoded. */
static bool look_at_ring(struct pv_engine *e)
{
	uint32_t cs = (uint32_t)reg_get(e, UC_X86_REG_CS);

	count_enter_cpl(e, cs & 3 ? PV_CPL_USER : PV_CPL_KERNEL);
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

	if (what & (ATTEND_RING | ATTEND_SPACE)) /* iret, mov to cr3 and the like serialise */
		__builtin_ia32_mfence();
	e->attend &= ATTEND_BOUNDARY;
	count_fold(e);
	if ((what & ATTEND_RING) && !look_at_ring(e))
		return false;
	if (what & ATTEND_SPACE)
		parallel_look(e);
	if ((what & ATTEND_UNKNOWN) && !is_inside(e->current, address)) {
		vmexit_fail(e, -EOPNOTSUPP, "executed bytes before 0x%llx that could not be decoded",
			    (unsigned long long)address);
		return false;
	}
	return true;
}

/* Has the block before ended in a call of that call? Then its return address is on the stack. */
static bool calls_itself(struct pv_engine *e, const struct block *block)
{
	const struct block *last = e->current;
	uint64_t back;

	return last->last_is_branch && block->address == last->address + last->last_offset &&
	       uc_vmem_read(e->uc, reg_get(e, UC_X86_REG_RSP), UC_PROT_READ, &back, sizeof(back)) == UC_ERR_OK &&
	       back == last->address + last->size;
}

/*
 * A store into its own block makes Unicorn give the block up before that store,
 * run the store alone, and translate the rest anew. Nothing announces it, but no
 * other block is a lone store that lies inside the block before it, and was not called.
 */
static void leave_rewritten_block(struct pv_engine *e, const struct block *block)
{
	if (is_inside(e->current, block->address) && e->current->instructions > 1 && !calls_itself(e, block))
		count_leave_block(e, block->address);
}

/* Another iteration of the rep that the block before ended in: it was counted on
 * its first. Only the doorbell is looked at now and then. */
static void continue_rep(struct pv_engine *e, struct block *block)
{
	e->current = block;
	if (++e->rep_iterations % REP_DOORBELL == 0 && handover_doorbell(e->config.run))
		boundary_attend(e, block->address, true);
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
	if ((block->flags & BLOCK_IRET) && e->nmi.in_service)
		what |= ATTEND_IRET;
	if (what)
		count_attend(e, what);
	if ((block->flags & BLOCK_PAUSE) && ++e->pauses % PAUSES_TO_YIELD == 0)
		sched_yield();
}

/* A guest that polls must not keep the others of its core from running, nor the
 * host from getting it out: the doorbell is looked at when the budget is spent. */
static void spent(struct pv_engine *e, uint64_t address)
{
	e->unlooked = 0;
	count_fold(e);
	if (handover_doorbell(e->config.run))
		boundary_attend(e, address, true);
}

/* For the first time. False: it will not be executed as it is translated now. Blocks that begin behind its first
 * byte are kept. */
static bool take(struct pv_engine *e, struct block *block, const struct arrival *at)
{
	if (!blocks_take(e, block, at->code) || !decode_block(e, block, at->address, at->size))
		return false;
	if (blocks_trap(e, block))
		return true;
	block->flags |= BLOCK_DROPPED;
	uc_ctl_remove_cache(e->uc, at->address, at->address + 1);
	rip_set_in_block(e, at->address);
	return false;
}

/* What was found out about this block when it was taken holds for what is executed now. */
static bool is_itself(struct pv_engine *e, const struct block *block, const struct arrival *at)
{
	bool ok = block->address == at->address && block->size == at->size && !(block->flags & BLOCK_DROPPED);

	if (!ok)
		vmexit_fail(e, -EINVAL, "the block at 0x%llx is not the one that was decoded, at 0x%llx",
			    (unsigned long long)at->address, (unsigned long long)block->address);
	return ok;
}

/* With all that may have to be done between two blocks. */
static void begin_block(struct pv_engine *e, struct block *block, const struct arrival *at)
{
	uint64_t address = at->address;
	bool looks, again;

	if (e->hooks.wanted)
		held_arrive(e, address);
	looks = e->attend;
	if (looks && !attend(e, address))
		return;
	if (!(block->size ? is_itself(e, block, at) : take(e, block, at)))
		return;
	again = continues_rep(e, block);
	if (block->flags & BLOCK_LONE_STORE)
		leave_rewritten_block(e, block);
	if (!again) { /* the one before has retired */
		e->current = NULL;
		if (e->hooks.wanted)
			held_retire(e, address);
		looks |= e->attend != 0;
	}
	if (looks && !boundary_attend(e, address, true))
		return;
	if (again) {
		continue_rep(e, block);
		return;
	}
	if (e->hooks.wanted)
		held_begin(e, block);
	e->budget -= block_cost(block);
	e->current = block;
	if (block->locked && alarm_is_armed(e, PV_COUNT_CYCLES))
		count_attend(e, ATTEND_ALARM); /* as a penalty does */
	if (block->flags)
		announce(e, block);
	else if (!e->hooks.wanted && !(block->locked && e->cycles_watched)) /* held_begin() must see every block */
		block->cost = block_cost(block);
	if (e->budget < 0)
		spent(e, address);
}

/* The budget is spent, something wants a look, or the block does not take the fast path. */
static __attribute__((noinline, cold)) void block_slow(struct pv_engine *e, struct block *block,
						       const struct arrival *at)
{
	if (e->attend || block->cost == COST_SLOW) {
		begin_block(e, block, at);
	} else if (is_itself(e, block, at)) {
		e->budget -= block->cost;
		e->current = block;
		spent(e, at->address);
	}
}

/* Before every block. */
void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	struct block *block = data;
	struct pv_engine *e = block->engine;
	int64_t left = e->budget - block->cost;

	(void)uc;
	if (unlikely(left < 0)) {
		struct arrival at = { address, size, __builtin_return_address(0) };

		block_slow(e, block, &at);
		return;
	}
	e->budget = left;
	e->current = block;
}
