/* SPDX-License-Identifier: GPL-2.0-only */
/* An instruction whose store is no plain one, through an address of code at which that may not be executed, at both CPLs;
 * then plain stores into the code, through that address. */
#include "oracle.h"

enum { MSR_EFER = 0xc0000080, EFER_NXE = 1 << 11, NUMBER = 4, ELSEWHERE = PAGE_BYTES / 2 };

#define ENTRY_NO_EXECUTE (1ull << 63)

struct place {
	uint32_t (*call)(void);
	uint8_t *alias;
};

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

static void forbid(void)
{
	uint32_t low, high;
	uint64_t cr3;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	__asm__ volatile("wrmsr" : : "a"(low | EFER_NXE), "d"(high), "c"(MSR_EFER) : "memory");
	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
}

/* How many of these plain stores are not executed. */
static uint64_t missed(const struct place *place, uint32_t first)
{
	uint64_t ret = 0;

	for (uint32_t i = first; i < first + 3; i++) {
		*(volatile uint32_t *)(place->alias + NUMBER) = i;
		ret += place->call() != i;
	}
	return ret;
}

#define BEHIND(text, ...)                                                                          \
	do {                                                                                       \
		__asm__ volatile(text : : "r"(place->alias + ELSEWHERE), ##__VA_ARGS__ : "memory", "cc"); \
		wrong += missed(place, next += 5);                                                 \
	} while (0)

static uint64_t all(void *arg)
{
	const struct place *place = arg;
	uint32_t next = 0;
	uint64_t wrong = missed(place, next);

	BEHIND("fldz; fstpt (%0)");
	BEHIND("fxsave (%0)");
	BEHIND("fnstenv (%0)");
	BEHIND("movbe %%rbx, (%0)");
	BEHIND("cmpxchg16b (%0)", "a"(0), "d"(0), "b"(1), "c"(2));
	BEHIND("lock cmpxchg16b (%0)", "a"(1), "d"(2), "b"(3), "c"(4));
	BEHIND("lock incl (%0)");
	BEHIND("sidt (%0)");
	return wrong;
}

static uint64_t program(unsigned vcpu)
{
	struct place place = { (uint32_t (*)(void))code[vcpu], alias[vcpu] };
	uint64_t wrong = 0;

	forbid();
	for (unsigned i = 0; i < 3; i++) {
		wrong += all(&place);
		wrong += user_run(all, &place) << 8;
	}
	return wrong;
}
