/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/block_hook.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>

#include "abi/handover.h"
#include "engine/count/alarm.h"
#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/held.h"
#include "engine/decode/code.h"
#include "engine/decode/decode.h"
#include "engine/decode/narrow.h"
#include "engine/run/boundary.h"
#include "engine/run/state.h"
#include "engine/unicorn/block.h"
#include "engine/unicorn/blocks.h"
#include "engine/unicorn/hidden.h"
#include "engine/unicorn/parallel.h"
#include "engine/unicorn/registers.h"

enum {
	REP_DOORBELL = 1024,  /* iterations of a rep between two looks at the doorbell */
	PAUSES_TO_YIELD = 32, /* a spinning vCPU then lets another have the core */
};

_Static_assert(!offsetof(struct pv_engine, cpu) && !offsetof(struct cpu, count) && !offsetof(struct count, budget) &&
	       offsetof(struct count, current) == sizeof(int64_t), "what on_block() touches of an engine lies together");

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

/* False: the guest has left 64-bit mode, in which alone its code can be decoded. */
static bool look_at_ring(struct pv_engine *e)
{
	uint32_t cs = (uint32_t)reg_get(e->cpu.uc, UC_X86_REG_CS);

	count_enter_cpl(&e->cpu, cs & 3 ? PV_CPL_USER : PV_CPL_KERNEL);
	if (cs == e->block_hook.known_cs[e->cpu.count.cpl])
		return true;
	if (!e->cpu.narrow && !hidden_is_64bit(&e->cpu.hidden)) {
		cpu_fail(&e->cpu, -EOPNOTSUPP, "the guest runs 32-bit code (CS 0x%x), which is not supported", cs);
		return false;
	}
	e->block_hook.known_cs[e->cpu.count.cpl] = cs;
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
	struct cpu *cpu = &e->cpu;
	uint32_t what = cpu->count.attend;

	if (what & (ATTEND_RING | ATTEND_SPACE)) /* iret, mov to cr3 and the like serialise */
		__builtin_ia32_mfence();
	cpu->count.attend &= ATTEND_BOUNDARY;
	count_fold(cpu);
	if ((what & (ATTEND_RING | ATTEND_SPACE)) && share_is_changed(&cpu->share))
		count_attend(cpu, ATTEND_CODE);
	if ((what & ATTEND_RING) && !look_at_ring(e))
		return false;
	if ((what & ATTEND_SPACE) && parallel_gives_up(&cpu->parallel, cpu->uc, &cpu->stores))
		count_attend(cpu, ATTEND_FLUSH);
	if ((what & ATTEND_UNKNOWN) && !is_inside(cpu->count.current, address)) {
		cpu_fail(cpu, -EOPNOTSUPP, "executed bytes before 0x%llx that could not be decoded",
			 (unsigned long long)address);
		return false;
	}
	return true;
}

/* Has the block before ended in a call of that call? Then its return address is on the stack. */
static bool calls_itself(struct cpu *cpu, const struct block *block)
{
	const struct block *last = cpu->count.current;
	uint64_t back;

	return last->last_is_branch && block->address == last->address + last->last_offset &&
	       uc_vmem_read(cpu->uc, reg_get(cpu->uc, UC_X86_REG_RSP), UC_PROT_READ, &back, sizeof(back)) == UC_ERR_OK &&
	       back == last->address + last->size;
}

/*
 * A store into its own block makes Unicorn give the block up before that store,
 * run the store alone, and translate the rest anew. Nothing announces it, but no
 * other block is a lone store that lies inside the block before it, and was not called.
 */
static void leave_rewritten_block(struct cpu *cpu, const struct block *block)
{
	if (is_inside(cpu->count.current, block->address) && cpu->count.current->instructions > 1 && !calls_itself(cpu, block))
		count_leave_block(cpu, block->address);
}

/* Another iteration of the rep that the block before ended in: it was counted on
 * its first. Only the doorbell is looked at now and then. */
static void continue_rep(struct pv_engine *e, struct block *block)
{
	e->cpu.count.current = block;
	if (++e->block_hook.rep_iterations % REP_DOORBELL == 0 && handover_doorbell(e->cpu.bell))
		boundary_attend(e, block->address, true);
}

static bool continues_rep(const struct cpu *cpu, const struct block *block)
{
	const struct block *last = cpu->count.current;

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
		count_attend(&e->cpu, what);
	if ((block->flags & BLOCK_PAUSE) && ++e->block_hook.pauses % PAUSES_TO_YIELD == 0)
		sched_yield();
}

/* A guest that polls must not keep the others of its core from running, nor the
 * host from getting it out: the doorbell is looked at when the budget is spent. */
static void spent(struct pv_engine *e, uint64_t address)
{
	e->cpu.count.unlooked = 0;
	count_fold(&e->cpu);
	if (platform_is_there(&e->platform) && platform_is_due(&e->platform, address))
		count_attend(&e->cpu, ATTEND_TIMER);
	else if (handover_doorbell(e->cpu.bell))
		boundary_attend(e, address, true);
}

