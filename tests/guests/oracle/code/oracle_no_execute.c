/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK on code by way of a page that must not be executed: by its own entry, or since it is a user's. */
#include "oracle_alias.h"

enum { ROUNDS = 50 };

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t never[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t user[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	static const uint8_t function[] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $0, %eax; ret */
	alias_split_for_kernel(code[0]);
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		memcpy(code[vcpu], function, sizeof(function));
		*page_entry((uint64_t)never[vcpu]) = *page_entry((uint64_t)code[vcpu]) | ENTRY_NO_EXECUTE;
		*page_entry((uint64_t)user[vcpu]) = *page_entry((uint64_t)code[vcpu]) | ENTRY_USER;
	}
}

static bool increments(unsigned vcpu, uint8_t *at)
{
	uint32_t (*call)(void) = (uint32_t (*)(void))code[vcpu];
	uint32_t before = call();

	__asm__ volatile("lock incl %0" : "+m"(*(uint32_t *)(at + 1)));
	return call() == before + 1;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	alias_set_no_execute(true);
	alias_set_smep();
	alias_flush();
	for (unsigned i = 0; i < ROUNDS; i++) {
		wrong |= !increments(vcpu, never[vcpu]);
		wrong |= (uint64_t)!increments(vcpu, user[vcpu]) << 1;
	}
	return wrong;
}
