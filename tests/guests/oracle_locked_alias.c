/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK into code through another address, at which it may not be executed: aligned, and again and again. */
#include "oracle.h"

enum { MSR_EFER = 0xc0000080, EFER_NXE = 1 << 11, ROUNDS = 10, NUMBER = 4 };

#define ENTRY_NO_EXECUTE (1ull << 63)

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t alias[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static void prepare(void)
{
	static const uint8_t function[] = { 0x90, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $0, %eax; ret */

	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		memcpy(code[vcpu], function, sizeof(function));
		page_split((uint64_t)code[vcpu]);
		page_split((uint64_t)alias[vcpu]);
		*page_entry((uint64_t)alias[vcpu]) = *page_entry((uint64_t)code[vcpu]) | ENTRY_NO_EXECUTE;
	}
}

static void set_no_execute(bool on)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	low = on ? low | EFER_NXE : low & ~(uint32_t)EFER_NXE;
	__asm__ volatile("wrmsr" : : "a"(low), "d"(high), "c"(MSR_EFER) : "memory");
}

static uint64_t program(unsigned vcpu)
{
	uint32_t (*call)(void) = (uint32_t (*)(void))code[vcpu];
	uint32_t *number = (uint32_t *)(alias[vcpu] + NUMBER), *elsewhere = (uint32_t *)(alias[vcpu] + PAGE_BYTES / 2);
	uint64_t wrong = 0, cr3;

	set_no_execute(true);
	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t before = call();

		__asm__ volatile("lock incl %0" : "+m"(*number) : : "memory");
		wrong |= call() != before + 1;
		__asm__ volatile("lock incl %0; lock incl %0" : "+m"(*elsewhere) : : "memory");
	}
	set_no_execute(false);
	return wrong;
}
