/* SPDX-License-Identifier: GPL-2.0-only */
/* #DB: data breakpoints of DR0-3, single steps, int1, DR7.GD: where each comes, and what DR6 says. */
#include "guest.h"

enum {
	VECTOR_DE = 0, VECTOR_DB = 1,
	MOST = 32,
	WRITE = 1, READ_WRITE = 3,
	DR6_BS = 1 << 14, DR6_BD = 1 << 13,
	RFLAGS_TF = 1 << 8, RFLAGS_RF = 1 << 16,
};

static uint64_t data[64] __attribute__((aligned(64)));
static volatile struct {
	uint64_t rip, dr6, rcx;
} seen[MOST];
static volatile unsigned hits;

static uint64_t read_dr6(void)
{
	uint64_t value;

	__asm__ volatile("mov %%db6, %0" : "=r"(value));
	return value;
}

static void on_debug(struct exception_frame *frame)
{
	if (hits < MOST) {
		seen[hits].rip = frame->rip;
		seen[hits].dr6 = read_dr6() & 0xf00f;
		seen[hits].rcx = frame->rcx;
	}
	hits++;
	__asm__ volatile("mov %0, %%db6" :: "r"(0ul));
}

/* From here on, DR0 watches; `length` as DR7 has it: 0, 1, 3, 2 for 1, 2, 4, 8 bytes. */
static void watch(const void *address, unsigned type, unsigned length)
{
	uint64_t dr7 = 1 | (uint64_t)type << 16 | (uint64_t)length << 18;

	hits = 0;
	__asm__ volatile("mov %0, %%db0; mov %1, %%db7" :: "r"(address), "r"(dr7));
}

static void watch_nothing(void)
{
	__asm__ volatile("mov %0, %%db7" :: "r"(0ul));
}

static uint64_t behind;

/* Executes this text while DR0 watches: was there one #DB, right behind it, by DR0 alone? */
#define TOUCHES(text, ...)                                                                                  \
	({                                                                                                  \
		__asm__ volatile("lea 1f(%%rip), %%r11; mov %%r11, %0\n" text "\n1: nop"                    \
				 : "=m"(behind) : __VA_ARGS__ : "rax", "rcx", "rdx", "rdi", "r11", "xmm0", "memory", "cc"); \
		unsigned hits_ = hits;                                                                      \
		hits = 0;                                                                                   \
		hits_ == 1 && seen[0].rip == behind && seen[0].dr6 == 1;                                    \
	})

static void test_writes(void)
{
	uint8_t *at = (uint8_t *)&data[8];

	watch(at, WRITE, 3);
	report(TOUCHES("movl $1, (%1)", "r"(at)), "a store");
	report(TOUCHES("movb $1, 3(%1)", "r"(at)) && TOUCHES("movq $1, -4(%1)", "r"(at)) && TOUCHES("movw $1, -1(%1)", "r"(at)),
	       "to a part of it");
	TOUCHES("movb $1, 4(%1); movl $1, -4(%1); mov (%1), %%rax; mov 8(%1), %%rax", "r"(at));
	report(!hits && !(TOUCHES("movq $1, 5(%1); movq $1, -8(%1)", "r"(at))), "neither beside it, nor a load");
	report(TOUCHES("addl $1, (%1)", "r"(at)) && TOUCHES("lock incl (%1)", "r"(at)) && TOUCHES("xchg %%eax, (%1)", "r"(at)),
	       "read, modified, written, and by LOCK");
	report(TOUCHES("mov %1, %%rax; mov %%rsp, %%rdx; lea 8(%1), %%rsp; push %%rax; mov %%rdx, %%rsp", "r"(at)) == false &&
	       seen[0].rip < behind, "by push");
	report(TOUCHES("movups %%xmm0, -12(%1)", "r"(at)) && TOUCHES("movaps %%xmm0, (%1)", "r"(at)), "by a vector");
	watch_nothing();
	hits = 0;
	*(volatile uint32_t *)at = 1;
	report(!hits, "nothing once it is turned off");
}

static void test_reads(void)
{
	uint8_t *at = (uint8_t *)&data[16];

	watch(at, READ_WRITE, 0);
	report(TOUCHES("movb (%1), %%al", "r"(at)) && TOUCHES("movb $1, (%1)", "r"(at)) && TOUCHES("mov -7(%1), %%rax", "r"(at)),
	       "a load, a store, a load that is not aligned");
	TOUCHES("mov 1(%1), %%rax", "r"(at));
	TOUCHES("mov -8(%1), %%rax; mov -3(%1), %%ax; movb 1(%1), %%al", "r"(at));
	report(!hits, "neither one beside it, aligned or not");
	report(TOUCHES("prefetcht0 (%1); lea (%1), %%rax; testb $1, (%1)", "r"(at)), "neither a prefetch nor an address");
	watch(at, READ_WRITE, 2);
	report(TOUCHES("movb 7(%1), %%al", "r"(at)) && TOUCHES("movdqu -15(%1), %%xmm0", "r"(at)), "8 bytes");
	watch_nothing();
}

