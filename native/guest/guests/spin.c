/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

GUEST_DESCRIPTION("a loop of two instructions on every vCPU; iterations=50000000");

static uint64_t iterations;

static void spin(void *arg)
{
	uint64_t n = iterations;

	(void)arg;
	if (n)
		__asm__ volatile("1: dec %0\n\t"
				 "jnz 1b"
				 : "+r"(n));
}

int guest_main(void)
{
	option_only("iterations", NULL);
	iterations = option_number("iterations", 50000000);
	smp_run_all(spin, NULL);
	console_printf("spin: %u vCPU%s, %lu iterations each\n", cpu_count(), plural(cpu_count()), iterations);
	return 0;
}
