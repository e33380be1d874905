/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK on eight bytes of two pages, which are no neighbours in RAM; the second has code. */
#include "../oracle.h"

enum { ROUNDS = 20, BEFORE = 6 };

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t data[GUEST_MAX_VCPUS][2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	static const uint8_t function[] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $0, %eax; ret */

	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		uint64_t second = (uint64_t)data[vcpu] + PAGE_BYTES;

		memcpy(code[vcpu], function, sizeof(function));
		page_split((uint64_t)code[vcpu]);
		page_split(second);
		*page_entry(second) = *page_entry((uint64_t)code[vcpu]);
	}
}

static uint64_t program(unsigned vcpu)
{
	uint32_t (*call)(void) = (uint32_t (*)(void))code[vcpu];
	uint64_t wrong = 0, cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t before = call();

		/* The last of its bytes is the first of the number that the mov has. */
		__asm__ volatile("lock addq %1, %0"
				 : "+m"(*(uint64_t *)(data[vcpu] + PAGE_BYTES - BEFORE))
				 : "r"(1ull << 56));
		wrong |= call() != before + 1;
	}
	return wrong;
}
