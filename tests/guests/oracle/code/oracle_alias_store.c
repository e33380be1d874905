/* SPDX-License-Identifier: GPL-2.0-only */
/* Plain stores into code through other addresses, at one of which it may be executed, at the others not: as just-in-time
 * compilers with two mappings do, again and again. */
#include "oracle_alias.h"

enum { ROUNDS = 40 };

enum alias { SAME, NEVER, USERS, ALIASES };

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t alias[GUEST_MAX_VCPUS][ALIASES][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	alias_split_for_kernel(code[0]);
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		uint64_t entry = *page_entry((uint64_t)code[vcpu]);

		memcpy(code[vcpu], alias_function, sizeof(alias_function));
		*page_entry((uint64_t)alias[vcpu][SAME]) = entry;
		*page_entry((uint64_t)alias[vcpu][NEVER]) = entry | ENTRY_NO_EXECUTE;
		*page_entry((uint64_t)alias[vcpu][USERS]) = entry | ENTRY_USER;
	}
}

/* Each width, to code, and to a line of the same page that is none. */
static bool stores(uint32_t (*call)(void), uint8_t *at, uint32_t value)
{
	volatile uint8_t *elsewhere = at + PAGE_BYTES / 2;
	bool ok;

	*(volatile uint32_t *)(at + NUMBER) = value;
	ok = call() == value;
	*elsewhere = 1;
	at[NUMBER] = 0x11;
	ok = ok && call() == ((value & ~0xffu) | 0x11);
	*(volatile uint16_t *)elsewhere = 2;
	*(volatile uint16_t *)(at + NUMBER + 1) = 0x2233;
	ok = ok && call() == ((value & 0xff000000u) | 0x223311);
	*(volatile uint64_t *)elsewhere = 3;
	*(volatile uint64_t *)at = (uint64_t)(value + 1) << 32 | 0xb8909090u;
	return ok && call() == value + 1;
}

static uint64_t program(unsigned vcpu)
{
	uint32_t (*call)(void) = (uint32_t (*)(void))code[vcpu];
	uint64_t wrong = 0;

	alias_set_no_execute(true);
	alias_set_smep();
	alias_flush();
	for (unsigned i = 0; i < ROUNDS; i++)
		for (unsigned k = 0; k < ALIASES; k++)
			wrong |= (uint64_t)!stores(call, alias[vcpu][k], i << 24 | k << 16 | 0x5678) << k;
	return wrong;
}
