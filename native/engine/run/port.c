/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/port.h"

#include "engine/count/count.h"
#include "engine/decode/decode.h"
#include "engine/exception/exception.h"
#include "engine/run/boundary.h"
#include "engine/run/state.h"
#include "engine/run/vmexit.h"
#include "engine/unicorn/kernel_read.h"
#include "engine/unicorn/registers.h"

enum { VECTOR_GP = 13, VECTOR_PF = 14 };

static void refuse(struct pv_engine *e, const struct trap *trap, unsigned vector)
{
	count_leave_block(&e->cpu, trap->address);
	exception_raise(&e->cpu, vector, 0, trap->address);
	rip_set_in_block(e->cpu.uc, reg_get(e->cpu.uc, UC_X86_REG_RIP));
}

static uint16_t port_number(struct pv_engine *e, const struct port_access *access)
{
	return access->in_dx ? (uint16_t)reg_get(e->cpu.uc, UC_X86_REG_RDX) : access->immediate;
}

/* False: #PF was raised at `trap`, as its own access would be. */
static bool read_task(struct pv_engine *e, const struct trap *trap, uint64_t address, void *to, size_t size)
{
	if (kernel_read(e->cpu.uc, &address, to, size))
		return true;
	reg_set(e->cpu.uc, UC_X86_REG_CR2, address);
	refuse(e, trap, VECTOR_PF);
	return false;
}

/* Does the task's I/O permission bitmap let a CPL above IOPL use these ports? (SDM vol. 1, 19.5.2) False: it was refused. */
static bool bitmap_allows(struct pv_engine *e, const struct trap *trap)
{
	enum { IO_MAP_BASE = 102 };
	unsigned port = port_number(e, &trap->port);
	uc_x86_mmr tr = { 0 };
	uint16_t base, bits;
	uint64_t at;

	uc_reg_read(e->cpu.uc, UC_X86_REG_TR, &tr);
	if (IO_MAP_BASE + 1 <= tr.limit) {
		if (!read_task(e, trap, tr.base + IO_MAP_BASE, &base, sizeof(base)))
			return false;
		at = base + port / 8;
		if (at + 1 <= tr.limit) {
			if (!read_task(e, trap, tr.base + at, &bits, sizeof(bits)))
				return false;
			if (!(bits >> port % 8 & ((1u << trap->port.size) - 1)))
				return true;
		}
	}
	refuse(e, trap, VECTOR_GP);
	return false;
}

/* Unicorn does not ask. False: an exception was raised. */
static bool port_permitted(struct pv_engine *e, const struct trap *trap)
{
	return e->cpu.count.cpl == PV_CPL_KERNEL || (reg_get(e->cpu.uc, UC_X86_REG_EFLAGS) >> 12 & 3) == 3 ||
	       bitmap_allows(e, trap);
}

bool port_reaches_host(struct pv_engine *e, uint16_t port, unsigned size, uint32_t *value, uint32_t *to)
{
	*to = port;
	if (!platform_is_there(&e->platform) || port == PV_PORT_EXIT)
		return true;
	switch (platform_out(&e->platform, e->vmexit.port_rip, port, size, *value)) {
	case DEVICES_NONE:
		return false;
	case DEVICES_CONSOLE:
		*to = PV_PORT_CONSOLE;
		return true;
	case DEVICES_RESET:
		*to = PV_PORT_EXIT;
		*value = 0;
		return true;
	}
	return false;
}

/* The block goes on behind it, unless something is to be looked at first. */
static void exit_for(struct pv_engine *e, const struct trap *trap)
{
	const uint32_t first = ATTEND_BOUNDARY & ~ATTEND_IRET;
	uint64_t mask = (1ull << 8 * trap->port.size) - 1;
	uint32_t value = (uint32_t)(reg_get(e->cpu.uc, UC_X86_REG_RAX) & mask), to;

	if (!boundary_attend_inside(e, trap->address))
		return;
	if (!port_reaches_host(e, port_number(e, &trap->port), trap->port.size, &value, &to))
		count_penalty(&e->cpu, PV_CYCLES_VM_EXIT);
	else if (!vmexit_out(e, trap->address, to, trap->port.size, value))
		return;
	if (unlikely(e->cpu.count.attend & first))
		boundary_leave_inside(e, trap->address + trap->length);
	else
		e->vmexit.out_exited = true;
}

void port_trap(struct pv_engine *e, const struct trap *trap)
{
	e->vmexit.out_exited = false;
	e->vmexit.port_rip = trap->address;
	if (port_permitted(e, trap) && trap->kind == TRAP_OUT)
		exit_for(e, trap);
}
