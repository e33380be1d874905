/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/count/count.h"

#include <x86intrin.h>

#include "engine/count/alarm.h"
#include "engine/count/cpu.h"
#include "engine/count/freeze.h"
#include "engine/count/held.h"
#include "engine/unicorn/block.h"
#include "engine/unicorn/hidden.h"

/* How far to go until the next look: at the doorbell, an alarm, or what was asked for. */
static void choose_chunk(struct cpu *cpu)
{
	struct count *count = &cpu->count;
	int64_t most = count->unlooked < CHUNK_INSTRUCTIONS ? CHUNK_INSTRUCTIONS - count->unlooked : 0;

	count->chunk = alarm_chunk(cpu, most);
	if (count->attend)
		count->chunk = 0;
	count->budget = count->chunk << INSTRUCTION_SHIFT;
}

/* Locked operations retired, or were taken back. */
static void add_locked(struct cpu *cpu, uint64_t n)
{
	cpu->config.run->locked_ops += n;
	if (!cpu->config.page->cycles_tsc)
		cpu->count.total[PV_COUNT_CYCLES][cpu->count.cpl] += n * PV_CYCLES_LOCKED_OP;
}

/* The sum of what was charged since the last fold goes to the totals of this CPL. */
void count_fold(struct cpu *cpu)
{
	struct count *count = &cpu->count;
	uint64_t now = __rdtsc(), passed = now > count->tsc_start ? now - count->tsc_start : 0; /* another core's may be behind */
	int64_t charged = count->chunk - (count->budget >> INSTRUCTION_SHIFT);
	uint64_t beside = (uint64_t)count->budget & ((1ull << INSTRUCTION_SHIFT) - 1);

	count->total[PV_COUNT_INSTRUCTIONS][count->cpl] += (uint64_t)charged;
	count->total[PV_COUNT_BRANCHES][count->cpl] += beside & ((1u << BRANCH_BITS) - 1);
	add_locked(cpu, beside >> BRANCH_BITS);
	count->total[PV_COUNT_GUEST_TSC][count->cpl] += passed;
	if (cpu->config.page->cycles_tsc)
		count->total[PV_COUNT_CYCLES][count->cpl] += passed;
	count->tsc_start = now;
	count->unlooked += charged;
	choose_chunk(cpu);
}

uint64_t count_elapsed(const struct cpu *cpu)
{
	const uint64_t *total = cpu->count.total[PV_COUNT_INSTRUCTIONS];

	return total[PV_CPL_KERNEL] + total[PV_CPL_USER] + cpu->count.discarded;
}

/* Asks for a look before the next block is charged: with nothing left in the
 * budget, the next charge goes below zero. */
void count_attend(struct cpu *cpu, uint32_t what)
{
	cpu->count.attend |= what;
	count_fold(cpu);
}

void count_penalty(struct cpu *cpu, uint64_t cycles)
{
	if (cpu->config.page->cycles_tsc)
		return;
	cpu->count.total[PV_COUNT_CYCLES][cpu->count.cpl] += cycles;
	if (unlikely(alarm_is_armed(cpu->config.run, PV_COUNT_CYCLES)))
		count_attend(cpu, ATTEND_ALARM);
}

void count_enter_cpl(struct cpu *cpu, unsigned cpl)
{
	if (cpl == cpu->count.cpl)
		return;
	count_fold(cpu);
	cpu->count.cpl = cpl;
	choose_chunk(cpu); /* other alarms are near */
}

void count_enter_kernel(struct cpu *cpu)
{
	hidden_enter_kernel(&cpu->hidden);
	count_enter_cpl(cpu, PV_CPL_KERNEL);
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

struct charged count_ahead(const struct cpu *cpu, uint64_t rip)
{
	return cpu->count.current ? charged_from(cpu->count.current, rip) : (struct charged){ 0 };
}

uint64_t count_value(const struct cpu *cpu, unsigned counter, unsigned cpl, const struct charged *ahead)
{
	bool of_model = counter == PV_COUNT_CYCLES && !cpu->config.page->cycles_tsc, current = cpl == cpu->count.cpl;
	uint64_t value = cpu->count.total[counter][cpl];

	if (of_model)
		value += cpu->count.total[PV_COUNT_INSTRUCTIONS][cpl];
	if (current && (of_model || counter == PV_COUNT_INSTRUCTIONS))
		value -= ahead->instructions;
	if (current && of_model)
		value -= ahead->locked * PV_CYCLES_LOCKED_OP;
	if (current && counter == PV_COUNT_BRANCHES)
		value -= ahead->branches;
	return value;
}

/* Where the current block was left: did its last instruction execute? An iret that faults
 * lets NMIs through all the same (SDM vol. 3, 6.7.1). */
static void leave_last(struct cpu *cpu, uint64_t rip)
{
	const struct block *block = cpu->count.current;

	cpu->count.within_rep = block && (block->flags & BLOCK_REP) && rip - block->address == block->last_offset;
	cpu->count.attend &= ~(uint32_t)ATTEND_UNKNOWN; /* those bytes were not reached */
	if (block && rip - block->address < block->last_offset)
		cpu->count.attend &= ~(uint32_t)ATTEND_IRET;
}

/* From the totals, not from the budget: the charge may have been folded since. */
void count_leave_block(struct cpu *cpu, uint64_t rip)
{
	struct charged ahead = count_ahead(cpu, rip);

	leave_last(cpu, rip);
	if (cpu->hooks.wanted)
		held_leave(cpu, rip);
	if (!cpu->count.current)
		return;
	count_fold(cpu);
	cpu->count.total[PV_COUNT_INSTRUCTIONS][cpu->count.cpl] -= ahead.instructions;
	cpu->count.total[PV_COUNT_BRANCHES][cpu->count.cpl] -= ahead.branches;
	add_locked(cpu, -ahead.locked);
	cpu->count.current = NULL;
}

/* An int n that was taken as retired has faulted: the fault will point at it. */
void count_take_back_branch(struct cpu *cpu, unsigned cpl)
{
	cpu->count.total[PV_COUNT_INSTRUCTIONS][cpl]--;
	cpu->count.total[PV_COUNT_BRANCHES][cpl]--;
}

static void publish(struct cpu *cpu, unsigned counter, const struct charged *ahead)
{
	for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
		cpu->config.run->count[counter][cpl] = count_value(cpu, counter, cpl, ahead);
}

void count_publish_all(struct cpu *cpu)
{
	static const struct charged none = { 0 };

	for (unsigned counter = 0; counter < PV_COUNTS; counter++)
		publish(cpu, counter, &none);
}

void count_publish(struct cpu *cpu, uint64_t rip)
{
	struct pv_run *run = cpu->config.run;
	struct charged ahead = count_ahead(cpu, rip);

	count_fold(cpu);
	if (cpu->hooks.wanted)
		held_settle(cpu, rip);
	publish(cpu, PV_COUNT_GUEST_TSC, &ahead);
	if (!count_frozen(&cpu->freeze)) {
		for (unsigned counter = 0; counter < PV_COUNTS_AT_EXIT; counter++)
			publish(cpu, counter, &ahead);
		for (uint32_t wanted = run->wanted; wanted; wanted &= wanted - 1)
			publish(cpu, (unsigned)__builtin_ctz(wanted), &ahead);
	}
	run->cpl = cpu->count.cpl;
	run->rip = rip;
}