/* Each iteration that touches it, and none of the others. */
static void test_strings(void)
{
	uint8_t *at = (uint8_t *)data;
	uint64_t left = 5;
	void *to = at;

	watch(at + 2, WRITE, 1);
	__asm__ volatile("lea 1f(%%rip), %%r11; mov %%r11, %2; lea 2f(%%rip), %%r11\n1: rep stosb\n2:"
			 : "+D"(to), "+c"(left), "=m"(behind) : "a"(0) : "r11", "memory");
	report(hits == 2 && seen[0].rip == behind && seen[1].rip == behind && seen[0].rcx == 2 && seen[1].rcx == 1,
	       "rep stosb: 2 of 5 iterations, at RIP +%ld with RCX %lu", seen[0].rip - behind, seen[0].rcx);
	watch(at + 4, WRITE, 0);
	to = at;
	left = 5;
	__asm__ volatile("lea 2f(%%rip), %%r11; mov %%r11, %2\n1: rep stosb\n2:"
			 : "+D"(to), "+c"(left), "=m"(behind) : "a"(0) : "r11", "memory");
	report(hits == 1 && seen[0].rip == behind && !seen[0].rcx, "its last iteration: behind it, once");
	watch(at + 40, READ_WRITE, 3);
	to = at + 8;
	left = 16;
	__asm__ volatile("rep movsl" : "+D"(to), "+c"(left) : "S"(at) : "memory");
	report(hits == 2, "rep movsl: it is written and read, %u times", hits);
	watch_nothing();
}

static void test_dr6(void)
{
	uint64_t dr7 = 1 << 3 | (uint64_t)WRITE << 20 | 1ull << 4 | (uint64_t)READ_WRITE << 24 | 3ull << 26 | 1ull << 28;

	hits = 0;
	__asm__ volatile("mov %0, %%db1; mov %1, %%db2; mov %0, %%db3; mov %2, %%db7"
			 :: "r"((uint8_t *)data + 1), "r"(data), "r"(dr7));
	((volatile uint8_t *)data)[1] = 1;
	report(hits == 1 && seen[0].dr6 == 6, "DR6 names two, one local and one global, 0x%lx", seen[0].dr6);
	((volatile uint8_t *)data)[3] = 1;
	report(hits == 2 && seen[1].dr6 == 4, "and the one that was touched, 0x%lx", seen[1].dr6);
	watch_nothing();
}

static void test_ports(void)
{
	static uint8_t to[8];
	uint64_t cr4, left = 3;
	uint8_t *at = to;

	__asm__ volatile("mov %%cr4, %0; mov %1, %%cr4" : "=&r"(cr4) : "r"(0x628ul)); /* DE */
	watch((const void *)0x80, 2, 1);
	report(TOUCHES("in $0x80, %%al; nop", "r"(0)) == false && seen[0].rip == behind - 1 && seen[0].dr6 == 1, "in");
	report(TOUCHES("in $0x81, %%eax", "r"(0)) && TOUCHES("out %%al, $0x81", "r"(0)), "out, and a part");
	TOUCHES("in $0x82, %%al; mov %1, %%rdi; movb $1, (%%rdi)", "r"(to));
	report(!hits, "another port, and memory");
	hits = 0;
	__asm__ volatile("lea 1f(%%rip), %%r11; mov %%r11, %0\n1: rep insb\n" : "=m"(behind), "+D"(at), "+c"(left)
			 : "d"(0x80) : "r11", "memory");
	report(hits == 3 && seen[0].rip == behind && seen[1].rip == behind && seen[2].rip == behind + 2, "rep insb: each iteration");
	watch_nothing();
	__asm__ volatile("mov %0, %%cr4" :: "r"(cr4));
}

/* An instruction that faults has touched nothing. */
static void on_fault(struct exception_frame *frame)
{
	frame->rip = behind;
}

static void test_faults(void)
{
	exception_handler before = exception_set(13, on_fault);

	watch(data, READ_WRITE, 2);
	__asm__ volatile("lea 1f(%%rip), %%r11; mov %%r11, %0; mov %%rsp, %%r10; movabs $0x8000000000000008, %%rax\n"
			 "mov %1, %%rsi; mov %%rax, %%rdi; movsq\n1: mov %%r10, %%rsp"
			 : "=m"(behind) : "r"(data) : "rax", "rsi", "rdi", "r10", "r11", "memory");
	report(!hits, "an instruction that faults behind its load");
	watch_nothing();
	exception_set(13, before);
}

static void test_mov_ss(void)
{
	uint64_t ss = 0;

	__asm__ volatile("mov %%ss, %0" : "=r"(ss));
	data[0] = ss;
	watch(data, READ_WRITE, 1);
	__asm__ volatile("lea 1f(%%rip), %%r11; mov %%r11, %0; mov (%1), %%ss; nop\n1: nop" : "=m"(behind) : "r"(data) : "r11");
	report(hits == 1 && seen[0].rip == behind, "mov ss keeps it out until the next instruction has executed: RIP +%ld",
	       seen[0].rip - behind);
	watch_nothing();
}

