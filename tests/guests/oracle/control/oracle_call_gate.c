/* SPDX-License-Identifier: GPL-2.0-only */
/* From CPL 3 to CPL 0 through a call gate, by a far call through memory, and back by a far return. */
#include "../oracle.h"

enum { SELECTOR_GATE = 0x50, GDT_WORDS = 12 };

static uint64_t gdt[GUEST_MAX_VCPUS][GDT_WORDS] __attribute__((aligned(16)));

struct table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static void prepare(void)
{
}

__attribute__((naked)) static void gate(void)
{
	__asm__ volatile("nop\n\t"
			 "nop\n\t"
			 "lretq");
}

static uint64_t at_user(void *arg)
{
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) far = { 0, SELECTOR_GATE };

	for (unsigned i = 0; i < 5; i++)
		__asm__ volatile("lcall *%0" : : "m"(far) : "memory");
	return (uint64_t)arg + 1;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t target = (uint64_t)gate;
	struct table table;

	__asm__ volatile("sgdt %0" : "=m"(table));
	memcpy(gdt[vcpu], (const void *)table.base, (size_t)table.limit + 1);
	gdt[vcpu][SELECTOR_GATE / 8] = (target & 0xffff) | (uint64_t)SELECTOR_KERNEL_CODE << 16 |
				       0xecull << 40 | (target >> 16 & 0xffff) << 48;
	gdt[vcpu][SELECTOR_GATE / 8 + 1] = target >> 32;
	table.limit = sizeof(gdt[vcpu]) - 1;
	table.base = (uint64_t)gdt[vcpu];
	__asm__ volatile("lgdt %0" : : "m"(table));
	return user_run(at_user, (void *)1) != 2;
}
