/* SPDX-License-Identifier: GPL-2.0-only */
/* What a processor does not let be set: MSRs, control and debug registers, XCR0, MXCSR, bases. Each faults, and nothing has
 * changed. What may be set is there afterwards. */
#include "guest.h"

enum {
	NONE = -1, DB = 1, UD = 6, SS = 12, GP = 13,
	CR4_DE = 1 << 3, CR4_PCE = 1 << 8, CR4_FSGSBASE = 1 << 16, CR4_OSXSAVE = 1 << 18,
	TSD = 1 << 2,
};

static volatile int vector;
static volatile uint64_t error_code, fault_at;
static uint64_t resume;

static void note(struct exception_frame *frame)
{
	vector = (int)frame->vector;
	error_code = frame->error;
	fault_at = frame->rip;
	frame->rip = resume;
}

/* The vector of the fault that this instruction makes at itself with the error code 0, or NONE; 99: another one. */
#define TRY(text, a, c, d)                                                                                   \
	({                                                                                                   \
		uint64_t at_, rax_ = (a), rcx_ = (c), rdx_ = (d);                                            \
		vector = NONE;                                                                               \
		__asm__ volatile("lea 2f(%%rip), %0; mov %0, %4; lea 1f(%%rip), %0\n1: " text "\n2:"         \
				 : "=&r"(at_), "+a"(rax_), "+c"(rcx_), "+d"(rdx_), "=m"(resume) : : "memory", "r9"); \
		vector == NONE || (fault_at == at_ && !error_code) ? vector : 99;                           \
	})

static int wrmsr(uint32_t number, uint64_t value)
{
	return TRY("wrmsr", (uint32_t)value, number, value >> 32);
}

static int rdmsr(uint32_t number, uint64_t *value)
{
	uint32_t low = 0x1234, high = 0x5678;

	vector = NONE;
	__asm__ volatile("lea 2f(%%rip), %%r8; mov %%r8, %2; lea 1f(%%rip), %%r8\n1: rdmsr\n2:"
			 : "+a"(low), "+d"(high), "=m"(resume) : "c"(number) : "r8", "memory");
	*value = (uint64_t)high << 32 | low;
	return vector;
}

