/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E. The processor has the name and the numbers of the one that Unicorn
 * takes for its own. There is no PMU and no MONITOR; without a platform there is no APIC, and the TSC has no frequency that anyone could
 * name: it is the host's. Caches are those of the model that counts them (models/cache.h).
 */
#include "engine/system/cpuid.h"

#include <string.h>

#include "abi/kvm_pv_perf.h"
#include "engine/count/cpu.h"
#include "engine/models/cache.h"
#include "engine/system/features.h"
#include "engine/unicorn/registers.h"
#include "engine/x86/insn.h"

enum { EAX, EBX, ECX, EDX };

enum {
	BASIC_LAST = 0xd, BASIC_LAST_OF_PLATFORM = 0x15,
	HYPERVISOR = 0x40000000,
	HYPERVISORS_END = 0x50000000,
	SIGNATURE = 0x306c4, /* family 6, model 60 */
	CLFLUSH_LINE = 64,
	ADDRESS_BITS = 48 << 8 | 40, /* linear, physical */

	ONE_ECX_X2APIC = 1 << 21, ONE_ECX_DEADLINE = 1 << 24,
	ONE_ECX_OSXSAVE = 1 << 27,
	ONE_EDX_APIC = 1 << 9,
	ONE_EDX_HTT = 1 << 28,
	SEVEN_EBX = 1 << 7 | 1 << 9, /* SMEP, ERMS */
	SIX_EAX_ARAT = 1 << 2,
	TSC_HZ = 1000000000,
	EXTENDED_SEVEN_EDX_INVARIANT = 1 << 8,
	EXTENDED_EDX = 1 << 11 | 1 << 20 | 1 << 29, /* SYSCALL, NX, long mode */

	CR4_OSXSAVE = 1 << 18,

	XCR0_X87 = 1, XCR0_SSE = 2, XCR0_AVX = 4,
	XSAVE_LEGACY_BYTES = 576, /* with its header */
	XSAVE_YMM_BYTES = 256,
};
#define ONE_ECX_HYPERVISOR (1u << 31)
/* FPU, DE, PSE, TSC, MSR, PAE, MCE, CX8, MTRR, PGE, MCA, CMOV, PAT, PSE36, CLFSH, MMX, FXSR, SSE, SSE2 */
#define ONE_EDX 0x078bf1fdu
#define EXTENDED 0x80000000u
#define EXTENDED_LAST 0x80000008u

static const char vendor[] = "GenuineIntel", brand[48] = "Intel Core Processor (Haswell)";

uint64_t cpuid_xcr0(const struct cpu *cpu)
{
	return XCR0_X87 | XCR0_SSE | (cpu->x86.features >> X86_AVX & 1 ? XCR0_AVX : 0);
}

static void put_vendor(uint32_t out[4])
{
	memcpy(&out[EBX], vendor, 4);
	memcpy(&out[EDX], vendor + 4, 4);
	memcpy(&out[ECX], vendor + 8, 4);
}

/* Bits of an APIC ID that tell vCPUs apart. */
static unsigned id_bits(const struct cpu *cpu)
{
	unsigned bits = 0;

	while (1u << bits < cpu->config.page->vcpus)
		bits++;
	return bits;
}

static void answer_features(struct cpu *cpu, uint32_t out[4])
{
	uint32_t vcpus = cpu->config.page->vcpus;

	out[EAX] = SIGNATURE;
	out[EBX] = cpu->config.vcpu << 24 | (vcpus > 1 ? 1u << id_bits(cpu) : 0) << 16 | CLFLUSH_LINE / 8 << 8;
	out[ECX] = features_in(cpu->x86.features, 1, ECX) | ONE_ECX_HYPERVISOR;
	if ((cpu->x86.features >> X86_XSAVE & 1) && (reg_get(cpu->uc, UC_X86_REG_CR4) & CR4_OSXSAVE))
		out[ECX] |= ONE_ECX_OSXSAVE;
	out[EDX] = features_in(cpu->x86.features, 1, EDX) | ONE_EDX | (vcpus > 1 ? ONE_EDX_HTT : 0);
	if (cpu->config.platform) {
		out[ECX] |= ONE_ECX_X2APIC | ONE_ECX_DEADLINE;
		out[EDX] |= ONE_EDX_APIC;
	}
}

/* Leaf 4. Both caches are a vCPU's own; that of instructions is as large as that of data. */
static void answer_cache(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
	enum { DATA = 1, CODE, UNIFIED, SELF_INITIALISING = 1 << 8 };
	const struct cache *cache = subleaf == 2 ? &cpu->hooks.caches.llc : &cpu->hooks.caches.l1d;
	uint32_t type = subleaf == 2 ? UNIFIED : subleaf == 1 ? CODE : DATA;

	if (subleaf > 2)
		return;
	out[EAX] = type | (subleaf == 2 ? 2u : 1u) << 5 | SELF_INITIALISING | ((1u << id_bits(cpu)) - 1) << 26;
	out[EBX] = ((1u << cache->line_bits) - 1) | (cache->ways - 1) << 22;
	out[ECX] = cache->sets - 1;
}

/* Leaf 0xb: each vCPU is a core. */
static void answer_topology(const struct cpu *cpu, uint32_t subleaf, uint32_t out[4])
{
	enum { THREAD = 1 << 8, CORE = 2 << 8 };

	if (subleaf == 0)
		out[EBX] = 1;
	else if (subleaf == 1) {
		out[EAX] = id_bits(cpu);
		out[EBX] = cpu->config.page->vcpus;
	}
	out[ECX] = subleaf | (subleaf == 0 ? THREAD : subleaf == 1 ? CORE : 0);
	out[EDX] = cpu->config.vcpu;
}

