/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults and privileged instructions at CPL 3. */
#include "../oracle.h"

static void prepare(void)
{
	exception_set(VECTOR_PAGE_FAULT, oracle_skip);
	exception_set(VECTOR_PROTECTION, oracle_skip);
	exception_set(VECTOR_INVALID_OPCODE, oracle_skip);
	exception_set(VECTOR_DIVIDE, oracle_skip);
}

static uint64_t at_user(void *arg)
{
	(void)arg;
	ORACLE_FAULT("nop; mov (%1), %%rcx; ud2", "r"(1ull << 46));
	ORACLE_FAULT("nop; hlt; ud2", "r"(0));
	ORACLE_FAULT("nop; mov %%cr0, %%rcx; ud2", "r"(0));
	ORACLE_FAULT("nop; ud2; nop", "r"(0));
	ORACLE_FAULT("nop; out %%al, $0x80; ud2", "r"(0));
	ORACLE_FAULT("nop; int $0x41; ud2", "r"(0));
	ORACLE_FAULT("xor %%edx, %%edx; div %k1; ud2", "r"(0));
	return 1;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu], wrong = 0;

	for (unsigned i = 0; i < 3; i++)
		wrong |= user_run(at_user, NULL) != 1;
	return wrong | (uint64_t)(oracle_faults[vcpu] - before != 21) << 1;
}
