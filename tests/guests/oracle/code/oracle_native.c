/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host's processor executes in Unicorn's place: results, faults in the midst of a block that are mended or passed
 * over, operands across pages, stores into the block that they are in, flags that go in and out, a ret that takes much away.
 */
#include "../oracle.h"

enum { VECTOR_SIMD = 19, REST = 730 };

static uint8_t memory[GUEST_MAX_VCPUS][4 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t stack[GUEST_MAX_VCPUS][0x12000] __attribute__((aligned(16)));

static void mend(struct exception_frame *frame)
{
	(void)frame;
	oracle_faults[cpu_index()]++;
	page_set_present(exception_address(), true);
}

static void prepare(void)
{
	exception_set(VECTOR_PAGE_FAULT, mend);
	exception_set(VECTOR_PROTECTION, oracle_skip);
	exception_set(VECTOR_SIMD, oracle_skip);
	for (unsigned v = 0; v < cpu_count(); v++)
		for (unsigned page = 0; page < 4; page++)
			page_split((uint64_t)memory[v] + page * PAGE_BYTES);
}

/* Its movaps writes the mov behind it, in the same block. */
static const uint8_t rewrites_next[] = {
	0x0f, 0x28, 0x06,                         /* movaps (%rsi), %xmm0 */
	0x0f, 0x29, 0x07,                         /* movaps %xmm0, (%rdi) */
	0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
	0xb8, 0x01, 0x00, 0x00, 0x00,             /* at 16: mov $1, %eax */
	0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
	0xc3,                                     /* ret */
};

static bool stores_into_its_block(unsigned vcpu)
{
	static const uint8_t number[16] __attribute__((aligned(16))) = {
		0xb8, 0x02, 0x00, 0x00, 0x00, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
	};
	uint32_t got;

	memcpy(code[vcpu], rewrites_next, sizeof(rewrites_next));
	__asm__ volatile("call *%1" : "=a"(got) : "r"(code[vcpu]), "S"(number), "D"(code[vcpu] + 16) : "xmm0", "memory", "cc");
	return got == 2;
}

static bool faults_and_goes_on(unsigned vcpu)
{
	double *at = (double *)(memory[vcpu] + PAGE_BYTES);
	uint64_t before = oracle_faults[vcpu];
	double sum[2];

	at[0] = 3;
	at[1] = 4;
	page_set_present((uint64_t)at, false);
	__asm__ volatile("nop\n\t"
			 "movaps (%1), %%xmm1\n\t"
			 "addpd %%xmm1, %%xmm1\n\t"
			 "mulpd (%1), %%xmm1\n\t"
			 "movups %%xmm1, %0\n\t"
			 "nop"
			 : "=m"(sum) : "r"(at) : "xmm1", "memory");
	return sum[0] == 18 && sum[1] == 32 && oracle_faults[vcpu] == before + 1;
}

/* The third of four that are executed at a time. */
static bool faults_in_the_midst(unsigned vcpu)
{
	double *at = (double *)(memory[vcpu] + PAGE_BYTES), *other = (double *)(memory[vcpu] + 2 * PAGE_BYTES);
	uint64_t before = oracle_faults[vcpu];
	double sum[2];

	at[0] = other[0] = 3;
	at[1] = other[1] = 4;
	page_set_present((uint64_t)other, false);
	__asm__ volatile("movaps (%1), %%xmm1\n\t"
			 "addpd %%xmm1, %%xmm1\n\t"
			 "mulpd (%2), %%xmm1\n\t"
			 "addpd %%xmm1, %%xmm1\n\t"
			 "movups %%xmm1, %0"
			 : "=m"(sum) : "r"(at), "r"(other) : "xmm1", "memory");
	return sum[0] == 36 && sum[1] == 64 && oracle_faults[vcpu] == before + 1;
}

/* Several at a time, each of which sees what the one in front has made, and a loop over them that changes the rounding. */
static bool runs_together(void)
{
	static const uint32_t controls[] = { 0x1f80, 0x7f80 }; /* to nearest, to zero */
	const double one = 1, three = 3;
	double third[2], least;
	uint64_t shifted[2];
	bool right = true;

	for (unsigned i = 0; i < 2; i++)
		__asm__ volatile("ldmxcsr %3\n\t"
				 "movsd %1, %%xmm1\n\t"
				 "divsd %2, %%xmm1\n\t"
				 "addsd %%xmm1, %%xmm1\n\t"
				 "subsd %%xmm3, %%xmm3\n\t"
				 "addsd %%xmm1, %%xmm3\n\t"
				 "movsd %%xmm3, %0"
				 : "=m"(third[i]) : "m"(one), "m"(three), "m"(controls[i]) : "xmm1", "xmm3");
	__asm__ volatile("ldmxcsr %0" : : "m"(controls[0]));
	least = third[0] - third[1];
	right &= least >= 0 && least < 1e-15 && third[0] > 0.6 && third[0] < 0.7;
	__asm__ volatile("pcmpeqd %%xmm1, %%xmm1\n\t"
			 "psrlq $60, %%xmm1\n\t"
			 "pshufd $0xee, %%xmm1, %%xmm2\n\t"
			 "paddq %%xmm2, %%xmm1\n\t"
			 "psllq $4, %%xmm1\n\t"
			 "paddq %%xmm1, %%xmm2\n\t"
			 "movdqu %%xmm2, %0"
			 : "=m"(shifted) : : "xmm1", "xmm2");
	return right && shifted[0] == 30 * 16 + 15 && shifted[1] == shifted[0];
}

static bool faults_for_good(unsigned vcpu)
{
	const uint32_t unmasked = 0x1f80 & ~(1u << 9), masked = 0x1f80; /* division by zero */
	uint64_t before = oracle_faults[vcpu];

	ORACLE_FAULT("nop; movaps 8(%1), %%xmm1; nop", "r"(memory[vcpu]));
	ORACLE_FAULT("nop; paddd 4(%1), %%xmm1; nop", "r"(memory[vcpu]));
	ORACLE_FAULT("ldmxcsr %1; xorps %%xmm1, %%xmm1; mov $1, %%ecx; cvtsi2sd %%ecx, %%xmm2; divsd %%xmm1, %%xmm2; nop",
		     "m"(unmasked));
	__asm__ volatile("ldmxcsr %0" : : "m"(masked));
	return oracle_faults[vcpu] == before + 3;
}

/* Behind a page that is there and in front of one that is absent at first. */
static bool crosses_pages(unsigned vcpu)
{
	uint8_t *at = memory[vcpu] + 2 * PAGE_BYTES - 8;
	uint64_t before = oracle_faults[vcpu], halves[2] = { 0x1111111111111111, 0x2222222222222222 }, got[2];

	memcpy(at, halves, sizeof(halves));
	page_set_present((uint64_t)at + 8, false);
	__asm__ volatile("movdqu (%1), %%xmm1\n\t"
			 "paddq %%xmm1, %%xmm1\n\t"
			 "lddqu (%1), %%xmm2\n\t"
			 "paddq %%xmm2, %%xmm1\n\t"
			 "movdqu %%xmm1, %0\n\t"
			 "movl $7, %%eax\n\t"
			 "cmpxchgq %%rax, 4(%1)" /* RAX is not what is there: it is loaded */
			 : "=m"(got) : "r"(at) : "rax", "xmm1", "xmm2", "memory", "cc");
	return got[0] == 3 * halves[0] && got[1] == 3 * halves[1] && oracle_faults[vcpu] == before + 1;
}

static bool passes_flags(void)
{
	uint64_t kept, extracted, flags;

	__asm__("stc\n\t"
		"bzhi %3, %4, %0\n\t" /* CF: the index is too large */
		"pushf; pop %2\n\t"
		"bextr %5, %4, %1"
		: "=&r"(kept), "=&r"(extracted), "=&r"(flags) : "r"(64ull), "r"(0x8123456789abcdefull), "r"(0x0810ull) : "cc");
	return kept == 0x8123456789abcdef && (flags & 1) && extracted == 0xab;
}

/* fmod(10^300, 7.3), of which double precision knows nothing; a comparison that branches; 1 / pi is not exact. */
static bool has_x87(void)
{
	const double a = 1e300, b = 7.3;
	const uint32_t thousand = 1000;
	uint32_t rest;
	uint16_t status;
	uint8_t greater;

	__asm__ volatile("fninit\n\t"
			 "fldl %3; fldl %2\n"
			 "1: fprem; fnstsw %%ax; test $4, %%ah; jnz 1b\n\t"
			 "fstp %%st(1)\n\t"
			 "fld1; fcomip %%st(1), %%st\n\t"
			 "seta %b1\n\t"
			 "fimull %4\n\t"
			 "fistpl %0"
			 : "=m"(rest), "=&d"(greater) : "m"(a), "m"(b), "m"(thousand) : "rax", "cc");
	__asm__ volatile("fninit; fld1; fldpi; fdivrp; fstp %%st(0); fnstsw %0" : "=m"(status));
	return rest == REST && greater && (status & 0x3f) == 0x20;
}

/* 0x8000 and more are not negative. */
static bool returns_far_up(unsigned vcpu)
{
	uint8_t *low = stack[vcpu] + 0x1000;
	uint64_t moved;

	__asm__ volatile("mov %%rsp, %%rcx\n\t"
			 "mov %1, %%rsp\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "ret $0x8010\n\t"
			 "ud2\n"
			 "1: mov %%rsp, %0\n\t"
			 "mov %%rcx, %%rsp"
			 : "=&r"(moved) : "r"(low) : "rax", "rcx", "memory");
	return moved - (uint64_t)low == 0x8010;
}

static uint64_t program(unsigned vcpu)
{
	return (uint64_t)!stores_into_its_block(vcpu) | (uint64_t)!faults_and_goes_on(vcpu) << 1 |
	       (uint64_t)!faults_for_good(vcpu) << 2 | (uint64_t)!crosses_pages(vcpu) << 3 | (uint64_t)!passes_flags() << 4 |
	       (uint64_t)!has_x87() << 5 | (uint64_t)!returns_far_up(vcpu) << 6 | (uint64_t)!faults_in_the_midst(vcpu) << 7 |
	       (uint64_t)!runs_together() << 8;
}
