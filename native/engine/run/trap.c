/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that a code hook executes in Unicorn's place: those that must be atomic between vCPU
 * processes, where parallel.c does not make them so within the block. The hook leaves the block behind such an
 * instruction, so a block is charged up to it. To others it adds what Unicorn leaves out, and the block goes on:
 * port I/O, whose privilege check and exit must be exact, mfence, and what is watched.
 */
#include "engine/run/state.h"

#include <errno.h>

enum { PAGE = 4096 };

/* Unicorn's numbers of the registers of lockop.h, in hardware order. */
static const int general[16] = {
	UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX,
	UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI, UC_X86_REG_RDI,
	UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11,
	UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
};

/* Register numbers of the set bits of `mask`, beside the places in `regs` that hold them. */
static int registers_of(uint16_t mask, struct lockop_registers *regs, int *numbers, void **values)
{
	int n = 0;

	for (unsigned i = 0; i < 16; i++)
		if (mask >> i & 1) {
			numbers[n] = general[i];
			values[n++] = &regs->gpr[i];
		}
	return n;
}

static void registers_read(struct pv_engine *e, const struct lockop *op, struct lockop_registers *regs)
{
	int numbers[16];
	void *values[16];

	int n = registers_of(op->reads | op->writes, regs, numbers, values);

	uc_reg_read_batch(e->uc, numbers, values, n);
	if (op->flags)
		regs->rflags = reg_get(e, UC_X86_REG_EFLAGS);
	if (op->segment != LOCKOP_NONE) {
		regs->fs_base = reg_get(e, UC_X86_REG_FS_BASE);
		regs->gs_base = reg_get(e, UC_X86_REG_GS_BASE);
	}
}

static void registers_write(struct pv_engine *e, const struct lockop *op, struct lockop_registers *regs)
{
	int numbers[16];
	void *values[16];

	int n = registers_of(op->writes, regs, numbers, values);

	uc_reg_write_batch(e->uc, numbers, values, n);
	if (op->flags)
		reg_set(e, UC_X86_REG_EFLAGS, regs->rflags);
}

/* Where the first and the last byte of an operand lie. */
struct operand_gpa {
	gpa_t first, last;
};

/* False if the guest may not write all of it, or it is not in RAM: Unicorn then executes the
 * instruction, which faults as it should. */
static bool writable_operand(struct pv_engine *e, uint64_t address, unsigned width, struct operand_gpa *ret)
{
	uint64_t last = address + width - 1;

	if (last < address || uc_vmem_translate(e->uc, address, UC_PROT_WRITE, &ret->first) != UC_ERR_OK)
		return false;
	if (address / PAGE == last / PAGE)
		ret->last = ret->first + width - 1;
	else if (uc_vmem_translate(e->uc, last, UC_PROT_WRITE, &ret->last) != UC_ERR_OK)
		return false;
	return ret->first < e->config.ram_size && ret->last < e->config.ram_size;
}

/* Host memory of it; NULL ends the VM. */
static void *operand_memory(struct pv_engine *e, const struct operand_gpa *at, unsigned width)
{
	uint8_t *pages;

	if (at->last == at->first + width - 1)
		return e->config.ram + at->first;
	pages = span_map(&e->span, e->config.ram + at->first / PAGE * PAGE, e->config.ram + at->last / PAGE * PAGE);
	if (pages)
		return pages + at->first % PAGE;
	vmexit_fail(e, -errno, "cannot map the pages 0x%llx and 0x%llx, which a locked operation crosses",
		    (unsigned long long)at->first, (unsigned long long)at->last);
	return NULL;
}

static bool holds_code(const struct pv_engine *e, gpa_t first, gpa_t last)
{
	for (gpa_t line = first / CODE_LINE; line <= last / CODE_LINE; line++)
		if (e->code_lines[line / 64] >> line % 64 & 1)
			return true;
	return false;
}

bool trap_holds_code(struct pv_engine *e, uint64_t address, unsigned width)
{
	struct operand_gpa at;

	return writable_operand(e, address, width, &at) &&
	       (holds_code(e, at.first, at.first) || holds_code(e, at.last, at.last));
}