#define ROUND(name)                                                                   \
	static uint64_t read_##name(void)                                             \
	{                                                                             \
		uint64_t value;                                                       \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value));                \
		return value;                                                         \
	}                                                                             \
	static int write_##name(uint64_t value)                                       \
	{                                                                             \
		return TRY("mov %%rax, %%" #name, value, 0, 0);                        \
	}
ROUND(cr0)
ROUND(cr3)
ROUND(cr4)
ROUND(cr8)
ROUND(dr6)
ROUND(dr7)

static void test_msrs_that_are_not_there(void)
{
	static const uint32_t numbers[] = { 0x12345, 0xdeadbeef, 0xc0000085, 0x1b, 0x186, 0xc1, 0x38f, 0xc0010000, 0xc0000104,
					    0x34, 0xd90, 0x277 + 1, 0x210, 0xc0010117, 0x4ff };
	uint64_t value;
	unsigned wrong = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		wrong += rdmsr(numbers[i], &value) != GP || value != 0x567800001234 || wrmsr(numbers[i], 0) != GP;
	report(!wrong, "%zu MSRs are not there", ARRAY_SIZE(numbers));
}

static void test_msrs(void)
{
	static const struct {
		uint32_t number;
		uint64_t may, must_not;
	} rows[] = {
		{ 0x174, 0x10, 0 },
		{ 0x175, 0xffff800000001000, 0x800000000000 },
		{ 0x176, 0x7fffffffffff, 1ull << 63 },
		{ 0x277, 0x0007040600070406, 0x0007040600070402 },
		{ 0x200, 0x6, 0x7 },
		{ 0x201, 0xfff0000800, 1ull << 40 },
		{ 0x250, 0x0606060606060606, 0x0306060606060606 },
		{ 0x2ff, 0xc06, 0x1000 },
		{ 0xc0000082, 0xffffffff80000000, 0x0000800000000000 },
		{ 0xc0000083, 0x1000, 0xffff7fffffffffff },
		{ 0xc0000084, 0x47700, 1ull << 32 },
		{ 0xc0000100, 0xffff888000000000, 1ull << 47 },
		{ 0xc0000101, 0x123456789abc, 1ull << 63 },
		{ 0xc0000102, 0xffffffffffffffff, 0xfffe000000000000 },
		{ 0xc0000103, 0x77, 1ull << 32 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t before, set = 0, after = 0;
		bool ok;

		if (rows[i].number == 0xc0000103 && !(cpuid(0x80000001).edx >> 27 & 1)) {
			report(rdmsr(rows[i].number, &before) == GP, "without RDTSCP there is no TSC_AUX");
			continue;
		}
		ok = rdmsr(rows[i].number, &before) == NONE && wrmsr(rows[i].number, rows[i].may) == NONE;

		ok &= rdmsr(rows[i].number, &set) == NONE && set == rows[i].may;
		if (rows[i].must_not)
			ok &= wrmsr(rows[i].number, rows[i].must_not) == GP && rdmsr(rows[i].number, &after) == NONE && after == set;
		ok &= wrmsr(rows[i].number, before) == NONE;
		report(ok, "MSR 0x%x: %lx can be written, %lx cannot", rows[i].number, rows[i].may, rows[i].must_not);
	}
	report(wrmsr(0xfe, 0) == GP && wrmsr(0x179, 0) == GP, "what tells what there is cannot be written");
}

static void test_efer(void)
{
	uint64_t before, after;
	bool ok;

	rdmsr(0xc0000080, &before);
	report((before & 0x500) == 0x500, "EFER 0x%lx: in long mode", before);
	ok = wrmsr(0xc0000080, before | 1 << 12) == GP && wrmsr(0xc0000080, before | 1ull << 40) == GP &&
	     wrmsr(0xc0000080, before | 2) == GP && wrmsr(0xc0000080, before & ~0x100ull) == GP;
	rdmsr(0xc0000080, &after);
	report(ok && after == before, "EFER: reserved bits, and LME with paging");
	ok = wrmsr(0xc0000080, before ^ 1) == NONE && rdmsr(0xc0000080, &after) == NONE && after == (before ^ 1);
	report(ok && wrmsr(0xc0000080, before) == NONE, "EFER.SCE");
}

static void test_tsc(void)
{
	uint64_t first, second;
	bool ok = rdmsr(0x10, &first) == NONE && rdmsr(0x10, &second) == NONE;

	report(ok && second > first && wrmsr(0x10, 0) == GP, "the TSC can be read as an MSR, and not be written");
}

static void test_control_registers(void)
{
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), there = 0x1007dc, safe = 0x518;
	unsigned wrong = 0;

	/* FSGSBASE, SMAP, OSXSAVE; PAE is there to stay, and SMEP would keep all of this from being executed. */
	there |= (cpuid(7).ebx & 1) << 16 | (cpuid(7).ebx >> 20 & 1) << 21 | (cpuid(1).ecx >> 26 & 1) << 18;
	safe |= there & (1 << 16 | 1 << 18);

	report(write_cr0(cr0 & ~1ull) == GP && write_cr0(cr0 & ~(1ull << 31)) == GP && read_cr0() == cr0, "CR0: PE, PG");
	report(write_cr0(cr0 | 1 << 29) == GP && write_cr0(cr0 | 1ull << 32) == GP && read_cr0() == cr0, "CR0: NW, upper half");
	report(write_cr0(cr0 | 1 << 30) == NONE && read_cr0() == (cr0 | 1 << 30) && write_cr0(cr0 | 1 << 7) == NONE &&
	       read_cr0() == cr0, "CR0: CD is kept, a reserved bit is not");
	report(write_cr3(cr3 | 1ull << 40) == GP && write_cr3(cr3 | 1ull << 63) == GP && read_cr3() == cr3, "CR3: upper bits");
	for (unsigned bit = 0; bit < 64; bit++)
		if (!(there >> bit & 1))
			wrong += write_cr4(cr4 ^ 1ull << bit) != GP || read_cr4() != cr4;
	report(!wrong, "CR4: what is not there, and PAE");
	report(write_cr4(~0ull) == GP && read_cr4() == cr4, "CR4: all bits");
	for (unsigned bit = 0; bit < 21; bit++)
		if (safe >> bit & 1)
			wrong += write_cr4(cr4 | 1ull << bit) != NONE || read_cr4() != (cr4 | 1ull << bit) || write_cr4(cr4) != NONE;
	report(!wrong, "CR4: what is there");
	report(write_cr8(16) == GP && write_cr8(1ull << 32) == GP && read_cr8() == 0 && write_cr8(9) == NONE && read_cr8() == 9 &&
	       write_cr8(0) == NONE, "CR8");
}

static void test_debug_registers(void)
{
	uint64_t dr6 = read_dr6(), cr4 = read_cr4();

	report(write_dr6(1ull << 32) == GP && write_dr7(1ull << 40) == GP && read_dr6() == dr6 && read_dr7() == 0x400,
	       "DR6, DR7: upper halves");
	report(write_dr6(0xffffffff) == NONE && read_dr6() == 0xffffefff && write_dr6(0) == NONE && read_dr6() == 0xffff0ff0,
	       "DR6: reserved bits");
	report(write_dr7(0xd800) == NONE && read_dr7() == 0x400, "DR7: reserved bits");
	report(TRY("mov %%db4, %%rcx", 0, 0, 0) == NONE && write_cr4(cr4 | CR4_DE) == NONE &&
	       TRY("mov %%db4, %%rcx", 0, 0, 0) == UD && TRY("mov %%rax, %%db5", 0, 0, 0) == UD && write_cr4(cr4) == NONE,
	       "DR4, DR5: aliases, or #UD with CR4.DE");
}

static void test_counters(void)
{
	uint64_t cr4 = read_cr4();
	bool ok = TRY("rdpmc", 0, 0, 0) == GP && TRY("rdpmc", 0, 64, 0) == GP;

	ok &= TRY("rdpmc", 0, 1u << 30, 0) == GP && write_cr4(cr4 | CR4_PCE) == NONE;
	report(ok && TRY("rdpmc", 0, 0, 0) == GP && write_cr4(cr4) == NONE, "there is no performance counter");
}

static int xgetbv(uint32_t number)
{
	return TRY("xgetbv", 0, number, 0);
}

static int xsetbv(uint32_t number, uint64_t value)
{
	return TRY("xsetbv", (uint32_t)value, number, value >> 32);
}

static uint32_t osxsave(void)
{
	return cpuid(1).ecx >> 27 & 1;
}

static void test_xcr0(void)
{
	uint64_t cr4 = read_cr4(), all = 0;
	uint32_t low, high, bytes;

	if (!(cpuid(1).ecx >> 26 & 1)) {
		report(write_cr4(cr4 | CR4_OSXSAVE) == GP && xgetbv(0) == UD, "there is no XSAVE");
		return;
	}
	all = cpuid(0xd).eax;
	report(!osxsave() && xgetbv(0) == UD && xsetbv(0, 1) == UD, "XGETBV, XSETBV without CR4.OSXSAVE, as CPUID says");
	report(write_cr4(cr4 | CR4_OSXSAVE) == NONE && osxsave() && xgetbv(0) == NONE, "and with it");
	report(xsetbv(0, 0) == GP && xsetbv(0, 2) == GP && xsetbv(0, 5) == GP && xsetbv(0, all | 1ull << 62) == GP &&
	       xsetbv(1, 3) == GP && xsetbv(0, all | 8) == GP && xgetbv(5) == GP, "XCR0: what there is");
	xsetbv(0, 1);
	bytes = cpuid(0xd).ebx;
	report(xsetbv(0, all) == NONE && bytes == 576 && cpuid(0xd).ebx == cpuid(0xd).ecx && cpuid(0xd).ebx >= 576,
	       "XCR0 says how large the area of XSAVE is");
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	report(low == all && !high, "XCR0 0x%x", low);
	xsetbv(0, 1);
	write_cr4(cr4);
}

static void test_mxcsr(void)
{
	static uint8_t area[1024] __attribute__((aligned(64)));
	uint32_t *mxcsr = (uint32_t *)(area + 24), bad = 0x10001f80, now = 0;
	uint64_t *header = (uint64_t *)(area + 512), cr4 = read_cr4();

	report(TRY("ldmxcsr (%%rax)", (uint64_t)&bad, 0, 0) == GP, "LDMXCSR of a reserved bit");
	__asm__ volatile("stmxcsr %0" : "=m"(now));
	report(now == 0x1f80, "MXCSR is as it was, 0x%x", now);
	__asm__ volatile("fxsave64 %0" : "=m"(area));
	report(((uint32_t *)area)[7] == 0xffff, "MXCSR_MASK");
	area[160] = 1;
	*mxcsr = 0x11f80;
	__asm__ volatile("pxor %%xmm0, %%xmm0" ::: "xmm0");
	report(TRY("fxrstor64 (%%rax)", (uint64_t)(area), 0, 0) == GP, "FXRSTOR of a reserved bit");
	__asm__ volatile("movd %%xmm0, %0" : "=r"(now));
	report(now == 0, "and no register has been loaded");
	report(TRY("fxrstor64 (%%rax)", (uint64_t)(area + 8), 0, 0) == GP, "FXRSTOR: alignment");
	if (!(cpuid(1).ecx >> 26 & 1))
		return;
	report(TRY("xrstor64 (%%rcx)", 7, (uint64_t)area, 0) == UD, "XRSTOR without CR4.OSXSAVE");
	write_cr4(cr4 | CR4_OSXSAVE);
	xsetbv(0, 3);
	report(TRY("xrstor64 (%%rcx)", 2, (uint64_t)area, 0) == GP, "XRSTOR of a reserved bit, though XSTATE_BV is 0");
	report(TRY("xrstor64 (%%rcx)", 1, (uint64_t)area, 0) == NONE, "XRSTOR of x87 alone does not look at MXCSR");
	*mxcsr = 0x1fa0;
	report(TRY("xrstor64 (%%rcx)", 2, (uint64_t)area, 0) == NONE, "XRSTOR");
	__asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(now) : "m"((uint32_t){ 0x1f80 }));
	report(now == 0x1fa0, "loads MXCSR though XSTATE_BV is 0");
	header[1] = 1;
	report(TRY("xrstor64 (%%rcx)", 2, (uint64_t)area, 0) == GP, "XRSTOR: header");
	header[1] = 0;
	header[0] = 8;
	report(TRY("xrstor64 (%%rcx)", 2, (uint64_t)area, 0) == GP, "XRSTOR: XSTATE_BV has what XCR0 has not");
	header[0] = 0;
	header[5] = ~0ull;
	report(TRY("xrstor64 (%%rcx)", 3, (uint64_t)area, 0) == NONE, "XRSTOR: the end of the header may be anything");
	xsetbv(0, 1);
	write_cr4(cr4);
}

