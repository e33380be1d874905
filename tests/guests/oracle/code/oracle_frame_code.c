/* SPDX-License-Identifier: GPL-2.0-only */
/* An exception's frame over code that was executed: what is executed there then is SS, "adc %al, (%rax)" and the like. */
#include "../oracle.h"

enum { TOP = 2048, SS_BYTES = 8, NOP = 0x90, RET = 0xc3, VECTOR_INT3 = 3 };

static uint8_t stack[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint64_t changed[GUEST_MAX_VCPUS] __attribute__((aligned(64)));

static void go_on(struct exception_frame *frame)
{
	(void)frame;
}

static void prepare(void)
{
	exception_set(VECTOR_INT3, go_on);
}

static void call_it(unsigned vcpu)
{
	uint64_t at = (uint64_t)&stack[vcpu][TOP - SS_BYTES], word = (uint64_t)&changed[vcpu];

	__asm__ volatile("or $1, %%al\n\t" /* never 0 */
			 "call *%1" : "+a"(word) : "r"(at) : "memory", "cc");
}

static void interrupt_on(uint8_t *top)
{
	__asm__ volatile("mov %%rsp, %%rbx\n\t"
			 "mov %0, %%rsp\n\t"
			 "int3\n\t"
			 "mov %%rbx, %%rsp" : : "r"(top) : "rbx", "memory", "cc");
}

static uint64_t program(unsigned vcpu)
{
	uint8_t *top = &stack[vcpu][TOP];
	uint64_t wrong = 0;

	for (unsigned i = 0; i < 3; i++) {
		memset(top - SS_BYTES, NOP, SS_BYTES);
		*top = RET;
		changed[vcpu] = 0;
		call_it(vcpu);
		wrong |= changed[vcpu] != 0;
		interrupt_on(top);
		call_it(vcpu);
		wrong |= (uint64_t)!changed[vcpu] << 1;
	}
	return wrong;
}