bool trap_may_be_no_execute(struct pv_engine *e)
{
	enum { MSR_EFER = 0xc0000080, EFER_NXE = 1 << 11, CR4_SMEP = 1 << 20 };
	uc_x86_msr efer = { .rid = MSR_EFER };

	uc_reg_read(e->uc, UC_X86_REG_MSR, &efer);
	return (efer.value & EFER_NXE) || (reg_get(e, UC_X86_REG_CR4) & CR4_SMEP);
}

/*
 * The store went past Unicorn: it must not keep a translation of what was there. It looks for that as for code at
 * the store's address, from there on in RAM: where it is not allowed to execute that, it would find nothing and
 * take it for a fault, and of two pages it knows the first.
 */
static void drop_code(struct pv_engine *e, uint64_t address, const struct operand_gpa *at, unsigned width)
{
	bool apart = at->last != at->first + width - 1;
	gpa_t end = apart ? at->first | (PAGE - 1) : at->last, begin = apart ? at->last / PAGE * PAGE : at->first;

	if (!holds_code(e, at->first, end) && !holds_code(e, begin, at->last))
		return;
	if (apart || trap_may_be_no_execute(e))
		count_attend(e, ATTEND_FLUSH);
	else
		uc_ctl_remove_cache(e->uc, address, address + width);
}

/* Page by page, as Unicorn tells of accesses. */
static void note_access(struct pv_engine *e, uint64_t rip, uint64_t address, const struct operand_gpa *at,
			unsigned width, bool write)
{
	unsigned here = PAGE - at->first % PAGE;
	struct held_piece piece = { at->first, address, here < width ? here : width, write, true };

	held_access(e, rip, &piece);
	if (here >= width)
		return;
	piece = (struct held_piece){ at->last / PAGE * PAGE, address + here, width - here, write, true };
	held_access(e, rip, &piece);
}

/* The instruction has retired, and with it its block. */
static void leave_behind(struct pv_engine *e, const struct trap *trap)
{
	e->current = NULL;
	rip_set_in_block(e, trap->address + trap->length);
}

static void trap_locked(struct pv_engine *e, const struct trap *trap)
{
	struct lockop_registers regs = { .rip = trap->address };
	const unsigned width = trap->locked.width;
	struct operand_gpa gpa;
	uint64_t address;
	void *memory;

	registers_read(e, &trap->locked, &regs);
	address = lockop_address(&trap->locked, &regs);
	if (lockop_misaligned(&trap->locked, address))
		return; /* Unicorn raises #GP */
	if (!writable_operand(e, address, width, &gpa))
		return;
	memory = operand_memory(e, &gpa, width);
	if (!memory)
		return;
	lockop_execute(&trap->locked, memory, &regs);
	registers_write(e, &trap->locked, &regs);
	drop_code(e, address, &gpa, width);
	if (e->hooks.memory) {
		note_access(e, trap->address, address, &gpa, width, false);
		note_access(e, trap->address, address, &gpa, width, true);
	}
	count_penalty(e, PV_CYCLES_LOCKED_OP);
	e->config.run->locked_ops++;
	e->config.run->locked_trapped++;
	leave_behind(e, trap);
}

bool trap_is_locked(struct pv_engine *e, uint64_t rip)
{
	uint8_t code[MAX_INSTRUCTION];
	struct lockop ignored;

	return lockop_decode_bytes(code, decode_fetch(e, rip, code), rip, &ignored);
}

static void execute(struct pv_engine *e, const struct trap *trap)
{
	switch (trap->kind) {
	case TRAP_LOCKED:
		trap_locked(e, trap);
		break;
	case TRAP_OUT:
	case TRAP_PORT:
		port_trap(e, trap);
		break;
	case TRAP_FENCE:
		__builtin_ia32_mfence();
		break;
	case TRAP_WATCHED:
		held_execute(e, trap->address);
		break;
	}
}

/* Before each instruction from the first trap of a block to its last. */
void on_trap(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	struct pv_engine *e = data;
	const struct block *block = e->current;

	(void)uc;
	(void)size;
	for (unsigned i = 0; block && i < block->traps; i++)
		if (block->trap[i].address == address) {
			blocks_expect(e, &block->trap[i]);
			execute(e, &block->trap[i]);
		}
}