extern const uint8_t steps_begin[], step_sti[], step_ss[], step_rep[], step_end[];
void steps(void *to, uint64_t ss);
__asm__(".text\n"
	"steps:\n\t"
	"mov $3, %ecx\n\t"
	"pushfq; orl $0x100, (%rsp); popfq\n"
	"steps_begin:\n\t"
	"nop\n\t"
	"cli\n\t"
	"sti\n"
	"step_sti:\n\t"
	"mov %esi, %ss\n\t"
	"nop\n"
	"step_ss:\n\t"
	"nop\n"
	"step_rep:\n\t"
	"rep stosb\n"
	"step_end:\n\t"
	"pushfq; andl $~0x100, (%rsp); popfq\n\t"
	"cli; ret\n");

/* #DB behind each, and behind each iteration. */
static void test_single_steps(void)
{
	uint64_t ss;
	unsigned n = 0;
	bool ok = true;

	__asm__ volatile("mov %%ss, %0" : "=r"(ss));
	hits = 0;
	steps(data, ss);
	for (unsigned i = 0; i < hits && i < MOST; i++)
		ok &= seen[i].dr6 == DR6_BS;
	report(ok, "DR6.BS, and nothing else");
	report(hits == 11 && seen[0].rip == (uint64_t)steps_begin + 1, "%u steps", hits);
	report(seen[2].rip == (uint64_t)step_sti, "behind sti");
	report(seen[3].rip == (uint64_t)step_ss, "not behind mov ss, but behind the next");
	for (unsigned i = 0; i < hits && i < MOST; i++)
		n += seen[i].rip == (uint64_t)step_rep;
	report(n == 3 && seen[5].rcx == 2 && seen[6].rcx == 1 && seen[7].rip == (uint64_t)step_end && !seen[7].rcx,
	       "behind each iteration of a rep");
}

static void test_both(void)
{
	watch(data, WRITE, 3);
	__asm__ volatile("pushfq; pushfq; orl $0x100, (%%rsp); popfq; movl $1, (%0); popfq" :: "r"(data) : "memory", "cc");
	report(hits >= 1 && seen[0].dr6 == (DR6_BS | 1), "a step that touches it: one exception, DR6 0x%lx", seen[0].dr6);
	watch_nothing();
}

static void test_int1(void)
{
	hits = 0;
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; .byte 0xf1\n1:" : "=m"(behind) : : "rax", "memory");
	report(hits == 1 && seen[0].rip == behind && !seen[0].dr6, "int1: behind it, and nothing in DR6");
}

static void test_general_detect(void)
{
	uint64_t dr7;

	hits = 0;
	__asm__ volatile("mov %1, %%db7; lea 1f(%%rip), %%rax; mov %%rax, %0\n1: mov %%db7, %%rax"
			 : "=m"(behind), "=a"(dr7) : "r"(1ul << 13) : "memory");
	__asm__ volatile("mov %%db7, %0" : "=r"(dr7));
	report(hits == 1 && seen[0].rip == behind && seen[0].dr6 == DR6_BD && dr7 == 0x400,
	       "DR7.GD: at it, once; %u, RIP +%ld, DR6 0x%lx, DR7 0x%lx", hits, seen[0].rip - behind, seen[0].dr6, dr7);
}

static volatile unsigned divisions;
static volatile uint64_t division_rflags, breakpoint_rflags;

static void on_divide(struct exception_frame *frame)
{
	divisions++;
	division_rflags = frame->rflags;
	frame->rcx = 1;
}

static void on_breakpoint(struct exception_frame *frame)
{
	hits++;
	breakpoint_rflags = frame->rflags;
	frame->rflags |= RFLAGS_RF;
}

/* An instruction with a breakpoint, which faults: the breakpoint is met once. */
static void test_resume(void)
{
	hits = 0;
	exception_set(VECTOR_DE, on_divide);
	exception_set(VECTOR_DB, on_breakpoint);
	for (unsigned i = 0; i < 2; i++)
		__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %%db0; mov %0, %%db7\n"
				 "xor %%ecx, %%ecx; xor %%edx, %%edx; mov $6, %%eax\n"
				 "1: div %%ecx"
				 : : "r"(1ul) : "rax", "rcx", "rdx", "cc");
	watch_nothing();
	exception_set(VECTOR_DE, NULL);
	exception_set(VECTOR_DB, on_debug);
	report(hits == 2 && divisions == 2, "a breakpoint at what faults: %u times, and %u faults, in 2 rounds", hits, divisions);
	report(!(breakpoint_rflags & RFLAGS_RF) && (division_rflags & RFLAGS_RF), "RF in the frame of a fault, and not of its breakpoint");
}

int guest_main(void)
{
	exception_set(VECTOR_DB, on_debug);
	test_int1();
	test_writes();
	test_reads();
	test_strings();
	test_dr6();
	test_ports();
	test_faults();
	test_mov_ss();
	test_single_steps();
	test_both();
	test_general_detect();
	test_resume();
	return report_summary();
}
