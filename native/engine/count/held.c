/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/state.h"

#include <errno.h>

static void count_traffic(struct pv_engine *e, const struct held *held)
{
	struct cache_traffic traffic = { 0 };
	bool reads = false, writes = false, missed = false;

	for (uint32_t i = 0; i < held->pieces; i++) {
		const struct held_piece *piece = &held->piece[i];
		uint32_t before = traffic.references;

		caches_access(&e->hooks.caches, piece->gpa, piece->size, &traffic);
		writes |= piece->write;
		reads |= !piece->write;
		missed |= !piece->write && traffic.references != before;
	}
	count_event(e, PV_COUNT_L1D_LOADS, reads);
	count_event(e, PV_COUNT_L1D_LOAD_MISSES, missed);
	count_event(e, PV_COUNT_L1D_STORES, writes);
	count_event(e, PV_COUNT_CACHE_REFERENCES, traffic.references);
	count_event(e, PV_COUNT_CACHE_MISSES, traffic.misses);
}

/* As the processor's debug registers: whatever lies there now, and not where the same memory has another address. */
static bool is_touched(struct pv_engine *e, const struct pv_breakpoint *breakpoint, const struct held_piece *piece)
{
	struct address_space space = { e->config.ram, e->config.ram_size, 0 };

	if (piece->located)
		return breakpoint->address - piece->address < piece->size ||
		       piece->address - breakpoint->address < breakpoint->length;
	if (!breakpoint_may_be_touched(breakpoint, piece->gpa, piece->size))
		return false;
	space.cr3 = reg_get(e, UC_X86_REG_CR3);
	return breakpoint_touched(&space, breakpoint, piece->gpa, piece->size);
}

static bool breakpoint_hit(struct pv_engine *e, const struct pv_breakpoint *breakpoint, const struct held *held)
{
	for (uint32_t i = 0; i < held->pieces; i++) {
		const struct held_piece *piece = &held->piece[i];

		if ((breakpoint->type & (piece->write ? PV_BP_W : PV_BP_R)) && is_touched(e, breakpoint, piece))
			return true;
	}
	return false;
}

static void accesses_retire(struct pv_engine *e)
{
	struct held *held = &e->hooks.held;

	if (!held->pieces)
		return;
	if (e->hooks.wanted & HOOKS_CACHES)
		count_traffic(e, held);
	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++)
		if (hooks_data_breakpoint(&e->hooks, slot) &&
		    breakpoint_hit(e, &e->hooks.breakpoint[slot], held))
			count_event(e, PV_COUNT_BREAKPOINT + slot, 1);
	held->pieces = 0;
}

static void execution_retires(struct pv_engine *e)
{
	struct held *held = &e->hooks.held;

	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++)
		count_event(e, PV_COUNT_BREAKPOINT + slot, held->executed >> slot & 1);
	held->executed = 0;
}

static void branch_retires(struct pv_engine *e, uint64_t target)
{
	struct held *held = &e->hooks.held;

	if (held->branch != BRANCH_NONE)
		count_event(e, PV_COUNT_BRANCH_MISSES,
			    predictor_retire(&e->hooks.predictor, held->branch, held->branch_rip, held->next, target));
	held->branch = BRANCH_NONE;
}

/* Pieces of one access in one page make one piece: where the page ends, the next may be anywhere. */
static bool continues_piece(const struct held_piece *last, const struct held_piece *next)
{
	return last->write == next->write && last->located == next->located && last->gpa + last->size == next->gpa &&
	       last->address + last->size == next->address && next->gpa % 4096;
}

void held_access(struct pv_engine *e, uint64_t rip, const struct held_piece *access)
{
	struct held *held = &e->hooks.held;

	if (count_frozen(e))
		return;
	if (held->rip != rip)
		accesses_retire(e);
	held->rip = rip;
	if (held->pieces && continues_piece(&held->piece[held->pieces - 1], access)) {
		held->piece[held->pieces - 1].size += access->size;
		return;
	}
	if (held->pieces == HELD_PIECES) {
		vmexit_fail(e, -EOVERFLOW, "the instruction at 0x%llx accesses memory in too many pieces",
			    (unsigned long long)rip);
		return;
	}
	held->piece[held->pieces++] = *access;
}

void held_execute(struct pv_engine *e, uint64_t rip)
{
	struct held *held = &e->hooks.held;

	if (count_frozen(e))
		return;
	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++) {
		if (!hooks_code_breakpoint(&e->hooks, slot) || e->hooks.breakpoint[slot].address != rip)
			continue;
		if (held->executed_rip != rip)
			execution_retires(e);
		held->executed_rip = rip;
		held->executed |= 1u << slot;
	}
}

void held_settle(struct pv_engine *e, uint64_t rip)
{
	struct held *held = &e->hooks.held;

	if (held->rip != rip)
		accesses_retire(e);
	if (held->executed_rip != rip)
		execution_retires(e);
}

/* The rep that the block before ended in has done an iteration; unless that block was left in front of it. */
static bool repeats(const struct block *last, uint64_t rip)
{
	return last && (last->flags & BLOCK_REP) && rip - last->address >= last->last_offset;
}

/* A block inside the one before may be what a store into it left of it (see count.c), which
 * its decoding tells; then its branch has not been reached. */
void held_arrive(struct pv_engine *e, uint64_t rip)
{
	if (count_frozen(e))
		return;
	if (repeats(e->current, rip))
		accesses_retire(e);
	held_settle(e, rip);
	if (!e->current || rip <= e->current->address || rip - e->current->address >= e->current->size)
		branch_retires(e, rip);
}

void held_retire(struct pv_engine *e, uint64_t rip)
{
	if (count_frozen(e))
		return;
	accesses_retire(e);
	execution_retires(e);
	branch_retires(e, rip);
}

void held_begin(struct pv_engine *e, const struct block *block)
{
	struct held *held = &e->hooks.held;

	if (count_frozen(e) || !(e->hooks.wanted & HOOKS_BRANCHES))
		return;
	held->branch = block->branch;
	held->block = block->address;
	held->branch_rip = block->address + block->last_offset;
	held->next = block->address + block->size;
}

void held_leave(struct pv_engine *e, uint64_t rip)
{
	struct held *held = &e->hooks.held;

	held_settle(e, rip);
	held->pieces = 0;
	held->executed = 0;
	if (rip < held->block || rip > held->branch_rip)
		branch_retires(e, rip);
	held->branch = BRANCH_NONE;
}
