/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/system/debug.h"

#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/oracle.h"
#include "engine/decode/decode.h"
#include "engine/exception/exception.h"
#include "engine/system/system.h"
#include "engine/unicorn/registers.h"

enum {
	CR4_DE = 1 << 3,
	DR6_BD = 1 << 13,
	DR6_BREAKPOINTS = 0xf,
	DR6_ZERO = 1 << 12,
	DR7_ENABLED = 0xff,
	DR7_GD = 1 << 13,
	DR7_ZERO = 1 << 11 | 1 << 12 | 1 << 14 | 1 << 15,
	TYPE_WRITE = 1, TYPE_PORT = 2, TYPE_READ_WRITE = 3,
	PAGE = 4096,
};

int debug_ask(struct system *system, bool write, unsigned number, uint64_t *value)
{
	uc_engine *uc = system->cpu->uc;

	if ((number == 4 || number == 5) && (reg_get(uc, UC_X86_REG_CR4) & CR4_DE))
		return SYSTEM_UD;
	if (reg_get(uc, UC_X86_REG_DR7) & DR7_GD) {
		reg_set(uc, UC_X86_REG_DR6, reg_get(uc, UC_X86_REG_DR6) | DR6_BD);
		return SYSTEM_DB;
	}
	if (!write || number < 4)
		return SYSTEM_PASS;
	if (*value > UINT32_MAX)
		return SYSTEM_GP;
	*value &= ~(uint64_t)(number % 2 ? DR7_ZERO : DR6_ZERO);
	return SYSTEM_PASS;
}

static struct debug_watch watch_of(uc_engine *uc, unsigned i)
{
	static const int registers[DEBUG_BREAKPOINTS] = { UC_X86_REG_DR0, UC_X86_REG_DR1, UC_X86_REG_DR2, UC_X86_REG_DR3 };
	static const uint8_t lengths[] = { 1, 2, 8, 4 };
	uint64_t dr7 = reg_get(uc, UC_X86_REG_DR7), bytes = lengths[dr7 >> (18 + 4 * i) & 3];
	unsigned type = dr7 >> (16 + 4 * i) & 3;

	if (!(dr7 >> 2 * i & 3) || !type)
		return (struct debug_watch){ 0 };
	return (struct debug_watch){
		reg_get(uc, registers[i]) & ~(bytes - 1), bytes, type == TYPE_READ_WRITE, type == TYPE_PORT,
	};
}

void debug_wrote(struct system *system)
{
	struct debug *debug = &system->debug;
	bool before = system->calls.watches, change = false;

	system->calls.watches = false;
	for (unsigned i = 0; i < DEBUG_BREAKPOINTS; i++) {
		struct debug_watch now = watch_of(system->cpu->uc, i), *was = &debug->watch[i];

		change |= now.address != was->address || now.bytes != was->bytes || now.reads != was->reads ||
			  now.port != was->port;
		*was = now;
		system->calls.watches |= now.bytes != 0;
	}
	if (change)
		uc_ctl_flush_tlb(system->cpu->uc);
	if (before != system->calls.watches)
		count_attend(system->cpu, ATTEND_FLUSH);
}

int debug_watched(void *owner, uint64_t page, uint64_t bytes)
{
	const struct debug *debug = &((struct system *)owner)->debug;
	int ret = 0;

	for (unsigned i = 0; i < DEBUG_BREAKPOINTS; i++)
		if (debug->watch[i].bytes && !debug->watch[i].port && debug->watch[i].address - page < bytes)
			ret |= SYSTEM_WRITE | (debug->watch[i].reads ? SYSTEM_READ : 0);
	return ret;
}

static bool overlaps(const struct debug_watch *watch, uint64_t address, uint64_t bytes)
{
	return address - watch->address < watch->bytes || watch->address - address < bytes;
}

/* By the instruction that is executed. */
static void note_touched(struct system *system, uint32_t touched)
{
	const struct block *block = system->cpu->count.current;

	if (!touched || !block)
		return;
	system->debug.touched |= touched;
	system->debug.rip = block->address + block->last_offset;
	system->debug.repeats = block->flags & BLOCK_REP;
	count_attend(system->cpu, ATTEND_DEBUG);
}

void debug_touched_port(void *owner, uint32_t port, uint32_t bytes)
{
	struct system *system = owner;
	uint32_t touched = 0;

	for (unsigned i = 0; i < DEBUG_BREAKPOINTS; i++) {
		const struct debug_watch *watch = &system->debug.watch[i];

		touched |= (uint32_t)(watch->bytes && watch->port && overlaps(watch, port, bytes)) << i;
	}
	note_touched(system, touched);
}

void debug_touched(void *owner, uint64_t address, uint64_t bytes, bool write)
{
	struct system *system = owner;
	uint32_t touched = 0;

	for (unsigned i = 0; i < DEBUG_BREAKPOINTS; i++) {
		const struct debug_watch *watch = &system->debug.watch[i];

		if (watch->bytes && !watch->port && (write || watch->reads) && overlaps(watch, address, bytes))
			touched |= 1u << i;
	}
	note_touched(system, touched);
}

/* In front of the rep at `rip`, which has nothing left to do: to Unicorn this is another iteration. */
static bool is_over(struct cpu *cpu, uint64_t rip)
{
	uint64_t left = reg_get(cpu->uc, UC_X86_REG_RCX);
	uint8_t code[MAX_INSTRUCTION];
	struct x86_insn insn;

	x86_decode(&cpu->x86, code, decode_fetch(cpu->uc, rip, code), &insn);
	return !(insn.address32 ? (uint32_t)left : left);
}

/* MOV SS, which alone touches memory and keeps exceptions of this kind out until the next instruction has executed. */
static bool waits(struct system *system, uint64_t rip)
{
	struct cpu *cpu = system->cpu;

	return hidden_in_shadow(&cpu->hidden) ||
	       (system->debug.repeats && rip == system->debug.rip && is_over(cpu, rip));
}

static void note_in_dr6(struct system *system)
{
	uc_engine *uc = system->cpu->uc;

	reg_set(uc, UC_X86_REG_DR6, (reg_get(uc, UC_X86_REG_DR6) & ~(uint64_t)DR6_BREAKPOINTS) | system->debug.touched);
	system->debug.touched = 0;
}

bool debug_deliver(struct system *system, uint64_t rip, bool in_block)
{
	struct cpu *cpu = system->cpu;

	if (!system->debug.touched) {
		cpu->count.attend &= ~(uint32_t)ATTEND_DEBUG;
		return false;
	}
	if (waits(system, rip))
		return false;
	cpu->count.attend &= ~(uint32_t)ATTEND_DEBUG;
	oracle_settle(cpu, rip, false);
	count_leave_block(cpu, rip);
	note_in_dr6(system);
	exception_raise(cpu, SYSTEM_DB, 0, rip);
	if (in_block)
		rip_set_in_block(cpu->uc, reg_get(cpu->uc, UC_X86_REG_RIP));
	return true;
}

bool debug_comes_first(struct system *system, uint32_t vector, uint64_t rip)
{
	if (!system->debug.touched)
		return false;
	if (vector == SYSTEM_DB) { /* of a single step: one exception for both */
		note_in_dr6(system);
		return false;
	}
	if (rip != system->debug.rip && debug_deliver(system, rip, false))
		return true;
	system->debug.touched = 0; /* the instruction itself has faulted */
	return false;
}
