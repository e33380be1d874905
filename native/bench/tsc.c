/* SPDX-License-Identifier: GPL-2.0-only */
#include "bench_clock.h"
#include "peer.h"

double tsc_hz(uint32_t ms)
{
	int64_t start = bench_now_ns(), now;
	uint64_t ticks = __builtin_ia32_rdtsc();

	do
		now = bench_now_ns();
	while (now - start < (int64_t)ms * 1000000);
	ticks = __builtin_ia32_rdtsc() - ticks;
	return (double)ticks * 1e9 / (double)(now - start);
}
