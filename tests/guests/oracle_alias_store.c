/* SPDX-License-Identifier: GPL-2.0-only */
/* Plain stores into code through other addresses, at one of which it may be executed, at the others not: as just-in-time
 * compilers with two mappings do, again and again. */
#include "oracle.h"

enum { MSR_EFER = 0xc0000080, EFER_NXE = 1 << 11, ROUNDS = 40, NUMBER = 4 };

#define CR4_SMEP (1ull << 20)
#define ENTRY_USER (1ull << 2)
#define ENTRY_NO_EXECUTE (1ull << 63)

enum alias { SAME, NEVER, USERS, ALIASES };

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t alias[GUEST_MAX_VCPUS][ALIASES][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	static const uint8_t function[] = { 0x90, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $0, %eax; ret */
	uint64_t *table;

	page_split((uint64_t)code[0]);
	table = (uint64_t *)((uint64_t)page_entry((uint64_t)code[0]) / PAGE_BYTES * PAGE_BYTES);
	for (unsigned i = 0; i < PAGE_BYTES / sizeof(*table); i++) /* all of the guest's code lies there */
		table[i] &= ~ENTRY_USER;
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		uint64_t entry = *page_entry((uint64_t)code[vcpu]);

		memcpy(code[vcpu], function, sizeof(function));
		*page_entry((uint64_t)alias[vcpu][SAME]) = entry;
		*page_entry((uint64_t)alias[vcpu][NEVER]) = entry | ENTRY_NO_EXECUTE;
		*page_entry((uint64_t)alias[vcpu][USERS]) = entry | ENTRY_USER;
	}
}

/* With what makes each of them what it is. */
static void forbid(void)
{
	uint32_t low, high;
	uint64_t cr;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	__asm__ volatile("wrmsr" : : "a"(low | EFER_NXE), "d"(high), "c"(MSR_EFER) : "memory");
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr | CR4_SMEP) : "memory");
	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr) : : "memory");
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

	forbid();
	for (unsigned i = 0; i < ROUNDS; i++)
		for (unsigned k = 0; k < ALIASES; k++)
			wrong |= (uint64_t)!stores(call, alias[vcpu][k], i << 24 | k << 16 | 0x5678) << k;
	return wrong;
}
