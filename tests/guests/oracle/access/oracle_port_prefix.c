/* SPDX-License-Identifier: GPL-2.0-only */
/* Port instructions behind prefixes in any order: what they write is one exit, and at CPL 3 each is refused. */
#include "../oracle.h"

/* out, outs and ins; a rep is of one iteration. */
#define EACH_FORM(do)                                                                              \
	do(".byte 0xef")                                                                           \
	do(".byte 0x66, 0xef")                                                                     \
	do(".byte 0xf3, 0x66, 0xef")                                                               \
	do(".byte 0x66, 0xf2, 0x48, 0xef")                                                         \
	do(".byte 0x64, 0xf3, 0xe7, 0x80")                                                         \
	do(".byte 0x66, 0x6f")                                                                     \
	do(".byte 0xf3, 0x66, 0x6f")                                                               \
	do(".byte 0x66, 0xf3, 0x6f")                                                               \
	do(".byte 0xf3, 0x48, 0x6f")                                                               \
	do(".byte 0xf3, 0x66, 0x6d")

enum { FORMS = 10 };

static uint64_t buffer[GUEST_MAX_VCPUS];

static void prepare(void)
{
	exception_set(VECTOR_PROTECTION, oracle_skip);
}

#define PORT_AND_COUNT "mov $0x80, %%edx\n\t mov $1, %%ecx\n\t nop\n\t"

#define AT_KERNEL(text)                                                                            \
	__asm__ volatile(PORT_AND_COUNT text "\n\t nop\n\t nop"                                   \
			 : "=S"(from), "=D"(to) : "S"(at), "D"(at) : "rax", "rcx", "rdx", "memory");
#define AT_USER(text) ORACLE_FAULT(PORT_AND_COUNT text "\n\t ud2", "S"(at), "D"(at));

static uint64_t at_user(void *arg)
{
	void *at = arg;

	EACH_FORM(AT_USER)
	return 1;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu], wrong;
	void *at = &buffer[vcpu], *from, *to;

	EACH_FORM(AT_KERNEL)
	wrong = oracle_faults[vcpu] != before;
	wrong |= (uint64_t)(user_run(at_user, at) != 1) << 1;
	return wrong | (uint64_t)(oracle_faults[vcpu] - before != FORMS) << 2;
}