static bool decode(struct cpu *cpu, struct block *block, const struct arrival *at)
{
	const char *why;
	int ret = blocks_take(&cpu->blocks, block, at->code);

	if (ret == -EINVAL)
		cpu_fail(cpu, ret, "two translations have one block");
	else if (ret)
		cpu_fail(cpu, ret, "%u blocks were translated, and could not be dropped", cpu->blocks.most);
	if (ret)
		return false;
	if (blocks_are_nearly_full(&cpu->blocks, at->code))
		count_attend(cpu, ATTEND_FLUSH);
	if (unlikely(cpu->narrow))
		cpu->narrow = !hidden_is_64bit(&cpu->hidden);
	ret = unlikely(cpu->narrow) ? narrow_decode(cpu->uc, block, at->address, at->size, &why) :
				      decode_block(&cpu->decode, cpu->uc, block, at->address, at->size, &why);
	if (ret) {
		cpu_fail(cpu, ret, "cannot decode the block of %u bytes at 0x%llx: %s", at->size,
			 (unsigned long long)at->address, why);
		return false;
	}
	code_mark(&cpu->code, cpu->uc, &cpu->stores, at->address, at->size);
	cpu->config.run->blocks_decoded++;
	return true;
}

/* For the first time. False: it will not be executed as it is translated now. Blocks that begin behind its first
 * byte are kept. */
static bool take(struct cpu *cpu, struct block *block, const struct arrival *at)
{
	uint64_t first = NOWHERE, last = NOWHERE;

	if (!decode(cpu, block, at))
		return false;
	if (block->traps) {
		first = block->trap[0].address;
		last = block->trap[block->traps - 1].address;
	}
	if (blocks_trap(&cpu->blocks, block, first, last))
		return true;
	block->flags |= BLOCK_DROPPED;
	uc_ctl_remove_cache(cpu->uc, at->address, at->address + 1);
	rip_set_in_block(cpu->uc, at->address);
	return false;
}

/* What was found out about this block when it was taken holds for what is executed now. */
static bool is_itself(struct cpu *cpu, const struct block *block, const struct arrival *at)
{
	bool ok = block->address == at->address && block->size == at->size && !(block->flags & BLOCK_DROPPED);

	if (!ok)
		cpu_fail(cpu, -EINVAL, "the block at 0x%llx is not the one that was decoded, at 0x%llx",
			 (unsigned long long)at->address, (unsigned long long)block->address);
	return ok;
}

/* With all that may have to be done between two blocks. */
static void begin_block(struct pv_engine *e, struct block *block, const struct arrival *at)
{
	struct cpu *cpu = &e->cpu;
	uint64_t address = at->address;
	bool looks, again;

	if (cpu->hooks.wanted)
		held_arrive(cpu, address);
	looks = cpu->count.attend;
	if (looks && !attend(e, address))
		return;
	if (!(block->size ? is_itself(cpu, block, at) : take(cpu, block, at)))
		return;
	again = continues_rep(cpu, block);
	if (block->flags & BLOCK_LONE_STORE)
		leave_rewritten_block(cpu, block);
	if (!again) { /* the one before has retired */
		cpu->count.current = NULL;
		if (cpu->hooks.wanted)
			held_retire(cpu, address);
		looks |= cpu->count.attend != 0;
	}
	if (looks && !boundary_attend(e, address, true))
		return;
	if (again) {
		continue_rep(e, block);
		return;
	}
	if (cpu->hooks.wanted)
		held_begin(cpu, block);
	cpu->count.budget -= block_cost(block);
	cpu->count.current = block;
	if (block->locked && alarm_is_armed(cpu->config.run, PV_COUNT_CYCLES))
		count_attend(cpu, ATTEND_ALARM); /* as a penalty does */
	if (block->flags)
		announce(e, block);
	else if (!cpu->hooks.wanted && !(block->locked && cpu->count.cycles_watched)) /* held_begin() must see every block */
		block->cost = block_cost(block);
	if (cpu->count.budget < 0)
		spent(e, address);
}

/* The budget is spent, something wants a look, or the block does not take the fast path. */
static __attribute__((noinline, cold)) void block_slow(struct pv_engine *e, struct block *block,
						       const struct arrival *at)
{
	if (e->cpu.count.attend || block->cost == COST_SLOW) {
		begin_block(e, block, at);
	} else if (is_itself(&e->cpu, block, at)) {
		e->cpu.count.budget -= block->cost;
		e->cpu.count.current = block;
		spent(e, at->address);
	}
}

/* Within one line of the instruction cache: nothing is called more often. */
__attribute__((aligned(64))) void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	struct block *block = data;
	struct pv_engine *e = block->engine;
	int64_t left = e->cpu.count.budget - block->cost;

	(void)uc;
	if (unlikely(left < 0)) {
		struct arrival at = { address, size, __builtin_return_address(0) };

		block_slow(e, block, &at);
		return;
	}
	e->cpu.count.budget = left;
	e->cpu.count.current = block;
}
