/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/count/held.h"

#include <errno.h>

#include "engine/count/cpu.h"
#include "engine/count/freeze.h"
#include "engine/count/hooks.h"
#include "engine/models/breakpoint.h"
#include "engine/models/cache.h"
#include "engine/models/predictor.h"
#include "engine/unicorn/block.h"
#include "engine/unicorn/registers.h"

static void count_traffic(struct cpu *cpu, const struct held *held)
{
	struct cache_traffic traffic = { 0 };
	bool reads = false, writes = false, missed = false;

	for (uint32_t i = 0; i < held->pieces; i++) {
		const struct held_piece *piece = &held->piece[i];
		uint32_t before = traffic.references;

		caches_access(&cpu->hooks.caches, piece->gpa, piece->size, &traffic);
		writes |= piece->write;
		reads |= !piece->write;
		missed |= !piece->write && traffic.references != before;
	}
	count_event(cpu, PV_COUNT_L1D_LOADS, reads);
	count_event(cpu, PV_COUNT_L1D_LOAD_MISSES, missed);
	count_event(cpu, PV_COUNT_L1D_STORES, writes);
	count_event(cpu, PV_COUNT_CACHE_REFERENCES, traffic.references);
	count_event(cpu, PV_COUNT_CACHE_MISSES, traffic.misses);
}

/* As the processor's debug registers: whatever lies there now, and not where the same memory has another address. */
static bool is_touched(struct cpu *cpu, const struct pv_breakpoint *breakpoint, const struct held_piece *piece)
{
	struct address_space space = { cpu->config.ram, cpu->config.ram_size, 0 };

	if (piece->located)
		return breakpoint->address - piece->address < piece->size ||
		       piece->address - breakpoint->address < breakpoint->length;
	if (!breakpoint_may_be_touched(breakpoint, piece->gpa, piece->size))
		return false;
	space.cr3 = reg_get(cpu->uc, UC_X86_REG_CR3);
	return breakpoint_touched(&space, breakpoint, piece->gpa, piece->size);
}

static bool breakpoint_hit(struct cpu *cpu, const struct pv_breakpoint *breakpoint, const struct held *held)
{
	for (uint32_t i = 0; i < held->pieces; i++) {
		const struct held_piece *piece = &held->piece[i];

		if ((breakpoint->type & (piece->write ? PV_BP_W : PV_BP_R)) && is_touched(cpu, breakpoint, piece))
			return true;
	}
	return false;
}

static void accesses_retire(struct cpu *cpu)
{
	struct held *held = &cpu->hooks.held;

	if (!held->pieces)
		return;
	if (cpu->hooks.wanted & HOOKS_CACHES)
		count_traffic(cpu, held);
	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++)
		if (hooks_data_breakpoint(&cpu->hooks, slot) &&
		    breakpoint_hit(cpu, &cpu->hooks.breakpoint[slot], held))
			count_event(cpu, PV_COUNT_BREAKPOINT + slot, 1);
	held->pieces = 0;
}

static void execution_retires(struct cpu *cpu)
{
	struct held *held = &cpu->hooks.held;

	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++)
		count_event(cpu, PV_COUNT_BREAKPOINT + slot, held->executed >> slot & 1);
	held->executed = 0;
}

static void branch_retires(struct cpu *cpu, uint64_t target)
{
	struct held *held = &cpu->hooks.held;

	if (held->branch != BRANCH_NONE)
		count_event(cpu, PV_COUNT_BRANCH_MISSES,
			    predictor_retire(&cpu->hooks.predictor, held->branch, held->branch_rip, held->next, target));
	held->branch = BRANCH_NONE;
}

/* Pieces of one access in one page make one piece: where the page ends, the next may be anywhere. */
static bool continues_piece(const struct held_piece *last, const struct held_piece *next)
{
	return last->write == next->write && last->located == next->located && last->gpa + last->size == next->gpa &&
	       last->address + last->size == next->address && next->gpa % 4096;
}

void held_access(struct cpu *cpu, uint64_t rip, const struct held_piece *access)
{
	struct held *held = &cpu->hooks.held;

	if (count_frozen(&cpu->freeze))
		return;
	if (held->rip != rip)
		accesses_retire(cpu);
	held->rip = rip;
	if (held->pieces && continues_piece(&held->piece[held->pieces - 1], access)) {
		held->piece[held->pieces - 1].size += access->size;
		return;
	}
	if (held->pieces == HELD_PIECES) {
		cpu_fail(cpu, -EOVERFLOW, "the instruction at 0x%llx accesses memory in too many pieces",
			 (unsigned long long)rip);
		return;
	}
	held->piece[held->pieces++] = *access;
}

void held_execute(struct cpu *cpu, uint64_t rip)
{
	struct held *held = &cpu->hooks.held;

	if (count_frozen(&cpu->freeze))
		return;
	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++) {
		if (!hooks_code_breakpoint(&cpu->hooks, slot) || cpu->hooks.breakpoint[slot].address != rip)
			continue;
		if (held->executed_rip != rip)
			execution_retires(cpu);
		held->executed_rip = rip;
		held->executed |= 1u << slot;
	}
}

void held_settle(struct cpu *cpu, uint64_t rip)
{
	struct held *held = &cpu->hooks.held;

	if (held->rip != rip)
		accesses_retire(cpu);
	if (held->executed_rip != rip)
		execution_retires(cpu);
}

/* The rep that the block before ended in has done an iteration; unless that block was left in front of it. */
static bool repeats(const struct block *last, uint64_t rip)
{
	return last && (last->flags & BLOCK_REP) && rip - last->address >= last->last_offset;
}

/* A block inside the one before may be what a store into it left of it (see block_hook.c), which
 * its decoding tells; then its branch has not been reached. */
void held_arrive(struct cpu *cpu, uint64_t rip)
{
	const struct block *last = cpu->count.current;

	if (count_frozen(&cpu->freeze))
		return;
	if (repeats(last, rip))
		accesses_retire(cpu);
	held_settle(cpu, rip);
	if (!last || rip <= last->address || rip - last->address >= last->size)
		branch_retires(cpu, rip);
}

void held_retire(struct cpu *cpu, uint64_t rip)
{
	if (count_frozen(&cpu->freeze))
		return;
	accesses_retire(cpu);
	execution_retires(cpu);
	branch_retires(cpu, rip);
}

void held_begin(struct cpu *cpu, const struct block *block)
{
	struct held *held = &cpu->hooks.held;

	if (count_frozen(&cpu->freeze) || !(cpu->hooks.wanted & HOOKS_BRANCHES))
		return;
	held->branch = block->branch;
	held->block = block->address;
	held->branch_rip = block->address + block->last_offset;
	held->next = block->address + block->size;
}

void held_leave(struct cpu *cpu, uint64_t rip)
{
	struct held *held = &cpu->hooks.held;

	held_settle(cpu, rip);
	held->pieces = 0;
	held->executed = 0;
	if (rip < held->block || rip > held->branch_rip)
		branch_retires(cpu, rip);
	held->branch = BRANCH_NONE;
}
