/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/exception/exception.h"

#include <stdio.h>
#include <string.h>

#include "abi/exception_name.h"
#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/oracle.h"
#include "engine/decode/code.h"
#include "engine/decode/decode.h"
#include "engine/exception/stack.h"
#include "engine/interposed/rotate.h"
#include "engine/unicorn/hidden.h"
#include "engine/unicorn/registers.h"

/* Nobody may have loaded the library of interposed/rotate.c. */
extern __typeof__(pv_rotate_flags) pv_rotate_flags __attribute__((weak));

enum {
	VECTOR_DE = 0, VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_BP = 3, VECTOR_DF = 8, VECTOR_TS = 10, VECTOR_SS = 12, VECTOR_GP = 13,
	VECTOR_PF = 14, VECTOR_AC = 17,

	RFLAGS_TF = 1 << 8,
	RFLAGS_IF = 1 << 9,
	RFLAGS_NT = 1 << 14,
	RFLAGS_RF = 1 << 16,

	GATE_INTERRUPT = 14,
	GATE_TRAP = 15,

	PAGE = 4096,
	PF_PRESENT = 1 << 0,
	PF_WRITE = 1 << 1,

	ERROR_EXTERNAL = 1, /* met in the delivery of what no int n has asked for (SDM vol. 3, 6.13) */

	DR7_ENABLED = 0xff,
	DR7_GD = 1 << 13,
	DR6_BS = 1 << 14,
};

#define LAST_LOWER_PAGE 0x7ffffffffull

/* A fault met while another is delivered. */
struct fault {
	int vector; /* -1: none */
	uint32_t error;
	uint64_t address;
};

/* Where the exception came from: what the frame says, and what decides its stack. */
struct interrupted {
	uint64_t rip, cs, rflags, rsp, ss;
};

enum origin { EXCEPTION, INT_N /* int3 and into, too */, INTERRUPT };

struct gate {
	uint64_t target;
	uint16_t selector;
	uint8_t type, dpl, ist;
};

static bool pushes_error_code(unsigned vector)
{
	return vector == VECTOR_DF || (vector >= VECTOR_TS && vector <= VECTOR_PF) || vector == VECTOR_AC;
}

static struct fault fault_none(void)
{
	return (struct fault){ .vector = -1 };
}

static struct fault fault_gp(uint32_t error)
{
	return (struct fault){ .vector = VECTOR_GP, .error = error };
}

/* Supervisor access to guest memory by virtual address. */
static struct fault system_read(struct cpu *cpu, uint64_t address, void *to, size_t size)
{
	if (uc_vmem_read(cpu->uc, address, UC_PROT_READ, to, size) == UC_ERR_OK)
		return fault_none();
	return (struct fault){ .vector = VECTOR_PF, .address = address };
}

/* What Unicorn's API writes drops no translation of code that was there. */
static struct fault system_write(struct cpu *cpu, uint64_t address, void *from, size_t size)
{
	bool ok = uc_vmem_write(cpu->uc, address, UC_PROT_WRITE, from, size) == UC_ERR_OK;
	bool apart = address / PAGE != (address + size - 1) / PAGE;

	struct operand_gpa at;

	if (ok && cpu->code.share && code_operand(&cpu->code, cpu->uc, address, (unsigned)size, &at))
		code_stored(&cpu->code, &at);
	if (ok ? code_holds_operand(&cpu->code, cpu->uc, address, (unsigned)size) : apart)
		count_attend(cpu, ATTEND_FLUSH);
	if (ok)
		return fault_none();
	return (struct fault){ .vector = VECTOR_PF, .error = PF_WRITE, .address = address };
}

static struct fault gate_read(struct cpu *cpu, unsigned vector, struct gate *gate)
{
	uint32_t error = vector * 8 + 2; /* a selector error code of the IDT */
	uc_x86_mmr idt = { 0 };
	uint32_t raw[4];
	struct fault fault;

	uc_reg_read(cpu->uc, UC_X86_REG_IDTR, &idt);
	if (vector * 16 + 15 > idt.limit)
		return fault_gp(error);
	fault = system_read(cpu, idt.base + vector * 16, raw, sizeof(raw));
	if (fault.vector >= 0)
		return fault;
	gate->type = raw[1] >> 8 & 0x1f;
	gate->dpl = raw[1] >> 13 & 3;
	gate->ist = raw[1] & 7;
	gate->selector = (uint16_t)(raw[0] >> 16);
	gate->target = (uint64_t)raw[2] << 32 | (raw[1] & 0xffff0000) | (raw[0] & 0xffff);
	if (!(raw[1] >> 15 & 1) || (gate->type != GATE_INTERRUPT && gate->type != GATE_TRAP))
		return fault_gp(error);
	return fault_none();
}

