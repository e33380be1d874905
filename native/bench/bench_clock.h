/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock of the benchmarks. */
#ifndef PV_BENCH_CLOCK_H
#define PV_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
