/* SPDX-License-Identifier: GPL-2.0-only */
/* Blocks that end in bytes that are no instruction, and are left before them: by a store into the block, and by #GP. */
#include "../oracle.h"

static uint8_t code[GUEST_MAX_VCPUS][64] __attribute__((aligned(PAGE_BYTES)));

/* The 06 at the end raises #UD when it is reached: the last of `rewrites` is made a ret by the store. */
static const uint8_t rewrites[] = {
	0x88, 0x05, 0x02, 0x00, 0x00, 0x00, /* mov %al, 2(%rip): the byte behind the nops */
	0x90, 0x90, 0x06,
};

static void prepare(void)
{
	exception_set(VECTOR_PROTECTION, oracle_skip);
}

static uint64_t at_user(void *arg)
{
	(void)arg;
	ORACLE_FAULT("jmp 1f\n1: nop; insb; .byte 0x06", "r"(0));
	return 1;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu], wrong = 0;

	for (unsigned i = 0; i < 4; i++) {
		memcpy(code[vcpu], rewrites, sizeof(rewrites));
		__asm__ volatile("call *%0" : : "r"(code[vcpu]), "a"(0xc3) : "memory");
		wrong |= user_run(at_user, NULL) != 1;
	}
	return wrong | (uint64_t)(oracle_faults[vcpu] - before != 4) << 1;
}
