/* SPDX-License-Identifier: GPL-2.0-only */
/* The program as a guest. Prints its result, and the ticks that it took. */
#include "guest.h"
#include "program.h"

GUEST_DESCRIPTION("the program that engines are compared by; iterations=1000000");

int guest_main(void)
{
	uint64_t iterations = option_number("iterations", 1000000), start = __builtin_ia32_rdtsc();
	uint64_t result = program(iterations);

	console_printf("%lx %lu\n", result, (uint64_t)__builtin_ia32_rdtsc() - start);
	return 0;
}
