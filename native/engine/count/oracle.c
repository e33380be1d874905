/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/count/oracle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/count/cpu.h"
#include "engine/count/freeze.h"
#include "engine/decode/decode.h"
#include "engine/unicorn/registers.h"

enum { REX_MASK = 0xf0, REX = 0x40 };

static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67:
	case 0xf0: case 0xf2: case 0xf3:
		return true;
	default:
		return (byte & REX_MASK) == REX;
	}
}

static const uint8_t *opcode_of(const struct oracle *o)
{
	unsigned i = 0;

	while (i < o->size - 1 && is_prefix(o->bytes[i]))
		i++;
	return o->bytes + i;
}

static bool opcode_is_branch(const uint8_t *op)
{
	unsigned extension = op[1] >> 3 & 7;

	if (op[0] == 0x0f)
		return (op[1] & 0xf0) == 0x80 || op[1] == 0x05 || op[1] == 0x07 || op[1] == 0x34 || op[1] == 0x35;
	if ((op[0] & 0xf0) == 0x70 || (op[0] >= 0xe0 && op[0] <= 0xe3) || (op[0] >= 0xe8 && op[0] <= 0xeb))
		return true;
	if (op[0] == 0xff)
		return extension >= 2 && extension <= 5;
	return op[0] == 0xc2 || op[0] == 0xc3 || op[0] == 0xca || op[0] == 0xcb || op[0] == 0xcc ||
	       op[0] == 0xcd || op[0] == 0xcf || op[0] == 0xf1;
}

static void count_pending(struct oracle *o)
{
	if (!o->pending)
		return;
	o->count[PV_COUNT_INSTRUCTIONS][o->cpl]++;
	o->count[PV_COUNT_BRANCHES][o->cpl] += opcode_is_branch(opcode_of(o));
	o->pending = false;
}

/* The block hook was handed the block that is executed now, and not what was found out about another one. */
static bool is_in_its_block(struct cpu *cpu, uint64_t address)
{
	const struct block *block = cpu->count.current;

	if (block && address - block->address < block->size)
		return true;
	cpu_fail(cpu, -EINVAL, "the instruction at 0x%llx is executed, and the block is taken for one at 0x%llx",
		 (unsigned long long)address, (unsigned long long)(block ? block->address : 0));
	return false;
}

/*
 * Before each instruction. The same address twice in a row is one instruction
 * (another iteration of a rep, or a store begun anew because it rewrote its own
 * block), unless it is a branch to itself.
 */
void on_oracle(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	struct cpu *cpu = data;
	struct oracle *o = &cpu->oracle;

	(void)uc;
	if (!is_in_its_block(cpu, address) || count_frozen(&cpu->freeze))
		return;
	if (o->pending && o->address == address && !opcode_is_branch(opcode_of(o)))
		return;
	count_pending(o);
	if (size > MAX_INSTRUCTION)
		size = MAX_INSTRUCTION; /* Unicorn does not know the length of what it cannot decode */
	memset(o->bytes, 0, sizeof(o->bytes));
	uc_vmem_read(cpu->uc, address, UC_PROT_EXEC, o->bytes, size);
	o->address = address;
	o->size = size;
	o->cpl = (reg_get(cpu->uc, UC_X86_REG_CS) & 3) ? PV_CPL_USER : PV_CPL_KERNEL;
	o->pending = true;
}

/* Something came between instructions: the last one retired unless RIP is still on it.
 * Without a fault, that may also be a branch that went to itself. */
void oracle_settle(struct cpu *cpu, uint64_t rip, bool fault)
{
	bool stays;

	if (!cpu->config.oracle)
		return;
	stays = fault || !opcode_is_branch(opcode_of(&cpu->oracle));
	if (cpu->oracle.pending && cpu->oracle.address == rip && stays)
		cpu->oracle.pending = false;
	else
		count_pending(&cpu->oracle);
}

/* The exiting instruction, which oracle_settle() took as not retired, has retired. */
void oracle_retire(struct cpu *cpu)
{
	cpu->oracle.count[PV_COUNT_INSTRUCTIONS][cpu->count.cpl]++;
}

void oracle_compare(struct cpu *cpu)
{
	struct pv_run *run = cpu->config.run;

	if (!cpu->config.oracle)
		return;
	run->oracle_checks++;
	for (unsigned what = PV_COUNT_INSTRUCTIONS; what <= PV_COUNT_BRANCHES; what++)
		for (unsigned cpl = 0; cpl < PV_CPLS; cpl++) {
			uint64_t counted = run->count[what][cpl], stepped = cpu->oracle.count[what][cpl];

			if (counted == stepped)
				continue;
			if (!run->oracle_differences++)
				snprintf(run->text, sizeof(run->text),
					 "at rip 0x%llx: counted %llu %s at CPL %u, stepped %llu",
					 (unsigned long long)run->rip, (unsigned long long)counted,
					 what == PV_COUNT_INSTRUCTIONS ? "instructions" : "branches",
					 cpl == PV_CPL_USER ? 3u : 0u, (unsigned long long)stepped);
		}
}