static uint32_t xsave_bytes(uint64_t xcr0)
{
	return XSAVE_LEGACY_BYTES + (xcr0 & XCR0_AVX ? XSAVE_YMM_BYTES : 0);
}

static void answer_xsave(struct cpu *cpu, uint64_t xcr0, uint32_t subleaf, uint32_t out[4])
{
	const uint64_t all = cpuid_xcr0(cpu);

	if (!(cpu->x86.features >> X86_XSAVE & 1))
		return;
	if (subleaf == 0) {
		out[EAX] = (uint32_t)all;
		out[EBX] = xsave_bytes(xcr0);
		out[ECX] = xsave_bytes(all);
	} else if (subleaf == 1) {
		out[EAX] = features_in(cpu->x86.features, 0xd, EAX);
		out[EBX] = cpu->x86.features >> X86_XSAVEC & 1 ? xsave_bytes(xcr0) : 0;
	} else if (subleaf == 2 && (all & XCR0_AVX)) {
		out[EAX] = XSAVE_YMM_BYTES;
		out[EBX] = XSAVE_LEGACY_BYTES;
	}
}

static uint32_t basic_last(const struct cpu *cpu)
{
	return cpu->config.platform ? BASIC_LAST_OF_PLATFORM : BASIC_LAST;
}

/* Leaves 6 and 15h: the APIC's timer never stops, and it and the TSC have one clock. */
static void answer_clock(uint32_t leaf, uint32_t out[4])
{
	if (leaf == 6) {
		out[EAX] = SIX_EAX_ARAT;
		return;
	}
	out[EAX] = out[EBX] = 1;
	out[ECX] = TSC_HZ;
}

static void answer_basic(struct cpu *cpu, uint64_t xcr0, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	enum { SEE_LEAF_4 = 0xff01 };

	switch (leaf) {
	case 0:
		out[EAX] = basic_last(cpu);
		put_vendor(out);
		break;
	case 1:
		answer_features(cpu, out);
		break;
	case 2:
		out[EAX] = SEE_LEAF_4;
		break;
	case 4:
		answer_cache(cpu, subleaf, out);
		break;
	case 7:
		if (subleaf)
			break;
		out[EBX] = features_in(cpu->x86.features, 7, EBX) | SEVEN_EBX;
		out[ECX] = features_in(cpu->x86.features, 7, ECX);
		break;
	case 0xb:
		answer_topology(cpu, subleaf, out);
		break;
	case 6: case 0x15:
		if (cpu->config.platform)
			answer_clock(leaf, out);
		break;
	case 0xd:
		answer_xsave(cpu, xcr0, subleaf, out);
		break;
	}
}

/* Associativity as leaf 0x80000006 has it. */
static uint32_t ways_code(uint32_t ways)
{
	static const uint8_t codes[][2] = { { 1, 1 }, { 2, 2 }, { 4, 4 }, { 8, 6 }, { 16, 8 }, { 32, 0xa }, { 48, 0xb }, { 64, 0xd } };

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i][0] == ways)
			return codes[i][1];
	return 0xf;
}

static void answer_extended(const struct cpu *cpu, uint32_t leaf, uint32_t out[4])
{
	const struct cache *llc = &cpu->hooks.caches.llc;

	switch (leaf) {
	case EXTENDED:
		out[EAX] = EXTENDED_LAST;
		break;
	case EXTENDED + 1:
		out[ECX] = features_in(cpu->x86.features, leaf, ECX);
		out[EDX] = features_in(cpu->x86.features, leaf, EDX) | EXTENDED_EDX;
		break;
	case EXTENDED + 2: case EXTENDED + 3: case EXTENDED + 4:
		memcpy(out, brand + (leaf - EXTENDED - 2) * 16, 16);
		break;
	case EXTENDED + 6:
		out[ECX] = (llc->sets * llc->ways << llc->line_bits) / 1024 << 16 | ways_code(llc->ways) << 12 |
			   (1u << llc->line_bits & 0xff);
		break;
	case EXTENDED + 7:
		out[EDX] = cpu->config.platform ? EXTENDED_SEVEN_EDX_INVARIANT : 0;
		break;
	case EXTENDED + 8:
		out[EAX] = ADDRESS_BITS;
		break;
	}
}

static void answer_hypervisor(const struct cpu *cpu, uint32_t leaf, uint32_t out[4])
{
	const struct pv_vm_page *page = cpu->config.page;

	switch (leaf) {
	case KVM_CPUID_SIGNATURE:
		out[EAX] = KVM_CPUID_PV_PERF;
		memcpy(&out[EBX], "KVMKVMKVM\0\0\0", 12);
		break;
	case KVM_CPUID_FEATURES:
		out[EAX] = page->pv_perf ? 1u << KVM_FEATURE_PV_PERF : 0;
		break;
	case KVM_CPUID_PV_PERF:
		if (!page->pv_perf)
			break;
		out[EAX] = page->max_events;
		out[EBX] = page->counters;
		out[ECX] = page->pv_perf;
		break;
	}
}

void cpuid_answer(struct cpu *cpu, uint64_t xcr0, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 4 * sizeof(*out));
	if (leaf >= HYPERVISOR && leaf < HYPERVISORS_END)
		answer_hypervisor(cpu, leaf, out);
	else if (leaf >= EXTENDED && leaf <= EXTENDED_LAST)
		answer_extended(cpu, leaf, out);
	else /* what there is not is answered as the last basic leaf, by this vendor */
		answer_basic(cpu, xcr0, leaf <= basic_last(cpu) ? leaf : basic_last(cpu), subleaf, out);
}
