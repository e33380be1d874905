/* SPDX-License-Identifier: GPL-2.0-only */
/* The program as a guest. Prints its result, and the ticks that it took. */
#include "guest.h"
#include "program.h"

GUEST_DESCRIPTION("the program that engines are compared by; iterations=1000000");

int guest_main(void)
{
	uint64_t iterations, start, result;

	avx_start(); /* if it is offered: who is compiled for it is run where it is */
	iterations = option_number("iterations", 1000000);
	start = __builtin_ia32_rdtsc();
	result = program(iterations);
	console_printf("%lx %lu\n", result, (uint64_t)__builtin_ia32_rdtsc() - start);
	return 0;
}
