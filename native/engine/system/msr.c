/* SPDX-License-Identifier: GPL-2.0-only */
/* The MSRs that there are, and what may be written there (Intel SDM vol. 4, table 2-2; vol. 3, 11.11, 11.12). */
#include "engine/count/cpu.h"
#include "engine/platform/platform.h"
#include "engine/system/system.h"
#include "engine/unicorn/registers.h"
#include "engine/x86/insn.h"

#include <x86intrin.h>

enum {
	MSR_TSC = 0x10, MSR_MTRRCAP = 0xfe, MSR_UCODE_REV = 0x8b,
	MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176,
	MSR_MCG_CAP = 0x179, MSR_MCG_STATUS = 0x17a, MSR_MCG_CTL = 0x17b, MSR_MISC_ENABLE = 0x1a0,
	MSR_MTRR_PHYS = 0x200, MSR_MTRR_PHYS_END = 0x210,
	MSR_MTRR_FIX_64K = 0x250, MSR_MTRR_FIX_16K_80 = 0x258, MSR_MTRR_FIX_16K_A0 = 0x259,
	MSR_MTRR_FIX_4K = 0x268, MSR_MTRR_FIX_4K_END = 0x270,
	MSR_PAT = 0x277, MSR_MTRR_DEF_TYPE = 0x2ff, MSR_MC = 0x400, MSR_MC_END = 0x480,
};
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u

enum { CR4_TSD = 1 << 2 };
enum { EFER_SCE = 1 << 0, EFER_LME = 1 << 8, EFER_LMA = 1 << 10, EFER_NXE = 1 << 11 };
#define CR0_PG (1u << 31)
#define PHYSICAL_MASK 0xffffffffffull

static uint64_t unicorns(struct cpu *cpu, uint32_t number)
{
	uc_x86_msr msr = { .rid = number };

	uc_reg_read(cpu->uc, UC_X86_REG_MSR, &msr);
	return msr.value;
}

/* Of the banks of machine checks that Unicorn has, four registers each. */
static bool is_of_a_bank(struct cpu *cpu, uint32_t number)
{
	return number >= MSR_MC && number < MSR_MC_END && number < MSR_MC + 4 * (unicorns(cpu, MSR_MCG_CAP) & 0xff);
}

static bool is_mtrr(uint32_t number)
{
	return (number >= MSR_MTRR_PHYS && number < MSR_MTRR_PHYS_END) || number == MSR_MTRR_FIX_64K ||
	       number == MSR_MTRR_FIX_16K_80 || number == MSR_MTRR_FIX_16K_A0 ||
	       (number >= MSR_MTRR_FIX_4K && number < MSR_MTRR_FIX_4K_END) || number == MSR_MTRR_DEF_TYPE;
}

static bool exists(struct cpu *cpu, uint32_t number)
{
	switch (number) {
	case MSR_MTRRCAP: case MSR_UCODE_REV: case MSR_MCG_CAP: case MSR_MCG_STATUS: case MSR_MISC_ENABLE: case MSR_PAT:
	case MSR_EFER: case MSR_STAR: case MSR_LSTAR: case MSR_CSTAR: case MSR_FMASK:
	case MSR_FS_BASE: case MSR_GS_BASE: case MSR_KERNEL_GS_BASE:
		return true;
	case MSR_SYSENTER_CS: case MSR_SYSENTER_ESP: case MSR_SYSENTER_EIP:
		return cpu->x86.features >> X86_SYSENTER & 1;
	case MSR_TSC_AUX:
		return cpu->x86.features >> X86_RDTSCP & 1;
	case MSR_MCG_CTL:
		return unicorns(cpu, MSR_MCG_CAP) >> 8 & 1;
	default:
		return is_mtrr(number) || is_of_a_bank(cpu, number);
	}
}

/* Types of memory, a byte each: may all of them be? Uncached with the consent of MTRRs is PAT's alone. */
static bool are_types(uint64_t value, bool pat)
{
	const unsigned types = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | (pat ? 1 << 7 : 0);

	for (unsigned i = 0; i < 8; i++)
		if ((value >> 8 * i & 0xff) > 7 || !(types >> (value >> 8 * i & 0xff) & 1))
			return false;
	return true;
}

static bool mtrr_allows(uint32_t number, uint64_t value)
{
	const uint64_t base = (PHYSICAL_MASK & ~0xfffull) | 0xff, mask = (PHYSICAL_MASK & ~0xfffull) | 1 << 11,
		       def_type = 3 << 10 | 0xff;

	if (number == MSR_MTRR_DEF_TYPE)
		return !(value & ~def_type) && are_types(value & 0xff, false);
	if (number >= MSR_MTRR_PHYS_END)
		return are_types(value, false);
	return number % 2 ? !(value & ~mask) : !(value & ~base) && are_types(value & 0xff, false);
}

static bool efer_allows(struct cpu *cpu, uint64_t value)
{
	const uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

	if (value & ~known)
		return false;
	return !((value ^ unicorns(cpu, MSR_EFER)) & EFER_LME) || !(reg_get(cpu->uc, UC_X86_REG_CR0) & CR0_PG);
}

static bool allows(struct cpu *cpu, uint32_t number, uint64_t value)
{
	switch (number) {
	case MSR_MTRRCAP: case MSR_MCG_CAP:
		return false;
	case MSR_SYSENTER_ESP: case MSR_SYSENTER_EIP: case MSR_LSTAR: case MSR_CSTAR:
	case MSR_FS_BASE: case MSR_GS_BASE: case MSR_KERNEL_GS_BASE:
		return system_is_canonical(value);
	case MSR_FMASK: case MSR_TSC_AUX:
		return value <= UINT32_MAX;
	case MSR_PAT:
		return are_types(value, true);
	case MSR_EFER:
		return efer_allows(cpu, value);
	case MSR_MCG_STATUS:
		return value <= 7;
	default:
		return !is_mtrr(number) || mtrr_allows(number, value);
	}
}

/* The TSC is the host's, and nobody sets that. */
int msr_ask(struct system *system, bool write, uint32_t number, uint64_t *value)
{
	if (platform_is_there(system->platform)) {
		int ret = platform_msr(system->platform, write, number, value, reg_get(system->cpu->uc, UC_X86_REG_RIP));

		if (ret != PLATFORM_NOT_MINE)
			return ret;
	}
	if (number == MSR_TSC && !write) {
		*value = __rdtsc();
		return SYSTEM_DONE;
	}
	return exists(system->cpu, number) && (!write || allows(system->cpu, number, *value)) ? SYSTEM_PASS : SYSTEM_GP;
}

int msr_ask_tsc(struct system *system, uint64_t *value)
{
	struct cpu *cpu = system->cpu;

	if (!platform_is_there(system->platform))
		return SYSTEM_PASS;
	if (cpu->count.cpl == PV_CPL_USER && (reg_get(cpu->uc, UC_X86_REG_CR4) & CR4_TSD))
		return SYSTEM_GP;
	*value = platform_tsc(system->platform, reg_get(cpu->uc, UC_X86_REG_RIP));
	return SYSTEM_DONE;
}

uint32_t msr_tsc_aux(struct cpu *cpu)
{
	return (uint32_t)unicorns(cpu, MSR_TSC_AUX);
}