static void test_bases(void)
{
	uint64_t cr4 = read_cr4(), gs, now;

	if (!(cpuid(7).ebx & 1)) {
		report(write_cr4(cr4 | CR4_FSGSBASE) == GP, "there is no WRFSBASE");
		return;
	}
	report(TRY("rdfsbase %%rcx", 0, 0, 0) == UD, "RDFSBASE without CR4.FSGSBASE");
	write_cr4(cr4 | CR4_FSGSBASE);
	__asm__ volatile("rdgsbase %0" : "=r"(gs));
	report(TRY("wrfsbase %%rax", 1ull << 63, 0, 0) == GP && TRY("wrgsbase %%rax", 1ull << 47, 0, 0) == GP,
	       "WRFSBASE, WRGSBASE of what is not canonical");
	report(TRY("mov %%rax, %%r9\n wrfsbase %%r9", 1ull << 63, 0, 0) == 99 && vector == GP, "in a register of REX");
	report(TRY("wrfsbase %%eax", 1ull << 63 | 5, 0, 0) == NONE, "of 32 bits");
	__asm__ volatile("rdfsbase %0" : "=r"(now));
	report(now == 5, "which are extended with zeros");
	__asm__ volatile("rdgsbase %0" : "=r"(now));
	report(now == gs && TRY("wrfsbase %%rax", 0, 0, 0) == NONE, "nothing else has changed");
	write_cr4(cr4);
}

