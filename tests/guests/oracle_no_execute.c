/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK on code by way of a page that must not be executed, where the same bytes lie. */
#include "oracle.h"

#define EFER 0xc0000080u
#define EFER_NXE (1u << 11)
#define ENTRY_NX (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

enum { ROUNDS = 50 };

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t alias[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

/* Of a page that was split. */
static uint64_t *entry_of_page(uint64_t address)
{
	uint64_t cr3, *table;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	table = (uint64_t *)(cr3 & ENTRY_ADDRESS);
	for (int shift = 39; shift > 12; shift -= 9)
		table = (uint64_t *)(table[address >> shift & 511] & ENTRY_ADDRESS);
	return &table[address >> 12 & 511];
}

static void prepare(void)
{
	static const uint8_t function[] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $0, %eax; ret */

	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		memcpy(code[vcpu], function, sizeof(function));
		page_split((uint64_t)code[vcpu]);
		page_split((uint64_t)alias[vcpu]);
		*entry_of_page((uint64_t)alias[vcpu]) = *entry_of_page((uint64_t)code[vcpu]) | ENTRY_NX;
	}
}

static void allow_no_execute(void)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(EFER));
	__asm__ volatile("wrmsr" : : "a"(low | EFER_NXE), "d"(high), "c"(EFER) : "memory");
	__asm__ volatile("mov %%cr3, %%rax\n\tmov %%rax, %%cr3" : : : "rax", "memory");
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	allow_no_execute();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t before = ((uint32_t (*)(void))code[vcpu])();

		__asm__ volatile("lock incl %0" : "+m"(*(uint32_t *)(alias[vcpu] + 1)));
		wrong |= ((uint32_t (*)(void))code[vcpu])() != before + 1;
	}
	return wrong;
}
