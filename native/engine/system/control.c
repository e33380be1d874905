/* SPDX-License-Identifier: GPL-2.0-only */
/* Control registers, XCR0, the bases of FS and GS (Intel SDM vol. 3, 2.5, 2.6; vol. 1, 13.3; vol. 2, MOV to CR, WRFSBASE). */
#include "engine/count/cpu.h"
#include "engine/decode/decode.h"
#include "engine/platform/platform.h"
#include "engine/system/cpuid.h"
#include "engine/system/system.h"
#include "engine/unicorn/registers.h"
#include "engine/x86/insn.h"

enum {
	CR0_PE = 1 << 0, CR0_NW = 1 << 29, CR0_CD = 1 << 30,
	CR4_TSD = 1 << 2, CR4_DE = 1 << 3, CR4_PSE = 1 << 4, CR4_PAE = 1 << 5, CR4_MCE = 1 << 6, CR4_PGE = 1 << 7,
	CR4_PCE = 1 << 8, CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10, CR4_FSGSBASE = 1 << 16, CR4_OSXSAVE = 1 << 18,
	CR4_SMEP = 1 << 20, CR4_SMAP = 1 << 21,
	CR4_ALWAYS = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_SMEP,
	CR8_KNOWN = 0xf,
};
#define CR0_PG (1u << 31)
#define CR0_KNOWN 0xe005003fu /* the rest of the lower half is not kept */
#define CR3_KNOWN 0xffffffffffull

static uint64_t cr4_known(const struct cpu *cpu)
{
	uint64_t features = cpu->x86.features;

	return CR4_ALWAYS | (features >> X86_FSGSBASE & 1 ? CR4_FSGSBASE : 0) | (features >> X86_XSAVE & 1 ? CR4_OSXSAVE : 0) |
	       (features >> X86_SMAP & 1 ? CR4_SMAP : 0);
}

/* In 64-bit mode, that is left by another way than to clear PG or PAE. */
static bool cr_allows(const struct cpu *cpu, unsigned number, uint64_t value)
{
	switch (number) {
	case 0:
		return value <= UINT32_MAX && (cpu->narrow || ((value & CR0_PG) && (value & CR0_PE))) &&
		       (!(value & CR0_PG) || (value & CR0_PE)) && (!(value & CR0_NW) || (value & CR0_CD));
	case 3:
		return !(value & ~CR3_KNOWN);
	case 4:
		return !(value & ~cr4_known(cpu)) && (cpu->narrow || (value & CR4_PAE));
	case 8:
		return !(value & ~(uint64_t)CR8_KNOWN);
	default:
		return true;
	}
}

/* CR8 is kept here: Unicorn has no APIC to tell of it, and reads 0. */
int control_ask_cr(struct system *system, bool write, unsigned number, uint64_t *value)
{
	if (!write) {
		if (number != 8)
			return SYSTEM_PASS;
		*value = platform_is_there(system->platform) ? platform_cr8(system->platform) : system->cr8;
		return SYSTEM_DONE;
	}
	if (!cr_allows(system->cpu, number, *value))
		return SYSTEM_GP;
	if (number == 0)
		*value &= CR0_KNOWN;
	if (number == 2)
		system->cpu->cr2 = *value;
	if (number == 8 && platform_is_there(system->platform))
		platform_set_cr8(system->platform, *value);
	else if (number == 8)
		system->cr8 = *value;
	return SYSTEM_PASS;
}

int control_ask_xcr(struct system *system, uint64_t number, uint64_t value)
{
	enum { X87 = 1, SSE = 2, AVX = 4 };

	if (!(reg_get(system->cpu->uc, UC_X86_REG_CR4) & CR4_OSXSAVE))
		return SYSTEM_UD;
	if (number || !(value & X87) || (value & ~cpuid_xcr0(system->cpu)) || ((value & AVX) && !(value & SSE)))
		return SYSTEM_GP;
	system->calls.xcr0 = value;
	return SYSTEM_PASS;
}

/* In front of rdfsbase, rdgsbase, wrfsbase or wrgsbase, with RIP there if any register is not canonical. */
int control_ask_fs_gs(struct system *system, bool may_fault)
{
	static const int registers[16] = {
		UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP,
		UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11,
		UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
	};
	struct cpu *cpu = system->cpu;
	uint8_t code[MAX_INSTRUCTION];
	struct x86_insn insn;

	if (!(reg_get(cpu->uc, UC_X86_REG_CR4) & CR4_FSGSBASE))
		return SYSTEM_UD;
	if (!may_fault)
		return SYSTEM_PASS;
	x86_decode(&cpu->x86, code, decode_fetch(cpu->uc, reg_get(cpu->uc, UC_X86_REG_RIP), code), &insn);
	if (insn.verdict != X86_OK || !(insn.modrm & 0x10) || !insn.w) /* it reads, or writes 32 bits */
		return SYSTEM_PASS;
	return system_is_canonical(reg_get(cpu->uc, registers[(insn.modrm & 7) | insn.b << 3])) ? SYSTEM_PASS : SYSTEM_GP;
}
