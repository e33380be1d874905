/* SPDX-License-Identifier: GPL-2.0-only */
/* Port I/O: what Unicorn leaves out of it is whether the guest may, and the exit of an out. */
#include "engine/run/state.h"

enum { VECTOR_GP = 13, REX = 0x40, REX_W = 0x48 };

/* Of an instruction that takes no LOCK. */
static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67: case 0xf2: case 0xf3:
		return true;
	default:
		return (byte & 0xf0) == REX;
	}
}

struct port_access port_decode(const uint8_t *code, unsigned length)
{
	struct port_access ret = { .size = 4 };
	bool word = false;
	unsigned at = 0;

	for (; at + 1 < length && is_prefix(code[at]); at++)
		word |= code[at] == 0x66;
	if (!(code[at] & 1))
		ret.size = 1;
	else if (word && !(at && (code[at - 1] & 0xf8) == REX_W))
		ret.size = 2;
	ret.in_dx = (code[at] & 0xfc) != 0xe4;
	if (!ret.in_dx)
		ret.immediate = code[at + 1];
	return ret;
}

static uint16_t port_number(struct pv_engine *e, const struct port_access *access)
{
	return access->in_dx ? (uint16_t)reg_get(e, UC_X86_REG_RDX) : access->immediate;
}

/* Does the task's I/O permission bitmap let a CPL above IOPL use these ports? (SDM vol. 1, 19.5.2) */
static bool bitmap_allows(struct pv_engine *e, const struct port_access *access)
{
	enum { IO_MAP_BASE = 102 };
	unsigned port = port_number(e, access);
	uc_x86_mmr tr = { 0 };
	uint16_t base, bits;
	uint64_t at;

	uc_reg_read(e->uc, UC_X86_REG_TR, &tr);
	if (IO_MAP_BASE + 1 > tr.limit ||
	    uc_vmem_read(e->uc, tr.base + IO_MAP_BASE, UC_PROT_READ, &base, sizeof(base)) != UC_ERR_OK)
		return false;
	at = base + port / 8;
	if (at + 1 > tr.limit ||
	    uc_vmem_read(e->uc, tr.base + at, UC_PROT_READ, &bits, sizeof(bits)) != UC_ERR_OK)
		return false;
	return !(bits >> port % 8 & ((1u << access->size) - 1));
}

/* Unicorn does not ask. False: #GP was raised. */
static bool port_permitted(struct pv_engine *e, const struct trap *trap)
{
	if (e->cpl == PV_CPL_KERNEL || (reg_get(e, UC_X86_REG_EFLAGS) >> 12 & 3) == 3 || bitmap_allows(e, &trap->port))
		return true;
	count_leave_block(e, trap->address);
	exception_raise(e, VECTOR_GP, 0, trap->address);
	rip_set_in_block(e, reg_get(e, UC_X86_REG_RIP));
	return false;
}

/* The block goes on behind it, unless something is to be looked at first. */
static void exit_for(struct pv_engine *e, const struct trap *trap)
{
	const uint32_t first = ATTEND_BOUNDARY & ~ATTEND_IRET;
	uint64_t mask = (1ull << 8 * trap->port.size) - 1;

	if (!boundary_attend_inside(e, trap->address))
		return;
	if (!vmexit_out(e, trap->address, port_number(e, &trap->port), trap->port.size,
			(uint32_t)(reg_get(e, UC_X86_REG_RAX) & mask)))
		return;
	if (unlikely(e->attend & first))
		boundary_leave_inside(e, trap->address + trap->length);
	else
		e->out_exited = true;
}

void port_trap(struct pv_engine *e, const struct trap *trap)
{
	e->out_exited = false;
	if (port_permitted(e, trap) && trap->kind == TRAP_OUT)
		exit_for(e, trap);
}
