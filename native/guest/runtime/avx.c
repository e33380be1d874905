/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

enum {
	CPUID_ECX_AVX = 1 << 28,
	CR4_OSXSAVE = 1 << 18,
	XCR0_X87 = 1 << 0,
	XCR0_SSE = 1 << 1,
	XCR0_AVX = 1 << 2,
};

/* SDM vol. 1, 13.3 */
static void enable(void *unused)
{
	uint64_t cr4;

	(void)unused;
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE) : "memory");
	__asm__ volatile("xsetbv" : : "c"(0), "a"(XCR0_X87 | XCR0_SSE | XCR0_AVX), "d"(0) : "memory");
}

bool avx_start(void)
{
	if (!(cpuid(1).ecx & CPUID_ECX_AVX))
		return false;
	smp_run_all(enable, NULL);
	exception_save_avx();
	return true;
}
