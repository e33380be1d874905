/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * YMM on every vCPU: what exceptions find there is there behind them, though their handlers use it; and before avx_start()
 * it is #UD.
 */
#include "guest.h"

enum { LANES = 4 };

static uint64_t rounds, undefined, breakpoints[GUEST_MAX_VCPUS];
static bool kept[GUEST_MAX_VCPUS];

static void skip(struct exception_frame *frame)
{
	undefined++;
	frame->rip += 4; /* vxorps */
}

/* Lower and upper halves both. */
static void destroy(struct exception_frame *frame)
{
	(void)frame;
	breakpoints[cpu_index()]++;
	__asm__ volatile("vpcmpeqd %%xmm3, %%xmm3, %%xmm3\n\t"
			 "vinsertf128 $1, %%xmm3, %%ymm3, %%ymm3\n\t"
			 "vmovaps %%ymm3, %%ymm0\n\t"
			 "vmovaps %%ymm3, %%ymm15"
			 :
			 :
			 : "xmm0", "xmm3", "xmm15");
}

static bool survive(uint64_t round)
{
	uint64_t in[LANES] = { round, ~round, round << 32, cpu_index() }, first[LANES], last[LANES], sum = 0;

	__asm__ volatile("vmovdqu %2, %%ymm0\n\t"
			 "vmovdqu %2, %%ymm15\n\t"
			 "vmovdqu %2, %%ymm3\n\t"
			 "int3\n\t"
			 "vpaddq %%ymm3, %%ymm0, %%ymm0\n\t"
			 "vmovdqu %%ymm0, %0\n\t"
			 "vmovdqu %%ymm15, %1\n\t"
			 "vzeroupper"
			 : "=m"(first), "=m"(last)
			 : "m"(in)
			 : "xmm0", "xmm3", "xmm15", "memory");
	for (unsigned i = 0; i < LANES; i++)
		sum |= (first[i] - in[i] - in[i]) | (last[i] ^ in[i]);
	return sum == 0;
}

static uint64_t at_cpl_3(void *round)
{
	return survive((uint64_t)round);
}

static void try_all(void *unused)
{
	bool all = true;

	(void)unused;
	for (uint64_t round = 0; round < rounds; round++)
		all &= round % 2 ? user_run(at_cpl_3, (void *)round) != 0 : survive(round);
	kept[cpu_index()] = all;
}

int guest_main(void)
{
	option_only("rounds", NULL);
	rounds = option_number("rounds", 200);
	exception_set(VECTOR_INVALID_OPCODE, skip);
	__asm__ volatile("vxorps %%xmm0, %%xmm0, %%xmm0" : : : "xmm0");
	report(undefined == 1, "#UD before");
	if (!avx_start()) {
		report_skip("CPUID offers no AVX");
		return report_summary();
	}
	__asm__ volatile("vxorps %%xmm0, %%xmm0, %%xmm0" : : : "xmm0");
	report(undefined == 1, "none behind");
	exception_set(VECTOR_BREAKPOINT, destroy);
	smp_run_all(try_all, NULL);
	for (unsigned i = 0; i < cpu_count(); i++) {
		report(kept[i], "vCPU %u: registers are kept", i);
		report(breakpoints[i] == rounds, "vCPU %u: by as many exceptions", i);
	}
	return report_summary();
}
