/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK with FS or GS, beside the override of another segment, which means nothing in 64-bit mode. */
#include "../oracle.h"

enum { MSR_FS_BASE = 0xc0000100, BASE = 64 };

static uint64_t words[GUEST_MAX_VCPUS][2 * BASE / sizeof(uint64_t)];

static void prepare(void)
{
}

static uint64_t program(unsigned vcpu)
{
	uint64_t *at = words[vcpu];
	uint32_t low, high;

	memset(at, 0, sizeof(words[vcpu]));
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_FS_BASE));
	__asm__ volatile("wrmsr" : : "a"(BASE), "d"(0), "c"(MSR_FS_BASE));
	__asm__ volatile("nop; .byte 0x64; lock incq (%0)\n\t"
			 "nop; .byte 0x64, 0x2e; lock incq (%0)\n\t"
			 "nop; .byte 0x2e, 0x64; lock incq (%0)\n\t"
			 "nop; .byte 0x64, 0x3e; lock incq (%0)"
			 : : "r"(at) : "memory", "cc");
	__asm__ volatile("wrmsr" : : "a"(low), "d"(high), "c"(MSR_FS_BASE));
	return at[0] != 0 || at[BASE / sizeof(uint64_t)] != 4;
}
