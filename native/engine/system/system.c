/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/system/system.h"

#include <errno.h>

#include "engine/count/cpu.h"
#include "engine/platform/platform.h"
#include "engine/unicorn/registers.h"

/* Nobody may have loaded the library of interposed/system.c. */
extern __typeof__(pv_system_of) pv_system_of __attribute__((weak));

enum { MXCSR_KNOWN = 0xffff, XCR0_X87 = 1 };

static int ask(void *owner, enum system_instruction what, uint64_t which, uint64_t *value)
{
	struct system *system = owner;

	switch (what) {
	case SYSTEM_RDMSR:
	case SYSTEM_WRMSR:
		return msr_ask(system, what == SYSTEM_WRMSR, (uint32_t)which, value);
	case SYSTEM_READ_CR:
	case SYSTEM_WRITE_CR:
		return control_ask_cr(system, what == SYSTEM_WRITE_CR, (unsigned)which, value);
	case SYSTEM_READ_DR:
	case SYSTEM_WRITE_DR:
		return debug_ask(system, what == SYSTEM_WRITE_DR, (unsigned)which, value);
	case SYSTEM_WROTE_DR:
		debug_wrote(system);
		return SYSTEM_PASS;
	case SYSTEM_RDTSC:
		return msr_ask_tsc(system, value);
	case SYSTEM_RDTSCP:
		value[1] = msr_tsc_aux(system->cpu);
		return msr_ask_tsc(system, value);
	case SYSTEM_RDPMC:
		return SYSTEM_GP; /* there is no counter */
	case SYSTEM_XSETBV:
		return control_ask_xcr(system, which, *value);
	case SYSTEM_MXCSR:
		return *value & ~(uint64_t)MXCSR_KNOWN ? SYSTEM_GP : SYSTEM_PASS;
	case SYSTEM_FS_GS:
		return control_ask_fs_gs(system, which);
	}
	return SYSTEM_PASS;
}

void system_create(struct system *system, struct cpu *cpu, struct platform *platform)
{
	*system = (struct system){
		.calls = { ask, debug_watched, debug_touched, debug_touched_port, .owner = system, .xcr0 = XCR0_X87 },
		.cpu = cpu,
		.platform = platform,
	};
}

enum { MARK = 0x70767066 };

/* For an MSR and a control register that nobody else knows: the mark, and its complement. */
static int ask_for_marks(void *owner, enum system_instruction what, uint64_t which, uint64_t *value)
{
	(void)owner;
	if (which == MARK && what == SYSTEM_RDMSR)
		*value = MARK | (uint64_t)~(uint32_t)MARK << 32;
	else if (which == 8 && what == SYSTEM_READ_CR)
		*value = MARK;
	else
		return SYSTEM_PASS;
	return SYSTEM_DONE;
}

int system_calibrate(uc_engine *uc, uint64_t page)
{
	/* mov %cr8, %rbx; rdmsr; hlt */
	static const uint8_t code[] = { 0x44, 0x0f, 0x20, 0xc3, 0x0f, 0x32, 0xf4 };
	struct system_calls calls = { .ask = ask_for_marks }, *before;
	const uint64_t at = page + 0x300; /* others were executed in front */
	uc_err err;

	if (!pv_system_of)
		return 0;
	reg_set(uc, UC_X86_REG_RCX, MARK);
	if (uc_mem_write(uc, at, code, sizeof(code)))
		return -ENOMEM;
	before = pv_system_of(&calls);
	err = uc_emu_start(uc, at, 0, 0, 0);
	pv_system_of(before);
	return !err && reg_get(uc, UC_X86_REG_RAX) == MARK && reg_get(uc, UC_X86_REG_RDX) == (uint32_t)~(uint32_t)MARK &&
	       reg_get(uc, UC_X86_REG_RBX) == MARK ? 0 : -EOPNOTSUPP;
}

struct system_calls *system_enter(struct system *system)
{
	return pv_system_of ? pv_system_of(&system->calls) : NULL;
}

void system_leave(struct system_calls *before)
{
	if (pv_system_of)
		pv_system_of(before);
}

void system_debug_registers_set(struct system *system)
{
	system->debug.touched = 0;
	debug_wrote(system);
}
