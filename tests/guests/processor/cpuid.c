/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUID: its leaves fit each other, and what it offers is there, what not is #UD. Option: the level of the x86-64 psABI that
 * it is to be, no more and no less. */
#include "guest.h"

enum { EAX, EBX, ECX, EDX, UD = 6, CR4_OSXSAVE = 1 << 18, CR4_FSGSBASE = 1 << 16 };

static struct cpuid leaf_of(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid ret;

	__asm__ volatile("cpuid" : "=a"(ret.eax), "=b"(ret.ebx), "=c"(ret.ecx), "=d"(ret.edx) : "a"(leaf), "c"(subleaf));
	return ret;
}

static bool has(uint32_t leaf, unsigned reg, unsigned bit)
{
	struct cpuid all = leaf_of(leaf, leaf == 0xd);
	uint32_t regs[] = { all.eax, all.ebx, all.ecx, all.edx };

	return regs[reg] >> bit & 1;
}

/* Levels of the psABI beyond the first. */
static const struct {
	uint32_t leaf;
	uint8_t reg, bit, level;
} levels[] = {
	{ 1, ECX, 0, 2 }, { 1, ECX, 9, 2 }, { 1, ECX, 13, 2 }, { 1, ECX, 19, 2 }, { 1, ECX, 20, 2 }, { 1, ECX, 23, 2 },
	{ 0x80000001, ECX, 0, 2 },
	{ 1, ECX, 12, 3 }, { 1, ECX, 22, 3 }, { 1, ECX, 26, 3 }, { 1, ECX, 28, 3 }, { 1, ECX, 29, 3 }, { 7, EBX, 3, 3 },
	{ 7, EBX, 5, 3 }, { 7, EBX, 8, 3 }, { 0x80000001, ECX, 5, 3 },
	/* in none of them */
	{ 1, ECX, 1, 9 }, { 1, ECX, 25, 9 }, { 1, ECX, 30, 9 }, { 7, EBX, 0, 9 }, { 7, EBX, 19, 9 }, { 7, EBX, 29, 9 },
	{ 0x80000001, EDX, 27, 9 },
};

static void test_level(uint64_t level)
{
	const uint32_t baseline = 1 | 1 << 8 | 1 << 15 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 26;

	report((cpuid(1).edx & baseline) == baseline, "what every x86-64 has");
	for (unsigned i = 0; level && i < ARRAY_SIZE(levels); i++)
		report(has(levels[i].leaf, levels[i].reg, levels[i].bit) == (level >= levels[i].level), "leaf 0x%x, register %u, bit %u",
		       levels[i].leaf, levels[i].reg, levels[i].bit);
}

static bool is_same(struct cpuid a, struct cpuid b)
{
	return a.eax == b.eax && a.ebx == b.ebx && a.ecx == b.ecx && a.edx == b.edx;
}

static void test_leaves(void)
{
	struct cpuid top = cpuid(0), extended = cpuid(0x80000000);
	char brand[49] = "";

	report(top.eax == 0xd && top.ebx == 0x756e6547 && top.edx == 0x49656e69 && top.ecx == 0x6c65746e, "leaf 0");
	report(is_same(leaf_of(0x14, 1), leaf_of(0xd, 1)) && is_same(leaf_of(0x8fffffff, 0), leaf_of(0xd, 0)),
	       "what there is no leaf of is answered as the last one");
	report(extended.eax == 0x80000008 && cpuid(0x80000008).eax == 0x3028, "extended leaves");
	for (unsigned i = 0; i < 3; i++) {
		struct cpuid part = cpuid(0x80000002 + i);

		memcpy(brand + 16 * i, &part, 16);
	}
	report(brand[0] && !brand[47], "brand string: %s", brand);
	report(is_same(cpuid(0xa), (struct cpuid){ 0 }) && is_same(cpuid(5), (struct cpuid){ 0 }), "no PMU, no MONITOR");
	report(!has(1, EDX, 9) && !has(1, ECX, 21) && !has(1, ECX, 24), "no APIC");
	report(has(1, ECX, 31), "a hypervisor");
}

static void test_caches(void)
{
	static const uint64_t bytes[] = { 32 << 10, 32 << 10, 1 << 20 };
	unsigned wrong = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct cpuid c = leaf_of(4, i);

		wrong += (c.eax & 0x1f) != i + 1 || (c.eax >> 5 & 7) != (i == 2 ? 2 : 1) ||
			 ((c.ebx >> 22) + 1ul) * ((c.ebx >> 12 & 0x3ff) + 1) * ((c.ebx & 0xfff) + 1) * (c.ecx + 1ul) != bytes[i];
	}
	report(!wrong && !(leaf_of(4, 3).eax & 0x1f), "caches: those of the model");
	report(cpuid(0x80000006).ecx >> 16 == 1024 && (cpuid(0x80000006).ecx & 0xff) == 64, "the last one again");
}

static uint32_t ids[GUEST_MAX_VCPUS], x2ids[GUEST_MAX_VCPUS];

static void note_id(void *arg)
{
	(void)arg;
	ids[cpu_index()] = cpuid(1).ebx >> 24;
	x2ids[cpu_index()] = leaf_of(0xb, 0).edx;
}