/* As TRY, with RSP, RBP and RAX there. */
#define BEYOND(text, where)                                                                                  \
	({                                                                                                   \
		uint64_t at_, to_ = (where);                                                                 \
		vector = NONE;                                                                               \
		__asm__ volatile("mov %%rsp, %%r9; mov %%rbp, %%r10; lea 2f(%%rip), %0; mov %0, %2\n"        \
				 "lea 1f(%%rip), %0; mov %1, %%rsp; mov %1, %%rbp\n1: " text "\n"             \
				 "2: mov %%r9, %%rsp; mov %%r10, %%rbp"                                      \
				 : "=&d"(at_), "+a"(to_), "=m"(resume) : : "rcx", "rsi", "r9", "r10", "xmm0", "memory"); \
		vector == NONE || (fault_at == at_ && !error_code) ? vector : 99;                            \
	})

/* At CPL 3, whose exceptions have another stack. Each row was tried on a processor. */
static uint64_t user_beyond(void *arg)
{
	const uint64_t end = 0x800000000000;
	unsigned *right = arg, at = 0;

#define ROW(text, where, expected) right[at / 32] |= (unsigned)(BEYOND(text, where) == (expected)) << at % 32, at++
	ROW("mov (%%rax), %%rcx", end, GP);
	ROW(".byte 0x36; mov (%%rax), %%rcx", end, GP);
	ROW("mov (%%rbp), %%rcx", end, SS);
	ROW("mov (%%rsp), %%rcx", end, SS);
	ROW(".byte 0x3e; mov (%%rsp), %%rcx", end, SS);
	ROW(".byte 0x64; mov (%%rsp), %%rcx", end, GP);
	ROW("push %%rcx", end + 8, SS);
	ROW("push $1", end + 8, SS);
	ROW("push %%rcx", end + 4, SS);
	ROW("pop %%rcx", end - 4, SS);
	ROW("mov (%%rsp), %%rcx", end - 4, SS);
	ROW("mov (%%rax), %%rcx", end - 4, GP);
	ROW("mov %%rax, %%rsi; lodsw", end - 1, 99); /* behind others: */
	right[at / 32] |= (unsigned)(vector == GP) << at % 32, at++;
	ROW("push (%%rax)", end, GP);
	ROW("pop %%rcx", end, SS);
	ROW("pushfq", end + 8, SS);
	ROW("call 2f", end + 8, SS);
	ROW("ret", end, SS);
	ROW("leave", end, SS);
	ROW("enter $0, $0", end + 8, SS);
	ROW("xor %%ecx, %%ecx; mov (%%rcx, %%rbp), %%rcx", end, 99); /* behind another one, */
	right[at / 32] |= (unsigned)(vector == GP) << at % 32, at++; /* and by the index */
	ROW("movaps (%%rsp), %%xmm0", end, SS);
	ROW("movaps 1(%%rsp), %%xmm0", end, GP);
	ROW("movups 1(%%rsp), %%xmm0", end, SS);
	ROW("incl (%%rbp)", end, SS);
	ROW("lock incl (%%rbp)", end, SS);
	ROW("lea (%%rsp), %%rcx; prefetcht0 (%%rsp); nopl (%%rsp)", end, NONE);
	ROW("mov %%rax, %%gs:(%%rax)", end, GP);
#undef ROW
	return at;
}

