/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

GUEST_DESCRIPTION("three functions with 70, 20 and 10 percent of the instructions; iterations=10000");

/*
 * All three are made of the same iteration of ten instructions, and differ in how many they do.
 * A function that asks for its frame gets one, so that the call chain has its caller.
 */
enum { HOT = 700, WARM = 200, COOL = 100 };

#define WORK(n)                                                            \
	do {                                                               \
		uint64_t left = (n), x = 1;                                \
		__asm__ volatile("1: add %1, %1\n\t"                       \
				 "xor $5, %1\n\t"                          \
				 "add $3, %1\n\t"                          \
				 "xor $9, %1\n\t"                          \
				 "lea 1(%1), %1\n\t"                       \
				 "add $7, %1\n\t"                          \
				 "xor $6, %1\n\t"                          \
				 "sub $2, %1\n\t"                          \
				 "dec %0\n\t"                              \
				 "jnz 1b"                                  \
				 : "+r"(left), "+r"(x)                     \
				 : "r"(__builtin_frame_address(0))         \
				 : "cc");                                  \
	} while (0)

static uint64_t iterations;

static __attribute__((noinline)) void hot(void)
{
	WORK(HOT);
}

static __attribute__((noinline)) void warm(void)
{
	WORK(WARM);
}

static __attribute__((noinline)) void cool(void)
{
	WORK(COOL);
}

static __attribute__((noinline)) void hotspots(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < iterations; i++) {
		hot();
		warm();
		cool();
	}
}

int guest_main(void)
{
	option_only("iterations", NULL);
	iterations = option_number("iterations", 10000);
	smp_run_all(hotspots, NULL);
	console_printf("hotspots: %u vCPU%s, %lu iterations each\n", cpu_count(), plural(cpu_count()), iterations);
	return 0;
}