/* RSP0 (stack 0) or an IST entry of the task state segment. */
static struct fault stack_from_tss(struct cpu *cpu, unsigned ist, uint64_t *rsp)
{
	uc_x86_mmr tr = { 0 };
	uint32_t at = ist ? 36 + 8 * (ist - 1) : 4;

	uc_reg_read(cpu->uc, UC_X86_REG_TR, &tr);
	if (at + 7 > tr.limit)
		return (struct fault){ .vector = VECTOR_TS, .error = tr.selector & 0xfffc };
	return system_read(cpu, tr.base + at, rsp, sizeof(*rsp));
}

/* Loads the handler's segment, flags, stack and RIP, the frame being in place. */
static struct fault enter_handler(struct cpu *cpu, const struct gate *gate, uint64_t rflags, uint64_t stack)
{
	uint16_t selector = gate->selector & 0xfffc;

	if (uc_reg_write(cpu->uc, UC_X86_REG_CS, &selector) != UC_ERR_OK)
		return fault_gp(selector);
	rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF);
	if (gate->type == GATE_INTERRUPT)
		rflags &= ~(uint64_t)RFLAGS_IF;
	reg_set(cpu->uc, UC_X86_REG_EFLAGS, rflags);
	reg_set(cpu->uc, UC_X86_REG_RSP, stack);
	rip_set(cpu->uc, gate->target);
	return fault_none();
}

/* One delivery, in CPL 0 already. */
static struct fault deliver(struct cpu *cpu, unsigned vector, uint32_t error, bool software,
			    const struct interrupted *from)
{
	bool has_error = !software && pushes_error_code(vector);
	uint64_t frame[6] = { error, from->rip, from->cs, from->rflags, from->rsp, from->ss };
	size_t bytes = has_error ? 48 : 40;
	uint64_t stack = from->rsp;
	struct gate gate = { 0 };
	struct fault fault;

	fault = gate_read(cpu, vector, &gate);
	if (fault.vector >= 0)
		return fault;
	if (software && gate.dpl < (from->cs & 3))
		return fault_gp(vector * 8 + 2);
	if ((from->cs & 3) || gate.ist) {
		fault = stack_from_tss(cpu, gate.ist, &stack);
		if (fault.vector >= 0)
			return fault;
	}
	stack = (stack & ~15ull) - bytes;
	fault = system_write(cpu, stack, has_error ? frame : frame + 1, bytes);
	if (fault.vector >= 0)
		return fault;
	return enter_handler(cpu, &gate, from->rflags, stack);
}

