/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK on code by way of a page that must not be executed: by its own entry, or since it is a user's. */
#include "oracle.h"

#define EFER 0xc0000080u
#define EFER_NXE (1u << 11)
#define CR4_SMEP (1ull << 20)
#define ENTRY_USER (1ull << 2)
#define ENTRY_NX (1ull << 63)

enum { ROUNDS = 50, ENTRIES = 512 };

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t never[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t user[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	static const uint8_t function[] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $0, %eax; ret */
	uint64_t *table;

	page_split((uint64_t)code[0]);
	table = (uint64_t *)((uint64_t)page_entry((uint64_t)code[0]) / PAGE_BYTES * PAGE_BYTES);
	for (unsigned i = 0; i < ENTRIES; i++) /* all of the guest's code lies there, and none of it is a user's */
		table[i] &= ~ENTRY_USER;
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		memcpy(code[vcpu], function, sizeof(function));
		*page_entry((uint64_t)never[vcpu]) = *page_entry((uint64_t)code[vcpu]) | ENTRY_NX;
		*page_entry((uint64_t)user[vcpu]) = *page_entry((uint64_t)code[vcpu]) | ENTRY_USER;
	}
}

/* With what makes each of the two what it is. */
static void forbid(void)
{
	uint32_t low, high;
	uint64_t cr;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(EFER));
	__asm__ volatile("wrmsr" : : "a"(low | EFER_NXE), "d"(high), "c"(EFER) : "memory");
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr | CR4_SMEP) : "memory");
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr));
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr) : "memory");
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

	forbid();
	for (unsigned i = 0; i < ROUNDS; i++) {
		wrong |= !increments(vcpu, never[vcpu]);
		wrong |= (uint64_t)!increments(vcpu, user[vcpu]) << 1;
	}
	return wrong;
}