static void test_topology(void)
{
	unsigned wrong = 0, n = cpu_count();

	smp_run_all(note_id, NULL);
	for (unsigned i = 0; i < n; i++)
		wrong += ids[i] != i || x2ids[i] != i;
	report(!wrong, "every vCPU is another one");
	report(leaf_of(0xb, 0).ecx == 0x100 && leaf_of(0xb, 1).ecx == 0x201 && leaf_of(0xb, 1).ebx == n && !leaf_of(0xb, 2).ebx &&
	       1u << leaf_of(0xb, 1).eax >= n, "%u cores of a thread each", n);
	report(has(1, EDX, 28) == (n > 1), "HTT");
}

static volatile bool undefined;
static uint64_t resume;

static void on_undefined(struct exception_frame *frame)
{
	undefined = true;
	frame->rip = resume;
}

/* Does the processor have this instruction? */
#define RUNS(text)                                                                                             \
	({                                                                                                     \
		undefined = false;                                                                             \
		__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0\nmov %1, %%rsi\n" text "\n1: cld"         \
				 : "=m"(resume) : "r"(memory) : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "xmm0", \
				 "xmm1", "memory", "cc");                                                      \
		!undefined;                                                                                    \
	})

static uint8_t memory[128] __attribute__((aligned(64)));

static void check(const char *name, bool offered, bool runs)
{
	report(offered == runs, "%s is %soffered, and %s", name, offered ? "" : "not ", runs ? "runs" : "is #UD");
}

#define CHECK(leaf, reg, bit, text) check(text, has(leaf, reg, bit), RUNS(text))

static void test_instructions(void)
{
	bool avx = has(1, ECX, 28);
	uint64_t cr4;

	exception_set(UD, on_undefined);
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	CHECK(1, ECX, 0, "haddps %%xmm0, %%xmm1");
	CHECK(1, ECX, 1, "pclmulqdq $0, %%xmm0, %%xmm1");
	CHECK(1, ECX, 3, "xor %%ecx, %%ecx; .byte 0x0f, 0x01, 0xc8");
	CHECK(1, ECX, 9, "pshufb %%xmm0, %%xmm1");
	CHECK(1, ECX, 13, "cmpxchg16b (%%rsi)");
	CHECK(1, ECX, 19, "pmulld %%xmm0, %%xmm1");
	CHECK(1, ECX, 20, "crc32l %%eax, %%ecx");
	CHECK(1, ECX, 22, "movbe (%%rsi), %%eax");
	CHECK(1, ECX, 23, "popcnt %%eax, %%ecx");
	CHECK(1, ECX, 25, "aesenc %%xmm0, %%xmm1");
	CHECK(1, ECX, 30, "rdrand %%eax");
	CHECK(7, EBX, 3, "andn %%eax, %%ecx, %%edx");
	CHECK(7, EBX, 8, "bzhi %%eax, %%ecx, %%edx");
	CHECK(7, EBX, 11, ".byte 0xc7, 0xf8, 0, 0, 0, 0; xend");
	CHECK(7, EBX, 18, "rdseed %%eax");
	CHECK(7, EBX, 19, "adcx %%eax, %%ecx");
	CHECK(7, EBX, 20, "clac");
	CHECK(7, EBX, 23, "clflushopt (%%rsi)");
	CHECK(7, EBX, 29, "sha1nexte %%xmm0, %%xmm1");
	CHECK(7, ECX, 8, "gf2p8mulb %%xmm0, %%xmm1");
	CHECK(7, ECX, 22, "rdpid %%rax");
	CHECK(0x80000001, ECX, 0, "lahf");
	CHECK(0x80000001, ECX, 6, "extrq %%xmm0, %%xmm1");
	CHECK(0x80000001, EDX, 27, "rdtscp");
	check("vaddps before XCR0 has AVX", false, RUNS("vaddps %%xmm0, %%xmm1, %%xmm0"));
	if (has(1, ECX, 26)) {
		__asm__ volatile("mov %0, %%cr4" :: "r"(cr4 | CR4_OSXSAVE));
		__asm__ volatile("xsetbv" :: "a"(cpuid(0xd).eax), "d"(0), "c"(0));
	}
	check("vaddps", avx, RUNS("vaddps %%xmm0, %%xmm1, %%xmm0"));
	CHECK(7, EBX, 5, "vpaddd %%ymm0, %%ymm1, %%ymm0");
	CHECK(1, ECX, 12, "vfmadd132ps %%xmm0, %%xmm1, %%xmm0");
	CHECK(1, ECX, 29, "vcvtph2ps %%xmm0, %%xmm1");
	CHECK(0xd, EAX, 0, "mov $0, %%eax; mov $0, %%edx; xsaveopt (%%rsi)");
	if (has(1, ECX, 26))
		__asm__ volatile("mov %0, %%cr4" :: "r"(cr4));
	if (has(7, EBX, 0))
		__asm__ volatile("mov %0, %%cr4" :: "r"(cr4 | CR4_FSGSBASE));
	CHECK(7, EBX, 0, "rdfsbase %%rax");
	__asm__ volatile("mov %0, %%cr4" :: "r"(cr4));
}

int guest_main(void)
{
	option_only("level", NULL);
	test_level(option_number("level", 0));
	test_leaves();
	test_caches();
	test_topology();
	test_instructions();
	return report_summary();
}
