/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults in the midst of a block, and handlers that go on elsewhere. */
#include "../oracle.h"

static void prepare(void)
{
	static const unsigned vectors[] = {
		VECTOR_DIVIDE, VECTOR_INVALID_OPCODE, VECTOR_PROTECTION, VECTOR_PAGE_FAULT,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
		exception_set(vectors[i], oracle_skip);
}

/* Instructions before and after the one that faults, in one block. */
static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu], x = 0;

	ORACLE_FAULT("nop; nop; mov (%1), %%rcx; ud2; nop", "r"(1ull << 40));
	ORACLE_FAULT("add $1, %%rcx; mov %%rcx, (%1); ud2", "r"(1ull << 46));
	ORACLE_FAULT("xor %%edx, %%edx; mov $5, %%eax; div %k1; ud2", "r"(0));
	ORACLE_FAULT("nop; ud2; nop; nop", "r"(0));
	ORACLE_FAULT("mov $1, %%ecx; mov (%1), %%rcx; ud2", "r"(1ull << 63));
	ORACLE_FAULT("nop; mov %w1, %%ds; ud2", "r"(0xfff8));
	ORACLE_FAULT("nop; lock incq (%1); ud2", "r"(1ull << 46));
	for (unsigned i = 0; i < 20; i++) {
		ORACLE_FAULT("dec %%ecx; nop; ud2; nop", "r"(0));
		x += i;
	}
	return (uint64_t)(oracle_faults[vcpu] - before != 27) | (uint64_t)(x != 190) << 1;
}
