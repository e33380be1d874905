/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK into code through another address, at which it may not be executed: aligned, and again and again. */
#include "../code/oracle_alias.h"

enum { ROUNDS = 10 };

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t alias[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	alias_prepare(code, alias);
}

static uint64_t program(unsigned vcpu)
{
	uint32_t (*call)(void) = (uint32_t (*)(void))code[vcpu];
	uint32_t *number = (uint32_t *)(alias[vcpu] + NUMBER), *elsewhere = (uint32_t *)(alias[vcpu] + PAGE_BYTES / 2);
	uint64_t wrong = 0;

	alias_set_no_execute(true);
	alias_flush();
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t before = call();

		__asm__ volatile("lock incl %0" : "+m"(*number) : : "memory");
		wrong |= call() != before + 1;
		__asm__ volatile("lock incl %0; lock incl %0" : "+m"(*elsewhere) : : "memory");
	}
	alias_set_no_execute(false);
	return wrong;
}
