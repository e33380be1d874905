/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs of x87 instructions that something ends in their middle: what is in front of it is done, and nothing behind. */
#include "guest.h"

enum {
	VECTOR_GP = 13, VECTOR_MF = 16,
	CR0_MP = 1 << 1, CR0_NE = 1 << 5,
	AT_STATUS = 4, AT_TAGS = 8, AT_IP = 12, AT_ST = 28, ST_BYTES = 10, AREA_BYTES = 108,
};

static volatile uint64_t vector, offset;
static uint64_t begin, behind;
static uint8_t area[AREA_BYTES];
double x87_two = 2.0;

static void on_exception(struct exception_frame *frame)
{
	vector = frame->vector;
	offset = frame->rip - begin;
	frame->rip = behind;
}

static uint64_t at(unsigned place, unsigned bytes)
{
	uint64_t value = 0;

	memcpy(&value, area + place, bytes);
	return value;
}

/* Executes this text with what an address that is none has in RAX, and stores what it left. */
#define RUN(text)                                                                                                       \
	do {                                                                                                            \
		vector = offset = 0;                                                                                    \
		__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; lea 2f(%%rip), %%rax; mov %%rax, %1\n"           \
				 "fninit; mov $1, %%eax; ror $1, %%rax\n1: " text "\n2: fnsave %2"                      \
				 : "=m"(begin), "=m"(behind), "=m"(area) : : "rax", "memory");                          \
	} while (0)

static void test_fault(void)
{
	RUN("fld1; fldl x87_two(%%rip); fadd %%st(1); fmull (%%rax); fchs");
	report(vector == VECTOR_GP && offset == 10, "a fault: vector %lu, RIP +%lu", vector, offset);
	report(at(AT_STATUS, 2) == 0x3000 && at(AT_TAGS, 2) == 0xfff && at(AT_IP, 4) == (uint32_t)(begin + 8),
	       "what came before: FSW 0x%lx, FTW 0x%lx, FIP +%lu", at(AT_STATUS, 2), at(AT_TAGS, 2), at(AT_IP, 4) - (uint32_t)begin);
	report(at(AT_ST, 8) == 3ul << 62 && at(AT_ST + 8, 2) == 0x4000 && at(AT_ST + ST_BYTES + 8, 2) == 0x3fff,
	       "and is 3 and 1: 0x%lx%016lx", at(AT_ST + 8, 2), at(AT_ST, 8));
}

static void test_unmasked(void)
{
	RUN("push $0x37b; fldcw (%%rsp); pop %%rax; fldz; fld1; fdiv %%st(1), %%st; fld1; fchs");
	report(vector == VECTOR_MF && offset == 15, "1/0, unmasked: vector %lu, RIP +%lu", vector, offset);
	report(at(AT_STATUS, 2) == 0xb084 && at(AT_TAGS, 2) == 0x4fff && at(AT_IP, 4) == (uint32_t)(begin + 13),
	       "by the division: FSW 0x%lx, FTW 0x%lx, FIP +%lu", at(AT_STATUS, 2), at(AT_TAGS, 2), at(AT_IP, 4) - (uint32_t)begin);
}

static void test_stack(void)
{
	RUN("fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fldz");
	report(at(AT_STATUS, 2) == 0x3a41 && at(AT_ST + 8, 2) == 0xffff && at(AT_ST, 8) == 3ul << 62,
	       "a ninth: FSW 0x%lx, 0x%lx%016lx", at(AT_STATUS, 2), at(AT_ST + 8, 2), at(AT_ST, 8));
	RUN("fld1; fstp %%st(0); fadd %%st(1), %%st");
	report(at(AT_STATUS, 2) == 0x41 && at(AT_ST + 8, 2) == 0xffff && at(AT_ST, 8) == 3ul << 62,
	       "none: FSW 0x%lx, 0x%lx%016lx", at(AT_STATUS, 2), at(AT_ST + 8, 2), at(AT_ST, 8));
}

int guest_main(void)
{
	uint64_t cr0;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_MP | CR0_NE));
	exception_set(VECTOR_GP, on_exception);
	exception_set(VECTOR_MF, on_exception);
	test_fault();
	test_unmasked();
	test_stack();
	return report_summary();
}