static void test_stack(void)
{
	static unsigned right[2];
	uint64_t n = user_run(user_beyond, right);
	unsigned wrong = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!(right[i / 32] >> i % 32 & 1))
			report(false, "row %u of what is not canonical", i);
		wrong += !(right[i / 32] >> i % 32 & 1);
	}
	report(!wrong, "%lu addresses that are not canonical: #SS or #GP", n);
}

/* At CPL 3. */
static uint64_t user_tries(void *arg)
{
	int *vectors = arg;

	vectors[0] = TRY("rdtsc", 0, 0, 0);
	vectors[1] = TRY("rdpmc", 0, 0, 0);
	vectors[2] = TRY("rdmsr", 0, 0x10, 0);
	vectors[3] = TRY("mov %%rax, %%cr8", 0, 0, 0);
	vectors[4] = TRY("mov %%rax, %%db0", 0, 0, 0);
	vectors[5] = TRY("rdtscp", 0, 0, 0);
	return 0;
}

static void test_user(void)
{
	static int vectors[6];
	uint64_t cr4 = read_cr4();

	user_run(user_tries, vectors);
	report(vectors[0] == NONE && vectors[1] == GP && vectors[2] == GP && vectors[3] == GP && vectors[4] == GP,
	       "CPL 3: RDTSC, and what is not for it");
	write_cr4(cr4 | TSD);
	user_run(user_tries, vectors);
	report(vectors[0] == GP && (vectors[5] == GP || !(cpuid(0x80000001).edx >> 27 & 1)), "CPL 3 with CR4.TSD");
	write_cr4(cr4);
}

int guest_main(void)
{
	exception_set(DB, note);
	exception_set(UD, note);
	exception_set(SS, note);
	exception_set(GP, note);
	test_msrs_that_are_not_there();
	test_msrs();
	test_efer();
	test_tsc();
	test_control_registers();
	test_debug_registers();
	test_counters();
	test_xcr0();
	test_mxcsr();
	test_bases();
	test_user();
	test_stack();
	return report_summary();
}