static bool is_contributory(unsigned vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/* Do these two, one during the delivery of the other, make a double fault? (SDM vol. 3, table 6-5) */
static bool doubles(unsigned first, unsigned second)
{
	if (first == VECTOR_PF)
		return second == VECTOR_PF || is_contributory(second);
	return is_contributory(first) && is_contributory(second);
}

static void shut_down(struct cpu *cpu, unsigned first, uint32_t error)
{
	const char *name = exception_name(first);
	char why[64];

	snprintf(why, sizeof(why), "triple fault after %s (vector %u)", name ? name : "an interrupt", first);
	cpu->calls->shut_down(cpu, VECTOR_DF, error, why);
}

/* At an instruction that will be executed again, as all of a fault's, RF keeps its breakpoint from being met again (SDM vol. 3,
 * 18.3.1.1). Debug exceptions here are those behind an instruction, and of instruction breakpoints. */
static uint64_t rflags_in_frame(const struct cpu *cpu, unsigned vector, enum origin origin, uint64_t rflags)
{
	if (origin == INT_N || (vector == VECTOR_DB && !cpu->count.within_rep))
		return rflags & ~(uint64_t)RFLAGS_RF;
	if (vector == VECTOR_DF || (origin == INTERRUPT && !cpu->count.within_rep))
		return rflags;
	return rflags | RFLAGS_RF;
}

/* At `rip`; `begin` is the same, or the address of the int n in front of it. */
static void raise(struct cpu *cpu, unsigned vector, enum origin origin, uint32_t error, uint64_t rip, uint64_t begin)
{
	const uint64_t rflags = reg_get(cpu->uc, UC_X86_REG_EFLAGS);
	unsigned first = vector;
	struct interrupted from = {
		.rip = rip,
		.cs = reg_get(cpu->uc, UC_X86_REG_CS),
		.rsp = reg_get(cpu->uc, UC_X86_REG_RSP),
		.ss = reg_get(cpu->uc, UC_X86_REG_SS),
	};

	/* What was charged so far belongs to the CPL that was interrupted. */
	count_fold(cpu);
	if (from.cs & 3)
		count_enter_kernel(cpu);
	for (;;) {
		struct fault fault;

		if (vector == VECTOR_PF)
			cpu->cr2 = reg_get(cpu->uc, UC_X86_REG_CR2);
		from.rflags = rflags_in_frame(cpu, vector, origin, rflags);
		fault = deliver(cpu, vector, error, origin == INT_N, &from);

		/* What the oracle is told of is where the frame points: at the instruction that faulted, or behind one that
		 * retired. */
		if (fault.vector < 0) {
			oracle_settle(cpu, from.rip, true);
			if (vector == VECTOR_DB) /* whose handler may use the debug registers */
				reg_set(cpu->uc, UC_X86_REG_DR7, reg_get(cpu->uc, UC_X86_REG_DR7) & ~(uint64_t)DR7_GD);
			return;
		}
		if (vector == VECTOR_DF && origin != INT_N) {
			oracle_settle(cpu, from.rip, true);
			shut_down(cpu, first, error);
			return;
		}
		if (origin == INT_N) {
			count_take_back_branch(cpu, (from.cs & 3) ? PV_CPL_USER : PV_CPL_KERNEL);
			from.rip = begin;
		}
		if (fault.vector == VECTOR_PF)
			reg_set(cpu->uc, UC_X86_REG_CR2, fault.address);
		else if (origin != INT_N)
			fault.error |= ERROR_EXTERNAL;
		if (origin != INT_N && doubles(vector, (unsigned)fault.vector))
			fault = (struct fault){ .vector = VECTOR_DF };
		vector = (unsigned)fault.vector;
		error = fault.error;
		origin = EXCEPTION;
	}
}

void exception_raise(struct cpu *cpu, unsigned vector, uint32_t error, uint64_t rip)
{
	cpu->config.run->exceptions++;
	raise(cpu, vector, EXCEPTION, error, rip, rip);
}

void exception_deliver_nmi(struct cpu *cpu, uint64_t rip)
{
	raise(cpu, VECTOR_NMI, INTERRUPT, 0, rip, rip);
}

void exception_deliver_interrupt(struct cpu *cpu, uint8_t vector, uint64_t rip)
{
	raise(cpu, vector, INTERRUPT, 0, rip, rip);
}

/* Unicorn keeps breakpoints beside the registers, which a jump sets anew: one that DR7 does not enable is not to be seen. */
static bool skip_foreign_breakpoint(struct cpu *cpu, uint32_t vector)
{
	if (vector != VECTOR_DB || (reg_get(cpu->uc, UC_X86_REG_DR7) & (DR7_ENABLED | DR7_GD)) ||
	    (reg_get(cpu->uc, UC_X86_REG_DR6) & DR6_BS))
		return false;
	reg_set(cpu->uc, UC_X86_REG_EFLAGS, reg_get(cpu->uc, UC_X86_REG_EFLAGS) | RFLAGS_RF);
	return true;
}

/* Where the int n, int3 or into in front of `rip` begins: it may have prefixes. */
static uint64_t int_before(const struct cpu *cpu, uint64_t rip)
{
	enum { SHORTEST = 2 };
	const struct block *block = cpu->count.current;

	return block ? block->address + block->last_offset : rip - SHORTEST;
}

static void decode_at(const struct cpu *cpu, uint64_t rip, struct x86_insn *insn)
{
	uint8_t code[MAX_INSTRUCTION];

	x86_decode(&cpu->x86, code, decode_fetch(cpu->uc, rip, code), insn);
}

/*
 * Unicorn has branched to what is no address, and found no code there: on a processor the branch itself faults, and has
 * changed nothing. What a call has pushed stays below the stack.
 */
static uint64_t take_branch_back(struct cpu *cpu, uint64_t rip)
{
	const struct block *block = cpu->count.current;
	struct x86_insn insn;
	uint64_t rsp = reg_get(cpu->uc, UC_X86_REG_RSP);
	uint16_t released = 0;

	if ((uint64_t)((int64_t)rip >> 47) + 1 <= 1 || !block || !block->last_is_branch)
		return rip;
	decode_at(cpu, block->address + block->last_offset, &insn);
	if (insn.kind == X86_RET) {
		uint8_t code[MAX_INSTRUCTION];

		decode_fetch(cpu->uc, block->address + block->last_offset, code);
		if (insn.immediate_bytes)
			memcpy(&released, code + insn.immediate_at, sizeof(released));
		reg_set(cpu->uc, UC_X86_REG_RSP, rsp - sizeof(rip) - released);
	} else if (insn.kind == X86_CALL || insn.kind == X86_CALL_INDIRECT) {
		reg_set(cpu->uc, UC_X86_REG_RSP, rsp + sizeof(rip));
	} else if (insn.kind != X86_JMP && insn.kind != X86_JMP_INDIRECT && insn.kind != X86_JCC) {
		return rip;
	}
	return block->address + block->last_offset;
}

/* A processor asks at once for all that an instruction does with its operand, Unicorn for reading first. What pop reads is the
 * stack. */
static bool writes_operand(const struct cpu *cpu, uint64_t rip)
{
	enum { POP = 0x8f };
	struct x86_insn insn;

	decode_at(cpu, rip, &insn);
	return insn.verdict == X86_OK && insn.memory && (insn.memory_access & X86_WRITE) &&
	       !(insn.encoding == X86_LEGACY && !insn.map && insn.opcode == POP);
}

static bool is_rotation_by_carry(const struct cpu *cpu, uint64_t rip)
{
	struct x86_insn insn;

	decode_at(cpu, rip, &insn);
	return insn.verdict == X86_OK && insn.encoding == X86_LEGACY && !insn.map && insn.reads_flags &&
	       ((insn.opcode & ~1u) == 0xc0 || (insn.opcode & ~3u) == 0xd0);
}

/* A fault at reading an operand that will be written. */
static void refine_write(struct cpu *cpu, uint64_t address, uint32_t *error, uint64_t rip)
{
	uint64_t first = address;

	*error |= PF_WRITE;
	if (address % PAGE || !operand_begins_read_only(cpu, rip, address, &first))
		return;
	*error |= PF_PRESENT;
	reg_set(cpu->uc, UC_X86_REG_CR2, first);
}

/* A page fault that stays one, at `address`. */
static void refine_page_fault(struct cpu *cpu, uint64_t address, uint32_t *error, uint64_t rip)
{
	enum { CARRY_AND_OVERFLOW = 0x801 };

	if (address - rip < MAX_INSTRUCTION) /* a fetch lies in the instruction */
		return;
	if (*error & PF_WRITE && pv_rotate_flags && is_rotation_by_carry(cpu, rip))
		reg_set(cpu->uc, UC_X86_REG_EFLAGS, (reg_get(cpu->uc, UC_X86_REG_EFLAGS) & ~(uint64_t)CARRY_AND_OVERFLOW) |
							    (pv_rotate_flags() & CARRY_AND_OVERFLOW));
	if (!(*error & PF_WRITE) && writes_operand(cpu, rip))
		refine_write(cpu, address, error, rip);
}

/* Unicorn has reported this one, which is no int n, for the instruction at `rip`: what a processor raises there. */
static uint32_t as_processors_do(struct cpu *cpu, uint32_t vector, uint32_t *error, uint64_t rip)
{
	uint64_t cr2 = reg_get(cpu->uc, UC_X86_REG_CR2);
	unsigned instead = 0;

	if (vector == VECTOR_GP)
		return !*error && stack_is_to_blame(cpu, rip) ? VECTOR_SS : vector;
	if (vector != VECTOR_PF)
		return vector;
	if (cr2 / PAGE == LAST_LOWER_PAGE)
		instead = stack_ends_behind(cpu, rip, cr2);
	if (instead) {
		*error = 0;
		reg_set(cpu->uc, UC_X86_REG_CR2, cpu->cr2);
	} else {
		refine_page_fault(cpu, cr2, error, rip);
	}
	return instead ? instead : vector;
}

bool exception_take(struct cpu *cpu, uint32_t vector)
{
	uint64_t rip = reg_get(cpu->uc, UC_X86_REG_RIP), begin = rip;
	uint32_t error;
	bool software;

	hidden_take_exception(&cpu->hidden, &error, &software);
	if (software)
		begin = int_before(cpu, rip);
	else if (vector == VECTOR_GP)
		begin = take_branch_back(cpu, rip);
	if (!software && begin == rip)
		vector = as_processors_do(cpu, vector, &error, rip);
	else if (!software)
		rip = begin;
	count_leave_block(cpu, rip);
	if (!software && skip_foreign_breakpoint(cpu, vector)) {
		oracle_settle(cpu, rip, true);
		return false;
	}
	cpu->config.run->exceptions++;
	raise(cpu, vector, software ? INT_N : EXCEPTION, error, rip, begin);
	return true;
}
